#include "base/address.h"

#include "base/limits.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <deque>
#include <mutex>
#include <unordered_map>

namespace sluice {

namespace {

constexpr std::string_view kUnixScheme = "unix://";

// Numbers are never given anew, so an address stays what it was for whoever still has it.
class UnixSocketNames {
 public:
  // 0: there is no room.
  uint32_t number_of(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (const auto found = numbers_.find(name); found != numbers_.end()) return found->second;
    if (names_.size() == limits::unix_socket_names_max) return 0;
    names_.emplace_back(name);
    const auto number = static_cast<uint32_t>(names_.size());
    numbers_.emplace(names_.back(), number);
    return number;
  }

  // `number` is one that number_of() gave.
  std::string_view name_of(uint32_t number) {
    const std::lock_guard lock(mutex_);
    return names_[number - 1];
  }

 private:
  std::mutex mutex_;
  std::deque<std::string> names_;  // never moved
  std::unordered_map<std::string_view, uint32_t> numbers_;
};

// What logs, reports and shells take as it is.
bool is_plain(char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\'; }

UnixSocketNames& unix_socket_names() {
  static UnixSocketNames names;
  return names;
}

}  // namespace

std::optional<SocketAddress> SocketAddress::from_ip(std::string_view ip, uint16_t port) {
  char text[INET6_ADDRSTRLEN];
  // A NUL would end the text early for inet_pton(3).
  if (ip.empty() || ip.size() >= sizeof text || ip.contains('\0')) return std::nullopt;
  std::memcpy(text, ip.data(), ip.size());
  text[ip.size()] = '\0';

  SocketAddress address;
  address.port = port;
  if (inet_pton(AF_INET, text, address.ip.data()) == 1) return address;
  address.family = Family::ipv6;
  if (inet_pton(AF_INET6, text, address.ip.data()) == 1) return address;
  return std::nullopt;
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view ip = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = ip.size() >= 2 && ip.front() == '[' && ip.back() == ']';
  if (bracketed) ip = ip.substr(1, ip.size() - 2);

  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;

  std::optional<SocketAddress> address = from_ip(ip, port);
  if (address && (address->family == Family::ipv6) != bracketed) return std::nullopt;
  return address;
}

std::optional<SocketAddress> SocketAddress::from_unix(std::string_view text) {
  if (!text.starts_with(kUnixScheme)) return std::nullopt;
  const std::string_view name = text.substr(kUnixScheme.size());
  const bool is_name = name.size() > 1 && (name.front() == '/' || name.front() == '@');
  // A path ends with a NUL in the kernel's form, an abstract name begins with one.
  if (!is_name || name.size() >= sizeof sockaddr_un::sun_path || !std::ranges::all_of(name, is_plain))
    return std::nullopt;
  const uint32_t number = unix_socket_names().number_of(name);
  if (number == 0) return std::nullopt;
  SocketAddress address;
  address.family = Family::unix_socket;
  std::memcpy(address.ip.data(), &number, sizeof number);
  return address;
}

std::string_view SocketAddress::unix_name() const {
  if (is_ip()) return {};
  uint32_t number = 0;
  std::memcpy(&number, ip.data(), sizeof number);
  return number == 0 ? std::string_view() : unix_socket_names().name_of(number);
}

std::string SocketAddress::ip_text() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family == Family::ipv4 ? AF_INET : AF_INET6, ip.data(), text, sizeof text);
  return text;
}

std::string SocketAddress::to_string() const {
  if (!is_ip()) return std::string(kUnixScheme).append(unix_name());
  const std::string host = ip_text();
  return (family == Family::ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

size_t SocketAddressHash::operator()(const SocketAddress& address) const noexcept {
  uint64_t high = 0;
  uint64_t low = 0;
  std::memcpy(&high, address.ip.data(), 8);
  std::memcpy(&low, address.ip.data() + 8, 8);
  const uint64_t hash = (high ^ (low * 0x9e3779b97f4a7c15) ^ address.port) * 0xff51afd7ed558ccd;
  return hash ^ (hash >> 32);
}

}  // namespace sluice

#include "transport/proxy_header.h"

#include "base/check.h"
#include "base/limits.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sluice::transport {

namespace {

using Family = SocketAddress::Family;
using Status = ProxyHeader::Status;

constexpr std::string_view v1_start = "PROXY ";
constexpr std::string_view v2_start{"\r\n\r\n\0\r\nQUIT\n", 12};

// Version 2 (2.2): the signature, version and command, family and transport, the length of what follows.
constexpr size_t v2_fixed_bytes = 16;
constexpr unsigned v2_local = 0x20;
constexpr unsigned v2_proxy = 0x21;
constexpr unsigned v2_ipv4 = 1;
constexpr unsigned v2_ipv6 = 2;
constexpr unsigned v2_stream = 1;
constexpr unsigned v2_datagram = 2;
constexpr size_t v2_port_bytes = 2;

constexpr size_t ip_bytes(Family family) noexcept { return family == Family::ipv4 ? 4 : 16; }

ProxyHeader malformed(std::string_view fault) noexcept { return {.status = Status::malformed, .fault = fault}; }

ProxyHeader complete(size_t size, std::optional<ProxiedAddresses> addresses = {}) noexcept {
  return {.status = Status::complete, .size = size, .addresses = addresses};
}

// What a client, or a server that it has connected to, can have: Envoy's isUnicastAddress().
bool is_unicast(const SocketAddress& address) noexcept {
  if (address.is_any()) return false;
  if (address.family == Family::ipv6) return address.ip[0] != 0xff;
  const bool is_multicast = (address.ip[0] & 0xf0) == 0xe0;
  return !is_multicast && !std::all_of(&address.ip[0], &address.ip[4], [](uint8_t byte) { return byte == 0xff; });
}

ProxyHeader with_addresses(size_t size, const ProxiedAddresses& addresses) noexcept {
  if (!is_unicast(addresses.source) || !is_unicast(addresses.destination))
    return malformed("an address of the PROXY header is none of a host");
  return complete(size, addresses);
}

// --- Version 1 -------------------------------------------------------------------------------------

// The text before the next space, which is taken off, too; what is left when there is none.
std::string_view take_word(std::string_view& rest) noexcept {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  return word;
}

// Decimal, without zeros in front.
std::optional<uint16_t> read_port(std::string_view text) noexcept {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return port;
}

std::optional<SocketAddress> read_address(std::string_view ip, std::string_view port_text, Family family) {
  const std::optional<uint16_t> port = read_port(port_text);
  if (!port) return std::nullopt;
  const std::optional<SocketAddress> address = SocketAddress::from_ip(ip, *port);
  return address && address->family == family ? address : std::nullopt;
}

ProxyHeader read_v1(std::string_view text) noexcept {
  const size_t end = text.substr(0, proxy_header_first_bytes).find("\r\n");
  if (end == std::string_view::npos) {
    if (text.size() < proxy_header_first_bytes) return {};
    return malformed("the PROXY header is too long");
  }
  const size_t size = end + 2;
  std::string_view rest = text.substr(v1_start.size(), end - v1_start.size());
  const std::string_view family_name = take_word(rest);
  if (family_name == "UNKNOWN") return complete(size);  // whatever follows (2.1)
  if (family_name != "TCP4" && family_name != "TCP6") return malformed("the PROXY header is of an unknown kind");

  const Family family = family_name == "TCP4" ? Family::ipv4 : Family::ipv6;
  const std::string_view source_ip = take_word(rest);
  const std::string_view destination_ip = take_word(rest);
  const std::string_view source_port = take_word(rest);
  const std::string_view destination_port = rest;
  const std::optional<SocketAddress> source = read_address(source_ip, source_port, family);
  const std::optional<SocketAddress> destination = read_address(destination_ip, destination_port, family);
  if (!source || !destination) return malformed("the PROXY header is malformed");
  return with_addresses(size, {*source, *destination});
}

// Only then can both be written.
bool have_common_family(const ProxiedAddresses& addresses) noexcept {
  return addresses.source.is_ip() && addresses.source.family == addresses.destination.family;
}

std::string write_v1(const ProxiedAddresses& addresses) {
  const auto& [source, destination] = addresses;
  if (!have_common_family(addresses)) return "PROXY UNKNOWN\r\n";
  std::string text(v1_start);
  text += source.family == Family::ipv4 ? "TCP4" : "TCP6";
  for (const std::string& word :
       {source.ip_text(), destination.ip_text(), std::to_string(source.port), std::to_string(destination.port)}) {
    text += ' ';
    text += word;
  }
  text += "\r\n";
  return text;
}

// --- Version 2 -------------------------------------------------------------------------------------

unsigned byte_at(std::string_view text, size_t place) noexcept { return static_cast<uint8_t>(text[place]); }

unsigned number_at(std::string_view text, size_t place) noexcept {
  return byte_at(text, place) << 8 | byte_at(text, place + 1);
}

// Both addresses, then both ports.
ProxiedAddresses read_v2_addresses(std::string_view text, Family family) noexcept {
  const size_t size = ip_bytes(family);
  ProxiedAddresses addresses;
  for (SocketAddress* address : {&addresses.source, &addresses.destination}) {
    address->family = family;
    std::memcpy(address->ip.data(), text.data(), size);
    text.remove_prefix(size);
  }
  addresses.source.port = static_cast<uint16_t>(number_at(text, 0));
  addresses.destination.port = static_cast<uint16_t>(number_at(text, v2_port_bytes));
  return addresses;
}

ProxyHeader read_v2(std::string_view text) noexcept {
  if (text.size() < v2_fixed_bytes) return {};
  const unsigned version_and_command = byte_at(text, 12);
  const unsigned address_family = byte_at(text, 13) >> 4;
  const unsigned transport = byte_at(text, 13) & 0xf;
  const size_t rest_bytes = number_at(text, 14);
  const size_t size = v2_fixed_bytes + rest_bytes;
  if (version_and_command != v2_local && version_and_command != v2_proxy)
    return malformed("the PROXY header has an unknown version or command");
  if (size > limits::proxy_header_bytes_max) return malformed("the PROXY header is too long");
  if (version_and_command == v2_local) return complete(size);
  if ((address_family != v2_ipv4 && address_family != v2_ipv6) || (transport != v2_stream && transport != v2_datagram))
    return malformed("the PROXY header is of an unknown kind");

  const Family family = address_family == v2_ipv4 ? Family::ipv4 : Family::ipv6;
  const size_t addresses_bytes = 2 * (ip_bytes(family) + v2_port_bytes);
  if (rest_bytes < addresses_bytes) return malformed("the PROXY header is too short for its addresses");
  if (text.size() < v2_fixed_bytes + addresses_bytes) return {};
  return with_addresses(size, read_v2_addresses(text.substr(v2_fixed_bytes), family));
}

void append_number(std::string& text, size_t number) {
  text += static_cast<char>(number >> 8);
  text += static_cast<char>(number & 0xff);
}

std::string write_v2(const ProxiedAddresses& addresses) {
  const Family family = addresses.source.family;
  const bool is_known = have_common_family(addresses);
  std::string text(v2_start);
  text += static_cast<char>(is_known ? v2_proxy : v2_local);
  text += static_cast<char>(is_known ? (family == Family::ipv4 ? v2_ipv4 : v2_ipv6) << 4 | v2_stream : 0);
  append_number(text, is_known ? 2 * (ip_bytes(family) + v2_port_bytes) : 0);
  if (!is_known) return text;
  for (const SocketAddress* address : {&addresses.source, &addresses.destination})
    text.append(reinterpret_cast<const char*>(address->ip.data()), ip_bytes(family));
  append_number(text, addresses.source.port);
  append_number(text, addresses.destination.port);
  return text;
}

static_assert(v2_fixed_bytes + 2 * (16 + v2_port_bytes) <= proxy_header_first_bytes);
static_assert(proxy_header_first_bytes <= limits::proxy_header_bytes_max);

}  // namespace

ProxyHeader read_proxy_header(ConstBytes bytes) noexcept {
  const std::string_view text = as_text(bytes);
  if (text.starts_with(v1_start)) return read_v1(text);
  if (text.starts_with(v2_start)) return read_v2(text);
  if (v1_start.starts_with(text) || v2_start.starts_with(text)) return {};
  return malformed("there is no PROXY header");
}

std::string write_proxy_header(snapshot::ProxyProtocol version, const ProxiedAddresses& addresses) {
  CHECK(version != snapshot::ProxyProtocol::none);
  return version == snapshot::ProxyProtocol::v1 ? write_v1(addresses) : write_v2(addresses);
}

}  // namespace sluice::transport

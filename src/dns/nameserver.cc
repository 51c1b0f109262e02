#include "dns/nameserver.h"

#include "dns/address_lookup.h"
#include "dns/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

namespace sluice::dns {

namespace {

std::optional<uint16_t> read_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

Result<Nameserver> read_nameserver(std::string_view text) {
  Nameserver server;
  std::optional<std::string_view> port;
  const bool has_brackets = text.starts_with('[');
  if (has_brackets) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return failure("a bracket is not closed; write [ADDRESS]:PORT");
    server.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text[0] != ':') return failure("there is more behind the bracket; write [ADDRESS]:PORT");
    if (!text.empty()) port = text.substr(1);
  } else if (std::ranges::count(text, ':') == 1) {
    server.host = text.substr(0, text.find(':'));
    port = text.substr(server.host.size() + 1);
  } else {
    server.host = text;  // an IPv6 address has more colons
  }
  if (port) {
    const std::optional<uint16_t> number = read_port(*port);
    if (!number) return failure("its port is no number from 1 to 65535; write HOST:PORT, or HOST alone for port 53");
    server.port = *number;
  }
  const std::optional<SocketAddress> address = SocketAddress::from_ip(server.host, server.port);
  if (address && has_brackets == (address->family == SocketAddress::Family::ipv6)) return server;
  if (address && !has_brackets && !port) return server;  // an IPv6 address alone
  if (address || has_brackets || server.host.find(':') != std::string::npos) {
    return failure("it is no address; IPv6 addresses are in brackets, and only they: [2001:db8::1]:53");
  }
  if (const Result<std::string> name = to_wire_name(server.host); !name) {
    return failure("it is neither an IP address nor a host name: " + name.error().message +
                   "; write HOST or HOST:PORT");
  }
  return server;
}

std::string to_text(const Nameserver& server) {
  if (server.port == 53) return server.host;
  const bool is_ipv6 = server.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port);
}

Result<std::vector<SocketAddress>> addresses_of(const Nameserver& server, Duration time_max,
                                                const std::stop_token& stop) {
  if (const std::optional<SocketAddress> address = SocketAddress::from_ip(server.host, server.port)) {
    return std::vector{*address};
  }
  auto answers = look_up_addresses(std::span(&server.host, 1), "", time_max, [&stop] { return stop.stop_requested(); });
  const auto found = answers.find(server.host);
  if (found == answers.end()) return failure("it was given up, since the process ends");
  AddressAnswer& answer = found->second;
  if (!answer.error.empty()) {
    return failure(fmt::format("cannot look up the name server {}: {}; write its name correctly, or its address",
                               server.host, answer.error));
  }
  for (SocketAddress& address : answer.addresses) address.port = server.port;
  return std::move(answer.addresses);
}

}  // namespace sluice::dns

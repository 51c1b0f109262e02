#include "observe/address_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

namespace sluice::observe {

namespace {

char* write_number(unsigned value, int base, char* at) noexcept { return std::to_chars(at, at + 10, value, base).ptr; }

// "0." to "255.", each in four bytes: an address is four copies of fixed size.
struct Octet {
  std::array<char, 4> text{};
  uint8_t size = 0;  // the dot included
};

constexpr auto kOctets = [] {
  std::array<Octet, 256> octets{};
  for (unsigned i = 0; i < 256; ++i) {
    Octet& octet = octets[i];
    if (i >= 100) octet.text[octet.size++] = static_cast<char>('0' + i / 100);
    if (i >= 10) octet.text[octet.size++] = static_cast<char>('0' + i / 10 % 10);
    octet.text[octet.size++] = static_cast<char>('0' + i % 10);
    octet.text[octet.size++] = '.';
  }
  return octets;
}();

char* write_ipv4(const uint8_t* bytes, char* at) noexcept {
  for (int i = 0; i < 4; ++i) {
    const Octet& octet = kOctets[bytes[i]];
    std::memcpy(at, octet.text.data(), octet.text.size());
    at += octet.size;
  }
  return at - 1;  // without the last dot
}

struct Run {
  unsigned first = 8;
  unsigned count = 0;
};

// RFC 5952 4.2: "::" stands for the longest run of zero groups, the first of equal ones, never for one group.
Run longest_zero_run(const std::array<unsigned, 8>& groups) noexcept {
  Run longest;
  for (unsigned i = 0; i < 8; ++i) {
    unsigned end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i >= 2 && end - i > longest.count) longest = {.first = i, .count = end - i};
    if (end > i) i = end;
  }
  return longest;
}

char* write_ipv6(const std::array<uint8_t, 16>& ip, char* at) noexcept {
  std::array<unsigned, 8> groups;
  for (size_t i = 0; i < 8; ++i) groups[i] = ip[2 * i] * 256U + ip[2 * i + 1];
  const Run zeros = longest_zero_run(groups);
  // IPv4-mapped and IPv4-compatible addresses end in dotted form, as inet_ntop(3) writes them.
  const bool ends_in_ipv4 = zeros.first == 0 && (zeros.count == 6 || (zeros.count == 5 && groups[5] == 0xffff));
  for (unsigned i = 0; i < (ends_in_ipv4 ? 6U : 8U);) {
    if (i == zeros.first) {
      *at++ = ':';
      *at++ = ':';
      i += zeros.count;
      continue;
    }
    if (i > 0 && i != zeros.first + zeros.count) *at++ = ':';
    at = write_number(groups[i], 16, at);
    ++i;
  }
  if (!ends_in_ipv4) return at;
  if (zeros.count == 5) *at++ = ':';
  return write_ipv4(&ip[12], at);
}

}  // namespace

namespace {

char* write_unix(const SocketAddress& address, char* at) noexcept {
  at = std::ranges::copy(std::string_view("unix://"), at).out;
  return std::ranges::copy(address.unix_name(), at).out;
}

}  // namespace

char* write_ip(const SocketAddress& address, char* at) noexcept {
  if (!address.is_ip()) return write_unix(address, at);
  return address.family == SocketAddress::Family::ipv4 ? write_ipv4(address.ip.data(), at) : write_ipv6(address.ip, at);
}

char* write_address(const SocketAddress& address, char* at) noexcept {
  if (!address.is_ip()) return write_unix(address, at);
  const bool is_ipv6 = address.family == SocketAddress::Family::ipv6;
  if (is_ipv6) *at++ = '[';
  at = write_ip(address, at);
  if (is_ipv6) *at++ = ']';
  *at++ = ':';
  return write_number(address.port, 10, at);
}

}  // namespace sluice::observe

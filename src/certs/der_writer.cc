#include "certs/der_writer.h"

#include "base/check.h"
#include "tls/der.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <bit>

namespace sluice::certs::der {

std::string element(unsigned char tag, std::string_view content) {
  const size_t size = content.size();
  CHECK(size < 1U << 24);
  std::string text(1, static_cast<char>(tag));
  if (size < 0x80) {
    text += static_cast<char>(size);
  } else {  // the long form: how many bytes of length follow
    const int length_size = (static_cast<int>(std::bit_width(size)) + 7) / 8;
    text += static_cast<char>(0x80 | length_size);
    for (int i = length_size - 1; i >= 0; --i) text += static_cast<char>(size >> (8 * i));
  }
  return text.append(content);
}

std::string sequence(std::initializer_list<std::string_view> parts) {
  std::string content;
  for (const std::string_view part : parts) content += part;
  return element(tls::der::kSequence, content);
}

std::string integer(std::string_view big_endian) {
  while (big_endian.starts_with('\0')) big_endian.remove_prefix(1);
  std::string content(big_endian);
  // The first bit is the sign.
  if (content.empty() || (static_cast<unsigned char>(content.front()) & 0x80) != 0) content.insert(0, 1, '\0');
  return element(tls::der::kInteger, content);
}

std::string bit_string(std::string_view bytes) {
  return element(tls::der::kBitString, std::string(1, '\0').append(bytes));  // no unused bits
}

std::string named_bits(uint16_t bits) {
  const int count = 16 - std::countr_zero(bits);  // of no bits: countr_zero is 16
  std::string content;
  content += static_cast<char>((8 - count % 8) % 8);
  if (count > 0) content += static_cast<char>(bits >> 8);
  if (count > 8) content += static_cast<char>(bits);
  return element(tls::der::kBitString, content);
}

std::string octet_string(std::string_view bytes) { return element(tls::der::kOctetString, bytes); }
std::string object_identifier(std::string_view content) { return element(tls::der::kObjectIdentifier, content); }
std::string boolean_true() { return element(tls::der::kBoolean, "\xff"); }

std::string time(WallTime time) {
  const auto calendar =
      fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time)));
  const bool is_utc_time = calendar.tm_year + 1900 < 2050;
  return is_utc_time ? element(tls::der::kUtcTime, fmt::format("{:%y%m%d%H%M%SZ}", calendar))
                     : element(tls::der::kGeneralizedTime, fmt::format("{:%Y%m%d%H%M%SZ}", calendar));
}

}  // namespace sluice::certs::der

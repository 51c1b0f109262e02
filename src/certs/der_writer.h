// Writes DER (ITU-T X.690) from the inside out: an element is made of the text of what is in it. tls/der.h reads it.
#pragma once

#include "base/durations.h"

#include <initializer_list>
#include <string>
#include <string_view>

namespace sluice::certs::der {

// Tags beside those of tls/der.h: context-specific ones, [number].
[[nodiscard]] constexpr unsigned char implicit(unsigned char number) noexcept { return 0x80 | number; }
[[nodiscard]] constexpr unsigned char constructed(unsigned char number) noexcept { return 0xa0 | number; }

// Tag, length, content; at most 16 MiB.
[[nodiscard]] std::string element(unsigned char tag, std::string_view content);
[[nodiscard]] std::string sequence(std::initializer_list<std::string_view> parts);

// Not negative; `big_endian` may begin with zeros.
[[nodiscard]] std::string integer(std::string_view big_endian);
// Of whole bytes.
[[nodiscard]] std::string bit_string(std::string_view bytes);
// One whose bits have names (X.690 11.2.2): zeros at its end are left out. Bit 0 is the first of the 16.
[[nodiscard]] std::string named_bits(uint16_t bits);
[[nodiscard]] std::string octet_string(std::string_view bytes);
// `content` as in certs/object_identifiers.h.
[[nodiscard]] std::string object_identifier(std::string_view content);
[[nodiscard]] std::string boolean_true();
// RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on. In whole seconds.
[[nodiscard]] std::string time(WallTime time);

}  // namespace sluice::certs::der

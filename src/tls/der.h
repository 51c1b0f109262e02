// Reads DER (ITU-T X.690) element by element: definite lengths, tags below 31.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <optional>

namespace sluice::tls::der {

inline constexpr uint8_t kBoolean = 0x01;
inline constexpr uint8_t kInteger = 0x02;
inline constexpr uint8_t kBitString = 0x03;
inline constexpr uint8_t kOctetString = 0x04;
inline constexpr uint8_t kObjectIdentifier = 0x06;
inline constexpr uint8_t kEnumerated = 0x0a;
inline constexpr uint8_t kUtf8String = 0x0c;
inline constexpr uint8_t kNumericString = 0x12;
inline constexpr uint8_t kPrintableString = 0x13;
inline constexpr uint8_t kTeletexString = 0x14;
inline constexpr uint8_t kIa5String = 0x16;
inline constexpr uint8_t kUtcTime = 0x17;
inline constexpr uint8_t kGeneralizedTime = 0x18;
inline constexpr uint8_t kSequence = 0x30;
inline constexpr uint8_t kSet = 0x31;

struct Element {
  uint8_t tag = 0;
  ConstBytes content;
  ConstBytes whole;  // with tag and length
};

// The element at the front of `bytes`, which is dropped from it; nothing when it is not whole, and then
// `bytes` is as before.
[[nodiscard]] std::optional<Element> take(ConstBytes& bytes) noexcept;

}  // namespace sluice::tls::der

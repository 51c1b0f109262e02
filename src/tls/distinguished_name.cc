#include "tls/distinguished_name.h"

#include "tls/der.h"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace sluice::tls {
namespace {

struct KnownType {
  std::string_view oid;  // DER content
  std::string_view name;
};

using namespace std::string_view_literals;

// RFC 2253 2.3, and the ones that certificates use besides (RFC 4519, RFC 2985).
constexpr std::array kKnownTypes{
    KnownType{"\x55\x04\x03"sv, "CN"},
    KnownType{"\x55\x04\x04"sv, "SN"},
    KnownType{"\x55\x04\x05"sv, "serialNumber"},
    KnownType{"\x55\x04\x06"sv, "C"},
    KnownType{"\x55\x04\x07"sv, "L"},
    KnownType{"\x55\x04\x08"sv, "ST"},
    KnownType{"\x55\x04\x09"sv, "street"},
    KnownType{"\x55\x04\x0a"sv, "O"},
    KnownType{"\x55\x04\x0b"sv, "OU"},
    KnownType{"\x55\x04\x0c"sv, "title"},
    KnownType{"\x55\x04\x2a"sv, "GN"},
    KnownType{"\x55\x04\x2b"sv, "initials"},
    KnownType{"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"sv, "UID"},
    KnownType{"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"sv, "DC"},
    KnownType{"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"sv, "emailAddress"},
};

// "1.3.6.1.4.1.311": ITU-T X.690 8.19.
std::string dotted(ConstBytes oid) {
  std::string text;
  uint64_t arc = 0;
  bool is_first = true;
  for (const std::byte byte : oid) {
    arc = (arc << 7) | std::to_integer<uint64_t>(byte & std::byte{0x7f});
    if ((byte & std::byte{0x80}) != std::byte{0}) continue;
    if (is_first) {
      const uint64_t root = arc < 80 ? arc / 40 : 2;
      text = fmt::format("{}.{}", root, arc - root * 40);
    } else {
      text += fmt::format(".{}", arc);
    }
    is_first = false;
    arc = 0;
  }
  return text;
}

void append_hex(std::string& text, ConstBytes bytes) {
  for (const std::byte byte : bytes) text += fmt::format("{:02X}", std::to_integer<unsigned>(byte));
}

bool is_text(uint8_t tag) noexcept {
  return tag == der::kUtf8String || tag == der::kPrintableString || tag == der::kIa5String ||
         tag == der::kTeletexString || tag == der::kNumericString;
}

// RFC 2253 2.4
void append_escaped(std::string& text, std::string_view value) {
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool is_at_edge = i == 0 || i + 1 == value.size();
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      text += '\\';
      append_hex(text, as_bytes(value.substr(i, 1)));
    } else {
      if (",+\"\\<>;"sv.contains(c) || (c == ' ' && is_at_edge) || (c == '#' && i == 0)) text += '\\';
      text += c;
    }
  }
}

// AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY }
void append_attribute(std::string& text, ConstBytes attribute) {
  const auto type = der::take(attribute);
  const auto value = der::take(attribute);
  if (!type || !value || type->tag != der::kObjectIdentifier) return;
  if (!text.empty()) text += '+';
  std::string_view name;
  for (const KnownType& known : kKnownTypes) {
    if (known.oid == as_text(type->content)) name = known.name;
  }
  text += name.empty() ? dotted(type->content) : std::string(name);
  text += '=';
  if (name.empty() || !is_text(value->tag)) {
    text += '#';
    append_hex(text, value->whole);
  } else {
    append_escaped(text, as_text(value->content));
  }
}

}  // namespace

std::string to_rfc2253(ConstBytes rdn_sequence) {
  std::vector<std::string> names;
  while (const auto rdn = der::take(rdn_sequence)) {
    if (rdn->tag != der::kSet) break;
    std::string& name = names.emplace_back();
    ConstBytes attributes = rdn->content;
    while (const auto attribute = der::take(attributes)) {
      if (attribute->tag == der::kSequence) append_attribute(name, attribute->content);
    }
  }
  std::string text;
  for (size_t i = names.size(); i > 0; --i) {
    if (!text.empty()) text += ',';
    text += names[i - 1];
  }
  return text;
}

}  // namespace sluice::tls

#include "acme/certificate_fields.h"

#include "tls/der.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace sluice::acme {

namespace {

using namespace tls::der;

constexpr uint8_t kVersion = 0xa0;  // RFC 5280 4.1, explicit context tags
constexpr uint8_t kExtensions = 0xa3;
constexpr uint8_t kKeyIdentifier = 0x80;
constexpr std::array<uint8_t, 3> kCommonName = {0x55, 0x04, 0x03};    // 2.5.4.3
constexpr std::array<uint8_t, 3> kAuthorityKey = {0x55, 0x1d, 0x23};  // 2.5.29.35

bool is(const std::optional<Element>& element, uint8_t tag) noexcept { return element && element->tag == tag; }

bool is_object(const std::optional<Element>& element, std::span<const uint8_t> identifier) noexcept {
  return is(element, kObjectIdentifier) && std::ranges::equal(element->content, std::as_bytes(identifier));
}

// RFC 5280 4.1.2.4. The last one, should there be several: it is the nearest to the name itself.
std::string common_name(ConstBytes name) {
  std::string text;
  while (const auto set = take(name)) {
    ConstBytes attributes = set->content;
    while (const auto attribute = take(attributes)) {
      ConstBytes parts = attribute->content;
      if (!is_object(take(parts), kCommonName)) continue;
      if (const auto value = take(parts)) text = as_text(value->content);
    }
  }
  return text;
}

ConstBytes authority_key(ConstBytes extensions) {
  ConstBytes list = extensions;
  const auto sequence = take(list);
  if (!is(sequence, kSequence)) return {};
  list = sequence->content;
  while (const auto extension = take(list)) {
    ConstBytes parts = extension->content;
    if (!is_object(take(parts), kAuthorityKey)) continue;
    auto value = take(parts);
    if (is(value, kBoolean)) value = take(parts);  // critical
    if (!is(value, kOctetString)) return {};
    ConstBytes inside = value->content;
    const auto fields = take(inside);
    if (!is(fields, kSequence)) return {};
    ConstBytes rest = fields->content;
    const auto key = take(rest);
    return is(key, kKeyIdentifier) ? key->content : ConstBytes();
  }
  return {};
}

}  // namespace

std::optional<CertificateFields> read_certificate_fields(ConstBytes der) {
  const auto certificate = take(der);
  if (!is(certificate, kSequence) || !der.empty()) return std::nullopt;
  ConstBytes inside = certificate->content;
  const auto to_be_signed = take(inside);
  if (!is(to_be_signed, kSequence)) return std::nullopt;
  ConstBytes fields = to_be_signed->content;

  CertificateFields read;
  auto serial = take(fields);
  if (is(serial, kVersion)) serial = take(fields);
  const auto algorithm = take(fields);
  const auto issuer = take(fields);
  if (!is(serial, kInteger) || serial->content.empty() || !is(algorithm, kSequence) || !is(issuer, kSequence))
    return std::nullopt;
  read.serial = serial->content;
  read.issuer_common_name = common_name(issuer->content);
  while (const auto field = take(fields)) {
    if (field->tag == kExtensions) read.authority_key = authority_key(field->content);
  }
  return read;
}

}  // namespace sluice::acme

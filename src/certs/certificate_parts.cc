#include "certs/certificate_parts.h"

#include "base/limits.h"
#include "certs/der_writer.h"
#include "certs/object_identifiers.h"
#include "config/utf8.h"
#include "tls/der.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sluice::certs {

// --- Extensions ------------------------------------------------------------------------------------

std::optional<ConstBytes> find_extension(ConstBytes extensions, std::string_view identifier) noexcept {
  while (const auto extension = tls::der::take(extensions)) {
    ConstBytes parts = extension->content;
    const auto type = tls::der::take(parts);
    auto value = tls::der::take(parts);
    if (value && value->tag == tls::der::kBoolean) value = tls::der::take(parts);
    if (!type || !value || value->tag != tls::der::kOctetString) return std::nullopt;
    if (as_text(type->content) == identifier) return value->content;
  }
  return std::nullopt;
}

std::optional<ConstBytes> find_certificate_extension(ConstBytes certificate, std::string_view identifier) noexcept {
  const auto outer = tls::der::take(certificate);
  if (!outer) return std::nullopt;
  ConstBytes parts = outer->content;
  const auto tbs = tls::der::take(parts);
  if (!tbs) return std::nullopt;
  ConstBytes fields = tbs->content;
  while (const auto field = tls::der::take(fields)) {
    if (field->tag != der::constructed(3)) continue;
    ConstBytes inside = field->content;
    const auto extensions = tls::der::take(inside);
    return extensions ? find_extension(extensions->content, identifier) : std::nullopt;
  }
  return std::nullopt;
}

ConstBytes subject_key_identifier(ConstBytes certificate) noexcept {
  auto value = find_certificate_extension(certificate, oid::subject_key_identifier);
  if (!value) return {};
  const auto identifier = tls::der::take(*value);
  return identifier && identifier->tag == tls::der::kOctetString ? identifier->content : ConstBytes();
}

ConstBytes authority_key_identifier(ConstBytes certificate) noexcept {
  auto value = find_certificate_extension(certificate, oid::authority_key_identifier);
  if (!value) return {};
  const auto all = tls::der::take(*value);
  if (!all) return {};
  ConstBytes parts = all->content;
  const auto identifier = tls::der::take(parts);
  return identifier && identifier->tag == der::implicit(0) ? identifier->content : ConstBytes();
}

// --- Names -----------------------------------------------------------------------------------------

std::optional<std::string> wrong_with_common_name(std::string_view name) {
  if (const auto bad = config::find_bad_byte(name)) return std::string(bad->reason);
  if (name.find_first_of("\t\r\n") != std::string_view::npos) return "it has control characters";
  const auto characters = std::ranges::count_if(name, [](char c) { return (c & 0xc0) != 0x80; });
  if (static_cast<size_t>(characters) > limits::common_name_characters_max)
    return fmt::format("it has {} characters; {} are allowed: name the host in dnsNames only", characters,
                       limits::common_name_characters_max);
  return std::nullopt;
}

namespace {

// AttributeTypeAndValue ::= SEQUENCE { type, value }
struct Attribute {
  std::string_view type;
  tls::der::Element value;
};

template <typename Visit>
void visit_attributes(ConstBytes rdn, Visit visit) {
  while (const auto attribute = tls::der::take(rdn)) {
    ConstBytes parts = attribute->content;
    const auto type = tls::der::take(parts);
    const auto value = tls::der::take(parts);
    if (type && value) visit(Attribute{as_text(type->content), *value});
  }
}

}  // namespace

Result<std::string> read_common_name(ConstBytes rdn_sequence) {
  std::optional<tls::der::Element> found;
  while (const auto rdn = tls::der::take(rdn_sequence)) {
    visit_attributes(rdn->content, [&](const Attribute& attribute) {
      if (attribute.type == oid::common_name) found = attribute.value;
    });
  }
  if (!found) return std::string();
  if (found->tag != tls::der::kUtf8String && found->tag != tls::der::kPrintableString &&
      found->tag != tls::der::kIa5String && found->tag != tls::der::kTeletexString)
    return failure("is a string of another kind than UTF8String and PrintableString");
  const std::string_view name = as_text(found->content);
  if (const auto wrong = wrong_with_common_name(name)) return failure(fmt::format("cannot be used: {}", *wrong));
  return std::string(name);
}

std::string organisation_of(ConstBytes rdn_sequence) {
  constexpr std::array kCopied{oid::country,           oid::organization,   oid::organizational_unit, oid::locality,
                               oid::state_or_province, oid::street_address, oid::postal_code};
  std::string rdns;
  while (const auto rdn = tls::der::take(rdn_sequence)) {
    size_t count = 0, copied = 0;  // an RDN of several attributes is copied whole or not at all
    visit_attributes(rdn->content, [&](const Attribute& attribute) {
      ++count;
      if (std::ranges::find(kCopied, attribute.type) != kCopied.end()) ++copied;
    });
    if (count > 0 && copied == count) rdns += as_text(rdn->whole);
  }
  return rdns;
}

}  // namespace sluice::certs

#include "tls/revocation_lists.h"

#include "tls/decoded_certificate.h"
#include "tls/der.h"
#include "tls/distinguished_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace sluice::tls {
namespace {

constexpr uint8_t kExtensionsTag = 0xa0;  // [0] EXPLICIT

// The parts of CertificateList and TBSCertList (RFC 5280 5.1).
struct Parts {
  ConstBytes tbs;        // whole: what is signed
  ConstBytes algorithm;  // whole AlgorithmIdentifier
  ConstBytes signature;
  ConstBytes issuer;
  ConstBytes this_update;  // whole
  ConstBytes next_update;  // whole; empty: none
  ConstBytes entries;      // content of revokedCertificates; empty: none
  ConstBytes extensions;   // content of Extensions; empty: none
};

bool is_time(const std::optional<der::Element>& element) noexcept {
  return element && (element->tag == der::kUtcTime || element->tag == der::kGeneralizedTime);
}

bool read_tbs(ConstBytes fields, Parts& parts) noexcept {
  ConstBytes rest = fields;
  auto element = der::take(rest);
  if (element && element->tag == der::kInteger) element = der::take(rest);  // version
  const auto issuer = der::take(rest);
  const auto this_update = der::take(rest);
  if (!element || element->tag != der::kSequence || !issuer || !is_time(this_update)) return false;
  parts.issuer = issuer->content;
  parts.this_update = this_update->whole;
  element = der::take(rest);
  if (is_time(element)) {
    parts.next_update = element->whole;
    element = der::take(rest);
  }
  if (element && element->tag == der::kSequence) {
    parts.entries = element->content;
    element = der::take(rest);
  }
  if (element && element->tag == kExtensionsTag) {
    ConstBytes inside = element->content;
    const auto extensions = der::take(inside);
    if (!extensions || extensions->tag != der::kSequence || !inside.empty()) return false;
    parts.extensions = extensions->content;
    element = der::take(rest);
  }
  return !element && rest.empty();
}

std::optional<Parts> read_parts(ConstBytes der) noexcept {
  const auto outer = der::take(der);
  if (!outer || outer->tag != der::kSequence || !der.empty()) return std::nullopt;
  ConstBytes rest = outer->content;
  const auto tbs = der::take(rest);
  const auto algorithm = der::take(rest);
  const auto signature = der::take(rest);
  if (!tbs || tbs->tag != der::kSequence || !algorithm || algorithm->tag != der::kSequence || !signature ||
      signature->tag != der::kBitString || signature->content.size() < 2 || !rest.empty())
    return std::nullopt;
  Parts parts;
  parts.tbs = tbs->whole;
  parts.algorithm = algorithm->whole;
  parts.signature = signature->content.subspan(1);  // after the count of unused bits
  if (!read_tbs(tbs->content, parts)) return std::nullopt;
  return parts;
}

// Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue }. Of lists, every critical one
// narrows what the list says.
bool has_critical_extension(ConstBytes extensions) noexcept {
  while (const auto extension = der::take(extensions)) {
    ConstBytes rest = extension->content;
    const auto id = der::take(rest);
    const auto critical = der::take(rest);
    if (!id || !critical) return true;  // malformed
    if (critical->tag == der::kBoolean && !critical->content.empty() && critical->content[0] != std::byte{0})
      return true;
  }
  return !extensions.empty();
}

// 0, or wolfSSL's code.
int check_list_signature(const Parts& parts, const DecodedCertificate& issuer) {
  const auto* algorithm = reinterpret_cast<const byte*>(parts.algorithm.data());
  const auto algorithm_size = static_cast<word32>(parts.algorithm.size());
  word32 index = 0;
  word32 oid = 0;
  if (const int code = GetAlgoId(algorithm, &index, &oid, oidSigType, algorithm_size); code != 0) return code;
  // What follows the object identifier: RSA-PSS says there which hash it uses (RFC 8017 A.2.3).
  ConstBytes rest = parts.algorithm;
  rest = der::take(rest)->content;  // GetAlgoId() has just read it
  (void)der::take(rest);
  Signer signer = make_signer(issuer);
  SignatureCtx signature;
  const int code = VerifyCRL_Signature(
      &signature, reinterpret_cast<const byte*>(parts.tbs.data()), static_cast<word32>(parts.tbs.size()),
      reinterpret_cast<const byte*>(parts.signature.data()), static_cast<word32>(parts.signature.size()), oid,
      reinterpret_cast<const byte*>(rest.data()), static_cast<int>(rest.size()), &signer, nullptr);
  if (code != ASN_CRL_NO_SIGNER_E) FreeSignatureCtx(&signature);
  return code;
}

// Nothing: one of the CA certificates signed it.
Status check_issuer(const Parts& parts, const TrustStore& store) {
  int code = ASN_CRL_NO_SIGNER_E;
  for (const TrustStore::Certificate& candidate : store.with_subject(parts.issuer)) {
    const auto issuer = decode_certificate(candidate.der);
    code = issuer ? check_list_signature(parts, *issuer) : issuer.error();
    if (code == 0) return {};
  }
  const std::string name = to_rfc2253(parts.issuer);
  if (code == ASN_CRL_NO_SIGNER_E) {
    return failure(
        fmt::format("holds a CRL of '{}', which is none of the CA certificates or may not sign CRLs: add the "
                    "certificate of that CA to them",
                    name));
  }
  return failure(fmt::format("holds a CRL of '{}' whose signature is not good: {}", name, wc_GetErrorString(code)));
}

}  // namespace

// Offsets are those of INTEGERs that read() has seen.
ConstBytes RevocationLists::serial_at(const List& list, uint32_t offset) noexcept {
  ConstBytes bytes = ConstBytes(list.der).subspan(offset);
  const auto serial = der::take(bytes);
  return serial ? serial->content : ConstBytes();
}

Result<RevocationLists::List> RevocationLists::read(Der der, const TrustStore& store) {
  List list{.der = std::move(der), .next_update = WallTime::max()};
  const auto parts = read_parts(list.der);
  if (!parts) return failure("holds a CRL that cannot be parsed");
  list.issuer = parts->issuer;
  if (Status status = check_issuer(*parts, store); !status) return std::unexpected(status.error());
  const std::string name = to_rfc2253(parts->issuer);
  if (has_critical_extension(parts->extensions)) {
    return failure(
        fmt::format("holds a CRL of '{}' with a critical extension: only full lists of a CA can be used, no "
                    "delta CRLs and none for some certificates only",
                    name));
  }
  const auto this_update = read_der_time(parts->this_update);
  const auto next_update =
      parts->next_update.empty() ? std::expected<WallTime, int>(WallTime::max()) : read_der_time(parts->next_update);
  if (!this_update || !next_update) return failure(fmt::format("holds a CRL of '{}' without valid dates", name));
  list.this_update = *this_update;
  list.next_update = *next_update;

  ConstBytes entries = parts->entries;
  while (const auto entry = der::take(entries)) {
    ConstBytes fields = entry->content;
    const auto serial = der::take(fields);
    if (!serial || serial->tag != der::kInteger || list.der.size() > UINT32_MAX)
      return failure(fmt::format("holds a CRL of '{}' with an entry that cannot be parsed", name));
    list.serials.push_back(static_cast<uint32_t>(serial->whole.data() - list.der.data()));
  }
  if (!entries.empty()) return failure(fmt::format("holds a CRL of '{}' with an entry that cannot be parsed", name));
  std::ranges::sort(list.serials, {}, [&](uint32_t offset) { return as_text(serial_at(list, offset)); });
  return list;
}

Result<RevocationLists> RevocationLists::create(std::string_view pem, const TrustStore& store) {
  Result<std::vector<Der>> blocks = decode_pem(pem, kCrlLabel);
  if (!blocks) return std::unexpected(blocks.error());
  RevocationLists lists;
  for (Der& der : *blocks) {
    Result<List> list = read(std::move(der), store);
    if (!list) return std::unexpected(list.error());
    lists.lists_.push_back(std::move(*list));
  }
  return lists;
}

bool RevocationLists::lists(const List& list, ConstBytes serial) noexcept {
  return std::ranges::binary_search(list.serials, as_text(serial), {},
                                    [&](uint32_t offset) { return as_text(serial_at(list, offset)); });
}

Revocation RevocationLists::check(ConstBytes issuer, ConstBytes serial, WallTime now) const noexcept {
  Revocation result = Revocation::no_list;
  for (const List& list : lists_) {
    if (!std::ranges::equal(list.issuer, issuer)) continue;
    // What an old list says remains true; only what it does not say may have changed.
    if (lists(list, serial)) return Revocation::revoked;
    const bool is_current = list.this_update <= now && now <= list.next_update;
    if (is_current) {
      result = Revocation::good;
    } else if (result == Revocation::no_list) {
      result = Revocation::out_of_date;
    }
  }
  return result;
}

}  // namespace sluice::tls

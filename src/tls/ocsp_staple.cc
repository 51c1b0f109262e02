#include "tls/ocsp_staple.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "tls/decoded_certificate.h"
#include "tls/der.h"
#include "tls/pem.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>

namespace sluice::tls {

namespace {

// ASN.1 of RFC 6960 4.2.1 and appendix B; implicit and explicit tags.
constexpr uint8_t kStatusGood = 0x80;
constexpr uint8_t kExplicit0 = 0xa0;
constexpr uint8_t kStatusRevoked = 0xa1;
constexpr Duration kClockSkewMax = std::chrono::minutes(5);

// The content of the element at the front of `bytes`, which is dropped from it; nothing, and nothing dropped,
// when it has another tag or is not whole.
std::optional<ConstBytes> take(ConstBytes& bytes, uint8_t tag) noexcept {
  ConstBytes rest = bytes;
  const auto element = der::take(rest);
  if (!element || element->tag != tag) return std::nullopt;
  bytes = rest;
  return element->content;
}

// The same, in a chain of calls; empty is as good as nothing.
ConstBytes take_or_empty(ConstBytes& bytes, uint8_t tag) noexcept { return take(bytes, tag).value_or(ConstBytes()); }
ConstBytes inside(ConstBytes bytes, uint8_t tag) noexcept { return take_or_empty(bytes, tag); }

// The GeneralizedTime at the front of `bytes`, which is dropped from it (RFC 6960 4.2.2.1).
std::optional<WallTime> take_time(ConstBytes& bytes) noexcept {
  const auto element = der::take(bytes);
  if (!element || element->tag != der::kGeneralizedTime) return std::nullopt;
  const auto time = read_der_time(element->whole);
  return time ? std::optional(*time) : std::nullopt;
}

ConstBytes without_leading_zeros(ConstBytes integer) noexcept {
  while (integer.size() > 1 && integer.front() == std::byte{0}) integer = integer.subspan(1);
  return integer;
}

// CertID. A hash of another kind than SHA-1 is not compared: the serial number will do.
bool is_for(ConstBytes id, const DecodedCertificate& leaf) noexcept {
  (void)take(id, der::kSequence);  // hashAlgorithm
  const ConstBytes issuer_name_hash = take_or_empty(id, der::kOctetString);
  (void)take(id, der::kOctetString);  // issuerKeyHash
  const ConstBytes serial = without_leading_zeros(take_or_empty(id, der::kInteger));
  const ConstBytes leaf_issuer_hash = std::as_bytes(std::span(leaf.wolfssl->issuerHash));
  return std::ranges::equal(serial, without_leading_zeros(leaf.serial)) &&
         (issuer_name_hash.size() != leaf_issuer_hash.size() || std::ranges::equal(issuer_name_hash, leaf_issuer_hash));
}

// SingleResponse, behind its CertID: until when it is good.
Result<WallTime> check_status(ConstBytes single, WallTime now) {
  if (single.empty()) return failure("has no status of the certificate");
  const auto status = std::to_integer<uint8_t>(single.front());
  if (status == kStatusRevoked) return failure("says that the certificate is revoked");
  if (status != kStatusGood || !take(single, kStatusGood)) return failure("does not say that the certificate is good");
  const std::optional<WallTime> this_update = take_time(single);
  if (!this_update) return failure("has no readable thisUpdate");
  if (*this_update > now + kClockSkewMax) return failure("is not valid yet");
  std::optional<ConstBytes> next = take(single, kExplicit0);
  if (!next) return WallTime::max();
  const std::optional<WallTime> next_update = take_time(*next);
  if (!next_update) return failure("has no readable nextUpdate");
  if (*next_update <= now) return failure("has expired: fetch a new one from the CA's OCSP responder");
  return *next_update;
}

Result<WallTime> check(ConstBytes der, const DecodedCertificate& leaf, WallTime now) {
  ConstBytes rest = der;
  ConstBytes response = take_or_empty(rest, der::kSequence);
  const ConstBytes status = take_or_empty(response, der::kEnumerated);
  if (!rest.empty() || status.size() != 1) return failure("is not an OCSP response in DER (RFC 6960 4.2.1)");
  if (status.front() != std::byte{0}) {
    return failure(
        fmt::format("is the responder's error {} instead of a status", std::to_integer<unsigned>(status.front())));
  }
  ConstBytes bytes = inside(inside(response, kExplicit0), der::kSequence);
  (void)take(bytes, der::kObjectIdentifier);  // id-pkix-ocsp-basic, the only one there is
  ConstBytes data = inside(inside(inside(bytes, der::kOctetString), der::kSequence), der::kSequence);  // ResponseData
  (void)take(data, kExplicit0);                                                                        // version
  // ResponderID: by name, or by the hash of its key.
  if (!take(data, 0xa1) && !take(data, 0xa2)) return failure("is not a basic OCSP response (RFC 6960 4.2.1)");
  (void)take(data, der::kGeneralizedTime);  // producedAt
  ConstBytes singles = take_or_empty(data, der::kSequence);
  while (std::optional<ConstBytes> single = take(singles, der::kSequence)) {
    const ConstBytes id = take_or_empty(*single, der::kSequence);
    if (is_for(id, leaf)) return check_status(*single, now);
  }
  return failure("is for another certificate");
}

}  // namespace

Result<OcspStaple> read_ocsp_staple(const snapshot::KeyPair& pair, WallTime now) {
  const auto refuse = [&pair](std::string_view what) {
    return failure(fmt::format("{}: tls.ocsp-staple {}; the certificate is served without it", pair.secret_name, what));
  };
  if (pair.ocsp_staple.size() > limits::ocsp_staple_bytes_max)
    return refuse(fmt::format("has {} bytes, more than {}", pair.ocsp_staple.size(), limits::ocsp_staple_bytes_max));
  const auto chain = decode_pem(pair.chain_pem, kCertificateLabel);
  if (!chain) return refuse("cannot be compared with the certificate, which cannot be parsed");
  const auto leaf = decode_certificate(chain->front());
  if (!leaf) return refuse("cannot be compared with the certificate, which cannot be parsed");
  const Result<WallTime> good_until = check(as_bytes(pair.ocsp_staple), *leaf, now);
  if (!good_until) return refuse(good_until.error().message);
  return OcspStaple{pair.ocsp_staple, *good_until};
}

}  // namespace sluice::tls

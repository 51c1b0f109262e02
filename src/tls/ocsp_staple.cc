#include "tls/ocsp_staple.h"

#include "base/bytes.h"
#include "base/limits.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

namespace sluice::tls {

namespace {

// ASN.1 of RFC 6960 4.2.1 and appendix B; implicit and explicit tags.
constexpr uint8_t kInteger = 0x02;
constexpr uint8_t kOctetString = 0x04;
constexpr uint8_t kObjectIdentifier = 0x06;
constexpr uint8_t kEnumerated = 0x0a;
constexpr uint8_t kGeneralizedTime = 0x18;
constexpr uint8_t kSequence = 0x30;
constexpr uint8_t kStatusGood = 0x80;
constexpr uint8_t kExplicit0 = 0xa0;
constexpr uint8_t kStatusRevoked = 0xa1;
constexpr size_t kSha1Bytes = 20;
constexpr Duration kClockSkewMax = std::chrono::minutes(5);

// The content of the element at the front of `bytes`, which is dropped from it; nothing, and nothing dropped,
// when it has another tag or is not whole.
std::optional<ConstBytes> take(ConstBytes& bytes, uint8_t tag) noexcept {
  if (bytes.size() < 2 || std::to_integer<uint8_t>(bytes[0]) != tag) return std::nullopt;
  size_t header_size = 2;
  auto size = std::to_integer<size_t>(bytes[1]);
  if (size >= 0x80) {  // the long form: so many bytes of length follow
    const size_t length_size = size & 0x7f;
    if (length_size == 0 || length_size > 3 || bytes.size() < 2 + length_size) return std::nullopt;
    size = 0;
    for (size_t i = 0; i < length_size; ++i) size = size << 8 | std::to_integer<size_t>(bytes[2 + i]);
    header_size += length_size;
  }
  if (size > bytes.size() - header_size) return std::nullopt;
  const ConstBytes content = bytes.subspan(header_size, size);
  bytes = bytes.subspan(header_size + size);
  return content;
}

// The same, in a chain of calls; empty is as good as nothing.
ConstBytes take_or_empty(ConstBytes& bytes, uint8_t tag) noexcept { return take(bytes, tag).value_or(ConstBytes()); }
ConstBytes inside(ConstBytes bytes, uint8_t tag) noexcept { return take_or_empty(bytes, tag); }

// "20261125101504Z": RFC 5280 4.1.2.5.2, as RFC 6960 4.2.2.1 wants it.
std::optional<WallTime> to_time(ConstBytes content) {
  const std::string_view text = as_text(content);
  if (text.size() != 15 || text.back() != 'Z') return std::nullopt;
  if (!std::ranges::all_of(text.substr(0, 14), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  const auto number = [text](size_t start, size_t size) {
    unsigned value = 0;
    for (const char c : text.substr(start, size)) value = value * 10 + static_cast<unsigned>(c - '0');
    return value;
  };
  using namespace std::chrono;
  const year_month_day day{year(static_cast<int>(number(0, 4))), month(number(4, 2)), std::chrono::day(number(6, 2))};
  // Beyond 2200 nanoseconds do not reach.
  if (!day.ok() || number(0, 4) < 1970 || number(0, 4) > 2200) return std::nullopt;
  return WallTime(sys_days(day)) + hours(number(8, 2)) + minutes(number(10, 2)) + seconds(number(12, 2));
}

ConstBytes without_leading_zeros(ConstBytes integer) noexcept {
  while (integer.size() > 1 && integer.front() == std::byte{0}) integer = integer.subspan(1);
  return integer;
}

struct LeafIdentity {
  std::vector<std::byte> serial;
  std::vector<std::byte> issuer_name_sha1;
};

std::optional<LeafIdentity> identity_of_leaf(const std::string& chain_pem) {
  std::vector<unsigned char> der(chain_pem.size());
  const int size =
      wc_CertPemToDer(reinterpret_cast<const unsigned char*>(chain_pem.data()), static_cast<int>(chain_pem.size()),
                      der.data(), static_cast<int>(der.size()), CERT_TYPE);
  if (size <= 0) return std::nullopt;
  const auto certificate = std::make_unique<DecodedCert>();  // large
  wc_InitDecodedCert(certificate.get(), der.data(), static_cast<unsigned>(size), nullptr);
  std::optional<LeafIdentity> identity;
  if (wc_ParseCert(certificate.get(), CERT_TYPE, NO_VERIFY, nullptr) == 0) {
    const auto* serial = reinterpret_cast<const std::byte*>(certificate->serial);
    const auto* issuer = reinterpret_cast<const std::byte*>(certificate->issuerHash);
    identity.emplace(std::vector(serial, serial + certificate->serialSz), std::vector(issuer, issuer + kSha1Bytes));
  }
  wc_FreeDecodedCert(certificate.get());
  return identity;
}

// CertID. A hash of another kind than SHA-1 is not compared: the serial number will do.
bool is_for(ConstBytes id, const LeafIdentity& leaf) noexcept {
  (void)take(id, kSequence);  // hashAlgorithm
  const ConstBytes issuer_name_hash = take_or_empty(id, kOctetString);
  (void)take(id, kOctetString);  // issuerKeyHash
  const ConstBytes serial = without_leading_zeros(take_or_empty(id, kInteger));
  return std::ranges::equal(serial, without_leading_zeros(leaf.serial)) &&
         (issuer_name_hash.size() != kSha1Bytes || std::ranges::equal(issuer_name_hash, leaf.issuer_name_sha1));
}

// SingleResponse, behind its CertID: until when it is good.
Result<WallTime> check_status(ConstBytes single, WallTime now) {
  if (single.empty()) return failure("has no status of the certificate");
  const auto status = std::to_integer<uint8_t>(single.front());
  if (status == kStatusRevoked) return failure("says that the certificate is revoked");
  if (status != kStatusGood || !take(single, kStatusGood)) return failure("does not say that the certificate is good");
  const std::optional<WallTime> this_update = to_time(take_or_empty(single, kGeneralizedTime));
  if (!this_update) return failure("has no readable thisUpdate");
  if (*this_update > now + kClockSkewMax) return failure("is not valid yet");
  const std::optional<ConstBytes> next = take(single, kExplicit0);
  if (!next) return WallTime::max();
  const std::optional<WallTime> next_update = to_time(inside(*next, kGeneralizedTime));
  if (!next_update) return failure("has no readable nextUpdate");
  if (*next_update <= now) return failure("has expired: fetch a new one from the CA's OCSP responder");
  return *next_update;
}

Result<WallTime> check(ConstBytes der, const LeafIdentity& leaf, WallTime now) {
  ConstBytes rest = der;
  ConstBytes response = take_or_empty(rest, kSequence);
  const ConstBytes status = take_or_empty(response, kEnumerated);
  if (!rest.empty() || status.size() != 1) return failure("is not an OCSP response in DER (RFC 6960 4.2.1)");
  if (status.front() != std::byte{0}) {
    return failure(
        fmt::format("is the responder's error {} instead of a status", std::to_integer<unsigned>(status.front())));
  }
  ConstBytes bytes = inside(inside(response, kExplicit0), kSequence);
  (void)take(bytes, kObjectIdentifier);  // id-pkix-ocsp-basic, the only one there is
  ConstBytes data = inside(inside(inside(bytes, kOctetString), kSequence), kSequence);  // ResponseData
  (void)take(data, kExplicit0);                                                         // version
  // ResponderID: by name, or by the hash of its key.
  if (!take(data, 0xa1) && !take(data, 0xa2)) return failure("is not a basic OCSP response (RFC 6960 4.2.1)");
  (void)take(data, kGeneralizedTime);  // producedAt
  ConstBytes singles = take_or_empty(data, kSequence);
  while (std::optional<ConstBytes> single = take(singles, kSequence)) {
    const ConstBytes id = take_or_empty(*single, kSequence);
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
  const std::optional<LeafIdentity> leaf = identity_of_leaf(pair.chain_pem);
  if (!leaf) return refuse("cannot be compared with tls.crt, which cannot be parsed");
  const Result<WallTime> good_until = check(as_bytes(pair.ocsp_staple), *leaf, now);
  if (!good_until) return refuse(good_until.error().message);
  return OcspStaple{pair.ocsp_staple, *good_until};
}

}  // namespace sluice::tls

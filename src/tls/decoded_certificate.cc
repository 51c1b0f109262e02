#include "tls/decoded_certificate.h"

#include "tls/der.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>

namespace sluice::tls {
namespace {

constexpr uint8_t kVersionTag = 0xa0;  // [0] EXPLICIT

std::optional<int> digits(std::string_view text) noexcept {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// Certificate (RFC 5280 4.1): TBSCertificate, signature algorithm, signature; TBSCertificate: version, serial number,
// signature, issuer, validity, subject, public key.
bool read_fields(DecodedCertificate& certificate) noexcept {
  ConstBytes bytes = certificate.der;
  const auto outer = der::take(bytes);
  if (!outer || outer->tag != der::kSequence || !bytes.empty()) return false;
  ConstBytes inside = outer->content;
  const auto tbs = der::take(inside);
  const auto algorithm = der::take(inside);
  const auto signature_value = der::take(inside);
  if (!tbs || tbs->tag != der::kSequence || !algorithm || !signature_value || signature_value->tag != der::kBitString ||
      !inside.empty())
    return false;
  ConstBytes fields = tbs->content;
  auto serial = der::take(fields);
  if (serial && serial->tag == kVersionTag) serial = der::take(fields);
  const auto signature = der::take(fields);
  const auto issuer = der::take(fields);
  const auto validity = der::take(fields);
  const auto subject = der::take(fields);
  const auto public_key = der::take(fields);
  if (!serial || serial->tag != der::kInteger || !signature || !issuer || !validity || !subject || !public_key)
    return false;
  // What is not signed must repeat what is (RFC 5280 4.1.1.2): a certificate has one fingerprint.
  if (!std::ranges::equal(algorithm->whole, signature->whole)) return false;
  certificate.serial = serial->content;
  certificate.issuer = issuer->content;
  certificate.subject = subject->content;
  certificate.public_key = public_key->whole;
  ConstBytes dates = validity->content;
  const auto not_before = der::take(dates);
  const auto not_after = der::take(dates);
  if (!not_before || !not_after) return false;
  const auto start = read_der_time(not_before->whole);
  const auto end = read_der_time(not_after->whole);
  if (!start || !end) return false;
  certificate.not_before = *start;
  certificate.not_after = *end;
  return true;
}

std::unique_ptr<DecodedCert, FreeDecodedCert> new_decoded(ConstBytes der) {
  std::unique_ptr<DecodedCert, FreeDecodedCert> decoded(new DecodedCert);
  wc_InitDecodedCert(decoded.get(), reinterpret_cast<const unsigned char*>(der.data()),
                     static_cast<unsigned>(der.size()), nullptr);
  return decoded;
}

}  // namespace

std::expected<WallTime, int> read_der_time(ConstBytes encoded) noexcept {
  const auto element = der::take(encoded);
  if (!element) return std::unexpected(ASN_PARSE_E);
  const std::string_view text = as_text(element->content);
  // YYMMDDHHMMSSZ, years from 1950 to 2049, or YYYYMMDDHHMMSSZ.
  const size_t year_size = element->tag == der::kGeneralizedTime ? 4 : 2;
  if ((element->tag != der::kUtcTime && element->tag != der::kGeneralizedTime) || text.size() != year_size + 11 ||
      text.back() != 'Z')
    return std::unexpected(ASN_PARSE_E);
  std::optional<int> year = digits(text.substr(0, year_size));
  if (year && year_size == 2) *year += *year < 50 ? 2000 : 1900;
  std::array<int, 5> rest{};  // month, day, hour, minute, second
  for (size_t i = 0; i < rest.size(); ++i) {
    const auto value = digits(text.substr(year_size + 2 * i, 2));
    if (!value) return std::unexpected(ASN_PARSE_E);
    rest[i] = *value;
  }
  if (!year) return std::unexpected(ASN_PARSE_E);
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(rest[0])),
                                         std::chrono::day(static_cast<unsigned>(rest[1]))};
  if (!date.ok() || rest[2] > 23 || rest[3] > 59 || rest[4] > 60) return std::unexpected(ASN_PARSE_E);
  // 64 bits of nanoseconds end in 2262; later dates (9999 means "no end", RFC 5280 4.1.2.5) end there.
  constexpr std::chrono::year last_year{2261};
  if (date.year() > last_year) return WallTime(std::chrono::sys_days(last_year / 12 / 31));
  if (date.year() < std::chrono::year(1700)) return WallTime(std::chrono::sys_days(std::chrono::year(1700) / 1 / 1));
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(rest[2]) + std::chrono::minutes(rest[3]) +
         std::chrono::seconds(rest[4]);
}

bool DecodedCertificate::is_self_issued() const noexcept { return std::ranges::equal(issuer, subject); }

std::expected<DecodedCertificate, int> decode_certificate(ConstBytes der) {
  DecodedCertificate certificate{.der = der};
  if (der.empty() || !read_fields(certificate)) return std::unexpected(ASN_PARSE_E);
  certificate.wolfssl = new_decoded(der);
  if (const int code = wc_ParseCert(certificate.wolfssl.get(), CERT_TYPE, NO_VERIFY, nullptr); code != 0)
    return std::unexpected(code);
  return certificate;
}

// The members that wolfSSL reads when it checks what this one issued, as its FillSigner() sets them.
Signer make_signer(const DecodedCertificate& certificate) {
  const DecodedCert& decoded = *certificate.wolfssl;
  Signer signer;
  std::memset(&signer, 0, sizeof signer);
  signer.publicKey = decoded.publicKey;
  signer.pubKeySize = decoded.pubKeySize;
  signer.keyOID = decoded.keyOID;
  signer.keyUsage = decoded.extKeyUsageSet ? decoded.extKeyUsage : 0xffff;
  signer.maxPathLen = WOLFSSL_MAX_PATH_LEN;
  signer.permittedNames = decoded.permittedNames;
  signer.excludedNames = decoded.excludedNames;
  static_assert(sizeof signer.subjectNameHash == sizeof decoded.subjectHash);
  std::memcpy(signer.subjectNameHash, decoded.subjectHash, sizeof signer.subjectNameHash);
  return signer;
}

int check_signature(const DecodedCertificate& certificate, const DecodedCertificate& issuer) {
  Signer signer = make_signer(issuer);
  const auto decoded = new_decoded(certificate.der);
  return ParseCertRelative(decoded.get(), CERT_TYPE, VERIFY_SKIP_DATE, nullptr, &signer);
}

bool allows_names(const DecodedCertificate& ancestor, const DecodedCertificate& certificate) {
  if (ancestor.wolfssl->permittedNames == nullptr && ancestor.wolfssl->excludedNames == nullptr) return true;
  // wolfSSL compares with the names of a direct issuer only: for the time of the question it is one.
  Signer signer = make_signer(ancestor);
  std::memcpy(signer.subjectNameHash, certificate.wolfssl->issuerHash, sizeof signer.subjectNameHash);
  const auto decoded = new_decoded(certificate.der);
  return ParseCertRelative(decoded.get(), CERT_TYPE, VERIFY_NAME, nullptr, &signer) != ASN_NAME_INVALID_E;
}

}  // namespace sluice::tls

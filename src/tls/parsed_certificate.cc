#include "tls/parsed_certificate.h"

#include "base/address.h"
#include "base/bytes.h"
#include "tls/der.h"
#include "tls/distinguished_name.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>

namespace sluice::tls {
namespace {

std::string hex(ConstBytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

ConstBytes bytes_at(const void* data, int size) noexcept {
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const std::byte*>(data), static_cast<size_t>(size)};
}

// What goes to logs and JSON: a name that is no ASCII text is shown with the offending bytes escaped.
std::string printable(ConstBytes name) {
  std::string text;
  for (const std::byte byte : name) {
    const auto c = std::to_integer<unsigned char>(byte);
    if (c > 0x20 && c < 0x7f) {
      text += static_cast<char>(c);
    } else {
      text += fmt::format("\\x{:02x}", c);
    }
  }
  return text;
}

// --- Dates -----------------------------------------------------------------------------------------

std::optional<int> digits(std::string_view text) noexcept {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// RFC 5280 4.1.2.5: YYMMDDHHMMSSZ, years from 1950 to 2049, or YYYYMMDDHHMMSSZ.
std::optional<WallTime> read_time(ConstBytes encoded) noexcept {
  const auto element = der::take(encoded);
  if (!element) return std::nullopt;
  const std::string_view text = as_text(element->content);
  const size_t year_size = element->tag == der::kGeneralizedTime ? 4 : 2;
  if ((element->tag != der::kUtcTime && element->tag != der::kGeneralizedTime) || text.size() != year_size + 11 ||
      text.back() != 'Z')
    return std::nullopt;
  std::optional<int> year = digits(text.substr(0, year_size));
  if (year && year_size == 2) *year += *year < 50 ? 2000 : 1900;
  std::array<int, 5> rest{};  // month, day, hour, minute, second
  for (size_t i = 0; i < rest.size(); ++i) {
    const auto value = digits(text.substr(year_size + 2 * i, 2));
    if (!value) return std::nullopt;
    rest[i] = *value;
  }
  if (!year) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(rest[0])),
                                         std::chrono::day(static_cast<unsigned>(rest[1]))};
  if (!date.ok() || rest[2] > 23 || rest[3] > 59 || rest[4] > 60) return std::nullopt;
  // 64 bits of nanoseconds end in 2262; later dates (9999 means "no end", RFC 5280 4.1.2.5) end there.
  constexpr std::chrono::year last_year{2261};
  if (date.year() > last_year) return WallTime(std::chrono::sys_days(last_year / 12 / 31));
  if (date.year() < std::chrono::year(1700)) return WallTime(std::chrono::sys_days(std::chrono::year(1700) / 1 / 1));
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(rest[2]) + std::chrono::minutes(rest[3]) +
         std::chrono::seconds(rest[4]);
}

// --- Key and names ---------------------------------------------------------------------------------

std::string rsa_type(const DecodedCert& certificate) {
  RsaKey key;
  if (wc_InitRsaKey(&key, nullptr) != 0) return "RSA";
  unsigned index = 0;
  const bool ok = wc_RsaPublicKeyDecode(certificate.publicKey, &index, &key, certificate.pubKeySize) == 0;
  const int size = ok ? wc_RsaEncryptSize(&key) : 0;
  wc_FreeRsaKey(&key);
  return size > 0 ? fmt::format("RSA-{}", size * 8) : "RSA";
}

std::string ecdsa_type(const DecodedCert& certificate) {
  switch (certificate.pkCurveOID) {
    case ECC_SECP256R1_OID: return "ECDSA-P256";
    case ECC_SECP384R1_OID: return "ECDSA-P384";
    case ECC_SECP521R1_OID: return "ECDSA-P521";
    default: return "ECDSA";
  }
}

void read_key(const DecodedCert& certificate, ParsedCertificate& parsed) {
  switch (certificate.keyOID) {
    case RSAk:
      parsed.key_algorithm = KeyAlgorithm::rsa;
      parsed.key_type = rsa_type(certificate);
      break;
    case ECDSAk:
      parsed.key_algorithm = KeyAlgorithm::ecdsa;
      parsed.key_type = ecdsa_type(certificate);
      break;
    case ED25519k: parsed.key_type = "Ed25519"; break;
    case RSAPSSk: parsed.key_type = "RSA-PSS"; break;
    default: parsed.key_type = "unknown"; break;
  }
}

// 4 or 16 bytes in network order; empty when it is neither.
std::string ip_text(ConstBytes bytes) {
  SocketAddress address;
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  address.family = bytes.size() == 4 ? SocketAddress::Family::ipv4 : SocketAddress::Family::ipv6;
  std::memcpy(address.ip.data(), bytes.data(), bytes.size());
  return address.ip_text();
}

void read_alternative_names(const DecodedCert& certificate, ParsedCertificate& parsed) {
  for (const DNS_entry* entry = certificate.altNames; entry != nullptr; entry = entry->next) {
    switch (entry->type) {
      case ASN_DNS_TYPE: parsed.dns_names.push_back(printable(bytes_at(entry->name, entry->len))); break;
      case ASN_URI_TYPE: parsed.uris.push_back(printable(bytes_at(entry->name, entry->len))); break;
      case ASN_IP_TYPE:
        if (auto address = ip_text(bytes_at(entry->name, entry->len)); !address.empty())
          parsed.ip_addresses.push_back(std::move(address));
        break;
      default: break;  // e-mail addresses and directory names identify no server
    }
  }
  // wolfSSL's list begins with the last one.
  std::ranges::reverse(parsed.dns_names);
  std::ranges::reverse(parsed.uris);
  std::ranges::reverse(parsed.ip_addresses);
}

struct FreeDecoded {
  void operator()(DecodedCert* certificate) const noexcept {
    wc_FreeDecodedCert(certificate);
    delete certificate;
  }
};

}  // namespace

Result<ParsedCertificate> parse_first_certificate(std::string_view chain_pem) {
  if (!chain_pem.contains("-----BEGIN CERTIFICATE-----"))
    return failure("holds no PEM certificate ('-----BEGIN CERTIFICATE-----')");
  std::vector<unsigned char> der(chain_pem.size());
  const int der_size =
      wc_CertPemToDer(reinterpret_cast<const unsigned char*>(chain_pem.data()), static_cast<int>(chain_pem.size()),
                      der.data(), static_cast<int>(der.size()), CERT_TYPE);
  if (der_size <= 0)
    return failure(fmt::format("holds a PEM certificate that cannot be decoded: {}", wc_GetErrorString(der_size)));

  const std::unique_ptr<DecodedCert, FreeDecoded> certificate(new DecodedCert);
  wc_InitDecodedCert(certificate.get(), der.data(), static_cast<unsigned>(der_size), nullptr);
  if (const int code = wc_ParseCert(certificate.get(), CERT_TYPE, NO_VERIFY, nullptr); code != 0) {
    return failure(fmt::format("holds a certificate that cannot be parsed: {}", wc_GetErrorString(code)));
  }
  const auto not_before = read_time(bytes_at(certificate->beforeDate, certificate->beforeDateLen));
  const auto not_after = read_time(bytes_at(certificate->afterDate, certificate->afterDateLen));
  if (!not_before || !not_after) return failure("holds a certificate without valid dates");

  ParsedCertificate parsed;
  parsed.subject = to_rfc2253(bytes_at(certificate->subjectRaw, certificate->subjectRawLen));
  parsed.issuer = to_rfc2253(bytes_at(certificate->issuerRaw, certificate->issuerRawLen));
  parsed.serial = hex(bytes_at(certificate->serial, certificate->serialSz));
  read_alternative_names(*certificate, parsed);
  read_key(*certificate, parsed);
  parsed.not_before = *not_before;
  parsed.not_after = *not_after;
  std::array<unsigned char, WC_SHA256_DIGEST_SIZE> digest;
  if (wc_Sha256Hash(der.data(), static_cast<unsigned>(der_size), digest.data()) != 0)
    return failure("holds a certificate whose fingerprint cannot be computed");
  parsed.fingerprint_sha256 = hex(bytes_at(digest.data(), digest.size()));
  return parsed;
}

std::string to_rfc3339(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time))));
}

}  // namespace sluice::tls

#include "tls/parsed_certificate.h"

#include "base/address.h"
#include "base/check.h"
#include "tls/decoded_certificate.h"
#include "tls/distinguished_name.h"
#include "tls/pem.h"

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/sha.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

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

std::string sha1_hex(ConstBytes bytes) {
  std::array<std::byte, WC_SHA_DIGEST_SIZE> digest{};
  const bool ok = wc_ShaHash(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size()),
                             reinterpret_cast<unsigned char*>(digest.data())) == 0;
  return ok ? hex(digest) : std::string();
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
      default: break;  // directory names are not looked at
    }
  }
  for (const DNS_entry* entry = certificate.altEmailNames; entry != nullptr; entry = entry->next)
    parsed.emails.push_back(printable(bytes_at(entry->name, entry->len)));
  // wolfSSL's list begins with the last one.
  std::ranges::reverse(parsed.dns_names);
  std::ranges::reverse(parsed.uris);
  std::ranges::reverse(parsed.ip_addresses);
  std::ranges::reverse(parsed.emails);
}

}  // namespace

Result<ParsedCertificate> parse_certificate(ConstBytes der) {
  const auto certificate = decode_certificate(der);
  if (!certificate)
    return failure(
        fmt::format("holds a certificate that cannot be parsed: {}", wc_GetErrorString(certificate.error())));

  ParsedCertificate parsed;
  parsed.subject = to_rfc2253(certificate->subject);
  parsed.issuer = to_rfc2253(certificate->issuer);
  const DecodedCert& decoded = *certificate->wolfssl;
  parsed.serial = hex(bytes_at(decoded.serial, decoded.serialSz));
  read_alternative_names(decoded, parsed);
  read_key(decoded, parsed);
  parsed.not_before = certificate->not_before;
  parsed.not_after = certificate->not_after;
  const auto digest = sha256(der);
  parsed.fingerprint_sha256 = hex(std::as_bytes(std::span(digest)));
  parsed.fingerprint_sha1 = sha1_hex(der);
  return parsed;
}

Result<ParsedCertificate> parse_first_certificate(std::string_view chain_pem) {
  const Result<std::vector<Der>> chain = decode_pem(chain_pem, kCertificateLabel);
  if (!chain) return std::unexpected(chain.error());
  return parse_certificate(chain->front());
}

std::string ip_text(ConstBytes bytes) {
  SocketAddress address;
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  address.family = bytes.size() == 4 ? SocketAddress::Family::ipv4 : SocketAddress::Family::ipv6;
  std::memcpy(address.ip.data(), bytes.data(), bytes.size());
  return address.ip_text();
}

std::array<uint8_t, 32> sha256(ConstBytes bytes) noexcept {
  std::array<uint8_t, 32> digest{};
  static_assert(digest.size() == WC_SHA256_DIGEST_SIZE);
  // Fails only without memory or with a hardware device, and wolfCrypt's own code needs neither.
  CHECK(wc_Sha256Hash(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size()),
                      digest.data()) == 0);
  return digest;
}

std::string to_rfc3339(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time))));
}

}  // namespace sluice::tls

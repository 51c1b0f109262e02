#include "certs/make_certificate.h"

#include "certs/der_writer.h"
#include "certs/object_identifiers.h"
#include "tls/der.h"
#include "tls/parsed_certificate.h"
#include "tls/random_source.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>

#include <fmt/format.h>

#include <array>

namespace sluice::certs {
namespace {

constexpr size_t kSerialBytes = 16;

// RFC 5280 4.2.1.3, bit 0 first.
constexpr uint16_t kDigitalSignature = 1U << 15;
constexpr uint16_t kKeyEncipherment = 1U << 13;
constexpr uint16_t kKeyCertSign = 1U << 10;
constexpr uint16_t kCrlSign = 1U << 9;

// RFC 5280 4.1.2.2: positive. Never shorter than all 16 bytes either.
Result<std::string> make_serial() {
  std::array<unsigned char, kSerialBytes> bytes{};
  const int code = wc_RNG_GenerateBlock(tls::RandomSource::of_thread(), bytes.data(), kSerialBytes);
  if (code != 0) return failure(fmt::format("making a serial number failed: {}", wc_GetErrorString(code)));
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);
  return der::integer({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string extensions(const CertificateFields& fields) {
  uint16_t usage = kDigitalSignature;
  if (fields.public_key.is_rsa) usage |= kKeyEncipherment;
  if (fields.is_ca) usage |= kKeyCertSign | kCrlSign;

  std::string all =
      make_extension(oid::basic_constraints, true, der::sequence({fields.is_ca ? der::boolean_true() : ""}));
  all += make_extension(oid::key_usage, true, der::named_bits(usage));
  all += make_extension(
      oid::extended_key_usage, false,
      der::sequence({der::object_identifier(oid::server_auth), der::object_identifier(oid::client_auth)}));
  all += make_extension(oid::subject_key_identifier, false, der::octet_string(key_identifier(fields.public_key.der)));
  if (!fields.authority_key_identifier.empty()) {
    const std::string identifier = der::element(der::implicit(0), fields.authority_key_identifier);
    all += make_extension(oid::authority_key_identifier, false, der::sequence({identifier}));
  }
  // RFC 5280 4.2.1.6: critical where there is no other name.
  const bool has_subject = fields.subject != make_name("");
  if (fields.names.count() > 0)
    all += make_extension(oid::subject_alternative_name, !has_subject, to_general_names(fields.names));
  all += fields.more_extensions;
  return der::element(der::constructed(3), der::sequence({all}));
}

}  // namespace

std::string make_name(std::string_view common_name, std::string_view attributes) {
  if (common_name.empty()) return der::sequence({attributes});
  const std::string attribute =
      der::sequence({der::object_identifier(oid::common_name), der::element(tls::der::kUtf8String, common_name)});
  return der::sequence({attributes, der::element(tls::der::kSet, attribute)});
}

std::string key_identifier(std::string_view public_key) {
  // The first 160 bits of the hash of subjectPublicKey, without the byte that counts unused bits.
  ConstBytes bytes = as_bytes(public_key);
  const auto outer = tls::der::take(bytes);
  ConstBytes fields = outer ? outer->content : ConstBytes();
  (void)tls::der::take(fields);  // the algorithm
  const auto key = tls::der::take(fields);
  if (!key || key->content.empty()) return {};
  const auto hash = tls::sha256(key->content.subspan(1));
  return {reinterpret_cast<const char*>(hash.data()), 20};
}

std::string make_extension(std::string_view identifier, bool is_critical, std::string_view value) {
  return der::sequence(
      {der::object_identifier(identifier), is_critical ? der::boolean_true() : "", der::octet_string(value)});
}

// Certificate and TBSCertificate (RFC 5280 4.1).
Result<std::string> make_certificate(const CertificateFields& fields, const SigningKey& signer) {
  const Result<std::string> serial = make_serial();
  if (!serial) return std::unexpected(serial.error());
  const std::string version_3 = der::element(der::constructed(0), der::integer("\2"));
  const std::string algorithm = signer.signature_algorithm();
  const std::string validity = der::sequence({der::time(fields.not_before), der::time(fields.not_after)});
  const std::string tbs = der::sequence({version_3, *serial, algorithm, fields.issuer, validity, fields.subject,
                                         fields.public_key.der, extensions(fields)});
  const Result<std::string> signature = signer.sign(tbs);
  if (!signature) return std::unexpected(signature.error());
  return der::sequence({tbs, algorithm, der::bit_string(*signature)});
}

}  // namespace sluice::certs

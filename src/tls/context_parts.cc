#include "tls/context_parts.h"

#include "tls/crypto_device.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace sluice::tls {
namespace {

constexpr std::string_view kUsableKeys = "an RSA key of 1024 to 4096 bits or an ECDSA key on P-256, P-384 or P-521";
constexpr size_t kAlpnNameBytesMax = 255;  // RFC 7301 3.1

const unsigned char* as_wolfssl(const std::string& text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string describe_code(int code) {
  const char* text = code < 0 ? wolfSSL_ERR_reason_error_string(static_cast<unsigned long>(code)) : nullptr;
  return text == nullptr || *text == '\0' ? "no reason given" : text;
}

Status set_curves(WOLFSSL_CTX* context) {
  std::array<int, 3> groups{WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};
  if (const int code = wolfSSL_CTX_set_groups(context, groups.data(), static_cast<int>(groups.size()));
      code != WOLFSSL_SUCCESS) {
    return failure(fmt::format("the TLS library refuses the curves X25519, P-256, P-384: {}", describe_code(code)));
  }
  return {};
}

Status check_alpn_names(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name.empty() || name.size() > kAlpnNameBytesMax || name.contains(','))
      return failure(fmt::format("'{}' cannot be an ALPN protocol name", name));
  }
  return {};
}

Result<std::shared_ptr<const PrivateKey>> load_key_pair(WOLFSSL_CTX* context, const snapshot::KeyPair& pair) {
  if (!pair.chain_pem.contains("-----BEGIN CERTIFICATE-----"))
    return failure("tls.crt holds no PEM certificate ('-----BEGIN CERTIFICATE-----')");
  if (const int code = wolfSSL_CTX_use_certificate_chain_buffer(context, as_wolfssl(pair.chain_pem),
                                                                static_cast<long>(pair.chain_pem.size()));
      code != WOLFSSL_SUCCESS) {
    return failure(
        fmt::format("tls.crt cannot be used ({}): it must hold the server's certificate and then its intermediates, as "
                    "PEM, with {}",
                    describe_code(code), kUsableKeys));
  }
  // PKCS#8, and the older form of RFC 1421 with a header inside.
  const bool is_pkcs8_encrypted = pair.key_pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----");
  if (is_pkcs8_encrypted || pair.key_pem.contains("Proc-Type: 4,ENCRYPTED")) {
    return failure(
        fmt::format("tls.key is encrypted ({}): decrypt it with 'openssl pkey -in tls.key -out plain.key' and store "
                    "plain.key as tls.key",
                    is_pkcs8_encrypted ? "ENCRYPTED PRIVATE KEY" : "Proc-Type: 4,ENCRYPTED"));
  }
  if (!pair.key_pem.contains("PRIVATE KEY-----"))
    return failure("tls.key holds no PEM private key ('-----BEGIN PRIVATE KEY-----')");
  if (const int code = wolfSSL_CTX_use_PrivateKey_buffer(context, as_wolfssl(pair.key_pem),
                                                         static_cast<long>(pair.key_pem.size()), WOLFSSL_FILETYPE_PEM);
      code != WOLFSSL_SUCCESS) {
    return failure(fmt::format("tls.key cannot be used ({}): it must be {}, as PEM", describe_code(code), kUsableKeys));
  }
  if (wolfSSL_CTX_check_private_key(context) != WOLFSSL_SUCCESS) {
    return failure(
        "tls.key does not belong to the first certificate of tls.crt: store a matching pair, with the server's "
        "certificate first");
  }
  Result<std::shared_ptr<const PrivateKey>> key = PrivateKey::read(pair.key_pem);
  if (!key) return failure(fmt::format("tls.key cannot be used: {}", key.error().message));
  // The library's copy of it is wiped.
  if (Status status = use_private_key(context, **key); !status) return std::unexpected(status.error());
  return key;
}

LocalCertificate describe_own(const ParsedCertificate& certificate) {
  return {.subject = certificate.subject, .uri = certificate.uris.empty() ? "" : certificate.uris.front()};
}

}  // namespace sluice::tls

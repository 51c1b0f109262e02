#include "tls/key_pair.h"

#include "tls/context_parts.h"
#include "tls/crypto_device.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace sluice::tls {
namespace {

constexpr std::string_view kUsableKeys = "an RSA key of 1024 to 4096 bits or an ECDSA key on P-256, P-384 or P-521";

const unsigned char* as_wolfssl(const std::string& text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Status load_chain(WOLFSSL_CTX* context, const snapshot::KeyPair& pair) {
  if (!pair.chain_pem.contains("-----BEGIN CERTIFICATE-----"))
    return failure(fmt::format("{} holds no PEM certificate ('-----BEGIN CERTIFICATE-----')", pair.chain_name));
  const int code = wolfSSL_CTX_use_certificate_chain_buffer(context, as_wolfssl(pair.chain_pem),
                                                            static_cast<long>(pair.chain_pem.size()));
  if (code == WOLFSSL_SUCCESS) return {};
  return failure(
      fmt::format("{} cannot be used ({}): it must hold the certificate of the key and then its "
                  "intermediates, as PEM, with {}",
                  pair.chain_name, describe_code(code), kUsableKeys));
}

Status load_key(WOLFSSL_CTX* context, const snapshot::KeyPair& pair) {
  const std::string& name = pair.key_name;
  // PKCS#8, and the older form of RFC 1421 with a header inside.
  const bool is_pkcs8_encrypted = pair.key_pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----");
  if (is_pkcs8_encrypted || pair.key_pem.contains("Proc-Type: 4,ENCRYPTED")) {
    return failure(
        fmt::format("{0} is encrypted ({1}): decrypt it with 'openssl pkey -in {0} -out plain.key' and store "
                    "plain.key as {0}",
                    name, is_pkcs8_encrypted ? "ENCRYPTED PRIVATE KEY" : "Proc-Type: 4,ENCRYPTED"));
  }
  if (!pair.key_pem.contains("PRIVATE KEY-----"))
    return failure(fmt::format("{} holds no PEM private key ('-----BEGIN PRIVATE KEY-----')", name));
  if (const int code = wolfSSL_CTX_use_PrivateKey_buffer(context, as_wolfssl(pair.key_pem),
                                                         static_cast<long>(pair.key_pem.size()), WOLFSSL_FILETYPE_PEM);
      code != WOLFSSL_SUCCESS) {
    return failure(
        fmt::format("{} cannot be used ({}): it must be {}, as PEM", name, describe_code(code), kUsableKeys));
  }
  if (!pair.is_challenge && wolfSSL_CTX_check_private_key(context) != WOLFSSL_SUCCESS) {
    return failure(
        fmt::format("{0} does not belong to the first certificate of {1}: store a matching pair, with the certificate "
                    "of the key first",
                    name, pair.chain_name));
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const PrivateKey>> load_key_pair(WOLFSSL_CTX* context, const snapshot::KeyPair& pair) {
  if (Status status = load_chain(context, pair); !status) return std::unexpected(status.error());
  if (Status status = load_key(context, pair); !status) return std::unexpected(status.error());
  Result<std::shared_ptr<const PrivateKey>> key = PrivateKey::read(pair.key_pem);
  if (!key) return failure(fmt::format("{} cannot be used: {}", pair.key_name, key.error().message));
  // The library's copy of it is wiped.
  if (Status status = use_private_key(context, **key); !status) return std::unexpected(status.error());
  return key;
}

Status check_key_pair(const snapshot::KeyPair& pair) {
  const OwnedContext context(wolfSSL_CTX_new(wolfSSLv23_server_method()));
  if (context == nullptr) return failure(fmt::format("no memory to check {}", pair.key_name));
  const auto key = load_key_pair(context.get(), pair);
  return key ? Status() : std::unexpected(key.error());
}

}  // namespace sluice::tls

// Certificates and keys for the tests of tls/, made by OpenSSL's libcrypto: a foreign hand, so that
// wolfSSL is not only ever shown what wolfSSL made.
#pragma once

#include "snapshot/snapshot.h"

#include <string>

namespace sluice::test {

struct Pem {
  std::string certificate;
  std::string key;
};

// Self-signed for localhost, valid for ten days; made once per process.
[[nodiscard]] const Pem& rsa_2048();
[[nodiscard]] const Pem& other_rsa_2048();
[[nodiscard]] const Pem& ecdsa_p256();

// The key of rsa_2048() encrypted with a password, as PKCS#8 (ENCRYPTED PRIVATE KEY).
[[nodiscard]] std::string encrypted_rsa_2048_key();

// A server with these settings and this pair, of the Secret istio-system/kyma-gateway-certs.
[[nodiscard]] snapshot::TlsServer server(const snapshot::TlsSettings& settings, const std::string& certificate,
                                         const std::string& key);

}  // namespace sluice::test

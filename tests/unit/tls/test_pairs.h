// Certificates and keys for the tests of tls/, made by OpenSSL's libcrypto: a foreign hand, so that
// wolfSSL is not only ever shown what wolfSSL made.
#pragma once

#include "snapshot/snapshot.h"

#include <openssl/evp.h>
#include <openssl/ocsp.h>

#include <string>

namespace sluice::test {

struct Pem {
  std::string certificate;
  std::string key;
};

// Self-signed for localhost, valid for ten days; made once per process.
[[nodiscard]] const Pem& rsa_2048();
[[nodiscard]] const Pem& other_rsa_2048();
[[nodiscard]] const Pem& rsa_3072();
[[nodiscard]] const Pem& rsa_4096();
[[nodiscard]] const Pem& ecdsa_p256();

// The key's signature of a SHA-256 digest, by PKCS#1 version 1.5 (RSA) or ECDSA, is right.
[[nodiscard]] bool verifies(const Pem& pem, const std::string& digest, const std::string& signature);
// The block that a PKCS#1 version 1.5 signature of a SHA-256 digest is made of (RFC 8017 9.2).
[[nodiscard]] std::string padded_block(const std::string& digest, size_t size);

// The key of rsa_2048() encrypted with a password, as PKCS#8 (ENCRYPTED PRIVATE KEY).
[[nodiscard]] std::string encrypted_rsa_2048_key();

struct OcspOptions {
  int status = V_OCSP_CERTSTATUS_GOOD;
  long this_update_seconds = -60;   // from now
  long next_update_seconds = 3600;  // from now; 0: none
  int nonce_bytes = 0;              // to make it longer
  const EVP_MD* id_hash = EVP_sha1();
  long serial = 7;               // of all test certificates
  bool is_other_issuer = false;  // the certificate with that serial of another CA
};

// An OCSP response about the certificate, which is its own issuer and responder; DER.
[[nodiscard]] std::string ocsp_response(const Pem& pem, const OcspOptions& options = {});

// A server with these settings and this pair, of the Secret istio-system/kyma-gateway-certs.
[[nodiscard]] snapshot::TlsServer server(const snapshot::TlsSettings& settings, const std::string& certificate,
                                         const std::string& key, const std::string& ocsp_staple = {});

}  // namespace sluice::test

// Certificates as OpenSSL's libcrypto makes and reads them: the foreign hand on both sides of the tests
// of certs/.
#pragma once

#include "base/durations.h"
#include "snapshot/snapshot.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice::test {

struct FreeOpenssl {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
};
using OpensslKey = std::unique_ptr<EVP_PKEY, FreeOpenssl>;
using OpensslCertificate = std::unique_ptr<X509, FreeOpenssl>;

struct CertificateOptions {
  std::vector<std::pair<std::string, std::string>> subject{{"CN", "localhost"}};
  std::string alternative_names;  // as in openssl.cnf: "DNS:a.example,IP:192.0.2.1"; empty: no extension
  WallTime not_before;
  WallTime not_after;
  bool is_ecdsa = false;
};

struct PemPair {
  std::string certificate;
  std::string key;
};

[[nodiscard]] PemPair make_pair(const CertificateOptions& options);

[[nodiscard]] OpensslCertificate read_certificate(const std::string& pem);
[[nodiscard]] OpensslKey read_key(const std::string& pem);
[[nodiscard]] std::string encrypt_key(const std::string& pem);

struct VerifyOptions {
  std::string chain;  // the certificate, then what a server sends with it
  std::string trusted;
  WallTime at;
  const char* host = nullptr;
  const char* ip = nullptr;
  int purpose = X509_PURPOSE_SSL_SERVER;
  unsigned long flags = 0;  // beside X509_V_FLAG_X509_STRICT
};

// What a client does: chain, dates, purpose and name. "ok", or what X509_verify_cert_error_string() says.
[[nodiscard]] std::string verify(const VerifyOptions& options);

// What X509_NAME_print_ex says with RFC 2253's rules.
[[nodiscard]] std::string rfc2253_of(const X509_NAME* name);

}  // namespace sluice::test

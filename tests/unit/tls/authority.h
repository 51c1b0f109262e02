// A certificate authority of tests, made by OpenSSL's libcrypto: the foreign hand that issues and revokes.
#pragma once

#include "test_pairs.h"

#include <memory>
#include <string>
#include <vector>

struct evp_pkey_st;
struct x509_st;

namespace sluice::test {

struct IssueOptions {
  std::vector<std::pair<std::string, std::string>> subject{{"CN", "client"}};  // in this order
  std::string alternative_names;                                               // as in openssl.cnf; empty: no extension
  std::string extended_key_usage;
  std::string key_usage;
  std::string basic_constraints;
  std::string name_constraints;
  bool has_unknown_critical_extension = false;
  long not_before_s = -3600;  // from now
  long not_after_s = 24 * 3600;
  long serial = 1000;
  bool is_ecdsa = true;  // P-256; otherwise RSA 2048
};

class Authority {
 public:
  // Self-signed, or an intermediate of `issuer`.
  explicit Authority(const std::string& name, const Authority* issuer = nullptr, IssueOptions options = {});
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  [[nodiscard]] const std::string& certificate() const { return certificate_; }
  // Another certificate for the same name and key, by `issuer`.
  [[nodiscard]] std::string cross_signed_by(const Authority& issuer, IssueOptions options = {}) const;

  [[nodiscard]] Pem issue(const IssueOptions& options) const;

  struct ListOptions {
    long this_update_s = -3600;
    long next_update_s = 24 * 3600;
    std::string critical_extension;  // of issuingDistributionPoint
  };
  [[nodiscard]] std::string revocation_list(const std::vector<long>& serials) const {
    return revocation_list(serials, ListOptions());
  }
  [[nodiscard]] std::string revocation_list(const std::vector<long>& serials, const ListOptions& options) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
    void operator()(x509_st* certificate) const;
  };
  std::unique_ptr<evp_pkey_st, Free> key_;
  std::unique_ptr<x509_st, Free> x509_;
  std::string certificate_;
};

// Of PEM: the certificate's DER, and SHA-256 of it and of its SubjectPublicKeyInfo.
[[nodiscard]] std::string der_of(const std::string& pem);
[[nodiscard]] snapshot::Sha256Digest certificate_hash(const std::string& pem);
[[nodiscard]] snapshot::Sha256Digest public_key_hash(const std::string& pem);

}  // namespace sluice::test

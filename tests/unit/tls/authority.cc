#include "authority.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace sluice::test {
namespace {

struct FreeOpenssl {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_CRL* list) const { X509_CRL_free(list); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Certificate = std::unique_ptr<X509, FreeOpenssl>;
using MemoryBio = std::unique_ptr<BIO, FreeOpenssl>;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

std::string to_pem(X509* certificate) {
  const MemoryBio text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(text.get(), certificate);
  return text_of(text.get());
}

// RSA keys take a while: one for all of them.
EVP_PKEY* leaf_key(bool is_ecdsa) {
  static const std::unique_ptr<EVP_PKEY, FreeOpenssl> rsa(EVP_RSA_gen(2048));
  static const std::unique_ptr<EVP_PKEY, FreeOpenssl> ecdsa(EVP_EC_gen("P-256"));
  return is_ecdsa ? ecdsa.get() : rsa.get();
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  CHECK(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void add_unknown_critical_extension(X509* certificate) {
  ASN1_OBJECT* id = OBJ_txt2obj("1.3.6.1.4.1.55555.1", 1);
  ASN1_OCTET_STRING* value = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(value, reinterpret_cast<const unsigned char*>("\x05\x00"), 2);
  X509_EXTENSION* extension = X509_EXTENSION_create_by_OBJ(nullptr, id, 1, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(value);
  ASN1_OBJECT_free(id);
}

// `issuer` null: self-signed.
Certificate make(const IssueOptions& options, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  Certificate certificate(X509_new());
  X509* x509 = certificate.get();
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), options.serial);
  X509_gmtime_adj(X509_getm_notBefore(x509), options.not_before_s);
  X509_gmtime_adj(X509_getm_notAfter(x509), options.not_after_s);
  X509_set_pubkey(x509, key);
  X509_NAME* name = X509_get_subject_name(x509);
  for (const auto& [type, value] : options.subject) {
    CHECK(X509_NAME_add_entry_by_txt(name, type.c_str(), MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(value.data()),
                                     static_cast<int>(value.size()), -1, 0) == 1);
  }
  X509_set_issuer_name(x509, issuer == nullptr ? name : X509_get_subject_name(issuer));
  X509* signer = issuer == nullptr ? x509 : issuer;
  add_extension(x509, signer, NID_basic_constraints, options.basic_constraints);
  add_extension(x509, signer, NID_key_usage, options.key_usage);
  add_extension(x509, signer, NID_ext_key_usage, options.extended_key_usage);
  add_extension(x509, signer, NID_subject_alt_name, options.alternative_names);
  add_extension(x509, signer, NID_name_constraints, options.name_constraints);
  add_extension(x509, signer, NID_subject_key_identifier, "hash");
  add_extension(x509, signer, NID_authority_key_identifier, "keyid");
  if (options.has_unknown_critical_extension) add_unknown_critical_extension(x509);
  CHECK(X509_sign(x509, issuer_key, EVP_sha256()) > 0);
  return certificate;
}

IssueOptions as_authority(const std::string& name, IssueOptions options) {
  options.subject = {{"O", "Example"}, {"CN", name}};
  if (options.basic_constraints.empty()) options.basic_constraints = "critical,CA:TRUE";
  if (options.key_usage.empty()) options.key_usage = "critical,keyCertSign,cRLSign";
  return options;
}

Certificate read(const std::string& pem) {
  const MemoryBio text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
}

}  // namespace

void Authority::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void Authority::Free::operator()(x509_st* certificate) const { X509_free(certificate); }

Authority::Authority(const std::string& name, const Authority* issuer, IssueOptions options)
    : key_(EVP_EC_gen("P-256")) {
  x509_.reset(make(as_authority(name, std::move(options)), key_.get(),
                   issuer == nullptr ? nullptr : issuer->x509_.get(),
                   issuer == nullptr ? key_.get() : issuer->key_.get())
                  .release());
  certificate_ = to_pem(x509_.get());
}

Authority::~Authority() = default;

std::string Authority::cross_signed_by(const Authority& issuer, IssueOptions options) const {
  char name[256];
  X509_NAME_get_text_by_NID(X509_get_subject_name(x509_.get()), NID_commonName, name, sizeof name);
  return to_pem(make(as_authority(name, std::move(options)), key_.get(), issuer.x509_.get(), issuer.key_.get()).get());
}

Pem Authority::issue(const IssueOptions& options) const {
  EVP_PKEY* key = leaf_key(options.is_ecdsa);
  const MemoryBio key_text(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return {to_pem(make(options, key, x509_.get(), key_.get()).get()), text_of(key_text.get())};
}

std::string Authority::revocation_list(const std::vector<long>& serials, const ListOptions& options) const {
  const std::unique_ptr<X509_CRL, FreeOpenssl> list(X509_CRL_new());
  X509_CRL_set_version(list.get(), 1);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(x509_.get()));
  ASN1_TIME* time = X509_gmtime_adj(nullptr, options.this_update_s);
  X509_CRL_set1_lastUpdate(list.get(), time);
  ASN1_TIME* next = X509_gmtime_adj(nullptr, options.next_update_s);
  X509_CRL_set1_nextUpdate(list.get(), next);
  for (const long serial : serials) {
    X509_REVOKED* entry = X509_REVOKED_new();
    ASN1_INTEGER* number = ASN1_INTEGER_new();
    ASN1_INTEGER_set(number, serial);
    X509_REVOKED_set_serialNumber(entry, number);
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(list.get(), entry);
    ASN1_INTEGER_free(number);
  }
  ASN1_TIME_free(time);
  ASN1_TIME_free(next);
  if (!options.critical_extension.empty()) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, x509_.get(), nullptr, nullptr, list.get(), 0);
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, &context, NID_issuing_distribution_point, options.critical_extension.c_str());
    CHECK(extension != nullptr);
    X509_CRL_add_ext(list.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_CRL_sort(list.get());
  CHECK(X509_CRL_sign(list.get(), key_.get(), EVP_sha256()) > 0);
  const MemoryBio text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_CRL(text.get(), list.get());
  return text_of(text.get());
}

std::string der_of(const std::string& pem) {
  const Certificate certificate = read(pem);
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  std::string text(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return text;
}

snapshot::Sha256Digest certificate_hash(const std::string& pem) {
  const std::string der = der_of(pem);
  snapshot::Sha256Digest hash;
  SHA256(reinterpret_cast<const unsigned char*>(der.data()), der.size(), hash.data());
  return hash;
}

snapshot::Sha256Digest public_key_hash(const std::string& pem) {
  const Certificate certificate = read(pem);
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &der);
  snapshot::Sha256Digest hash;
  SHA256(der, static_cast<size_t>(size), hash.data());
  OPENSSL_free(der);
  return hash;
}

}  // namespace sluice::test

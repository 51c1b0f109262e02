#include "openssl_pair.h"

#include "base/check.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace sluice::test {
namespace {

using MemoryBio = std::unique_ptr<BIO, FreeOpenssl>;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

MemoryBio reader(const std::string& text) {
  return MemoryBio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void set_time(ASN1_TIME* target, WallTime time) {
  CHECK(ASN1_TIME_set(target, std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time))) !=
        nullptr);
}

// RSA keys take a while: one for all of them.
EVP_PKEY* shared_key(bool is_ecdsa) {
  static const OpensslKey rsa(EVP_RSA_gen(2048));
  static const OpensslKey ecdsa(EVP_EC_gen("P-256"));
  return is_ecdsa ? ecdsa.get() : rsa.get();
}

}  // namespace

PemPair make_pair(const CertificateOptions& options) {
  EVP_PKEY* key = shared_key(options.is_ecdsa);
  const OpensslCertificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 0x1234abcd);
  set_time(X509_getm_notBefore(certificate.get()), options.not_before);
  set_time(X509_getm_notAfter(certificate.get()), options.not_after);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  for (const auto& [type, value] : options.subject) {
    CHECK(X509_NAME_add_entry_by_txt(name, type.c_str(), MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(value.data()),
                                     static_cast<int>(value.size()), -1, 0) == 1);
  }
  X509_set_issuer_name(certificate.get(), name);
  if (!options.alternative_names.empty()) {
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, options.alternative_names.c_str());
    CHECK(extension != nullptr);
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  CHECK(X509_sign(certificate.get(), key, EVP_sha256()) > 0);

  const MemoryBio certificate_text(BIO_new(BIO_s_mem()));
  const MemoryBio key_text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate_text.get(), certificate.get());
  PEM_write_bio_PKCS8PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return {text_of(certificate_text.get()), text_of(key_text.get())};
}

OpensslCertificate read_certificate(const std::string& pem) {
  return OpensslCertificate(PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr));
}

OpensslKey read_key(const std::string& pem) {
  return OpensslKey(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, nullptr, nullptr));
}

std::string encrypt_key(const std::string& pem) {
  const MemoryBio encrypted(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(encrypted.get(), read_key(pem).get(), EVP_aes_256_cbc(), "secret", 6, nullptr, nullptr);
  return text_of(encrypted.get());
}

std::string verify(const VerifyOptions& options) {
  const OpensslCertificate trusted = read_certificate(options.trusted);
  const std::unique_ptr<X509_STORE, FreeOpenssl> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), trusted.get());
  STACK_OF(X509)* chain = sk_X509_new_null();
  const MemoryBio text = reader(options.chain);
  while (X509* next = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)) sk_X509_push(chain, next);

  const std::unique_ptr<X509_STORE_CTX, FreeOpenssl> context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), sk_X509_value(chain, 0), chain);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(
      parameters, std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(options.at)));
  X509_VERIFY_PARAM_set_purpose(parameters, options.purpose);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT | options.flags);
  if (options.host != nullptr) X509_VERIFY_PARAM_set1_host(parameters, options.host, 0);
  if (options.ip != nullptr) X509_VERIFY_PARAM_set1_ip_asc(parameters, options.ip);
  X509_verify_cert(context.get());
  const int code = X509_STORE_CTX_get_error(context.get());
  sk_X509_pop_free(chain, X509_free);
  return X509_verify_cert_error_string(code);
}

std::string rfc2253_of(const X509_NAME* name) {
  const MemoryBio text(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_RFC2253);
  return text_of(text.get());
}

}  // namespace sluice::test

#include "test_pairs.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

namespace sluice::test {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using MemoryBio = std::unique_ptr<BIO, Free>;

template <auto free>
struct FreeBy {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
template <typename T, auto free>
using Owned = std::unique_ptr<T, FreeBy<free>>;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

Pem make(EVP_PKEY* key) {
  const Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 7);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 10 * 24 * 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  CHECK(X509_sign(certificate.get(), key, EVP_sha256()) > 0);

  const MemoryBio certificate_text(BIO_new(BIO_s_mem()));
  const MemoryBio key_text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate_text.get(), certificate.get());
  PEM_write_bio_PKCS8PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return {text_of(certificate_text.get()), text_of(key_text.get())};
}

}  // namespace

const Pem& rsa_2048() {
  static const Pem pem = make(Key(EVP_RSA_gen(2048)).get());
  return pem;
}

const Pem& other_rsa_2048() {
  static const Pem pem = make(Key(EVP_RSA_gen(2048)).get());
  return pem;
}

const Pem& rsa_3072() {
  static const Pem pem = make(Key(EVP_RSA_gen(3072)).get());
  return pem;
}

const Pem& rsa_4096() {
  static const Pem pem = make(Key(EVP_RSA_gen(4096)).get());
  return pem;
}

const Pem& ecdsa_p256() {
  static const Pem pem = make(Key(EVP_EC_gen("P-256")).get());
  return pem;
}

bool verifies(const Pem& pem, const std::string& digest, const std::string& signature) {
  const MemoryBio text(BIO_new_mem_buf(pem.key.data(), static_cast<int>(pem.key.size())));
  const Key key(PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr));
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key.get(), nullptr);
  const auto bytes = [](const std::string& some) { return reinterpret_cast<const unsigned char*>(some.data()); };
  const bool is_right = EVP_PKEY_verify_init(context) > 0 && EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) > 0 &&
                        EVP_PKEY_verify(context, bytes(signature), signature.size(), bytes(digest), digest.size()) > 0;
  EVP_PKEY_CTX_free(context);
  return is_right;
}

std::string padded_block(const std::string& digest, size_t size) {
  static constexpr unsigned char prefix[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                             0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
  const std::string info = std::string(reinterpret_cast<const char*>(prefix), sizeof prefix) + digest;
  return std::string("\x00\x01", 2) + std::string(size - 3 - info.size(), '\xff') + std::string(1, '\0') + info;
}

std::string encrypted_rsa_2048_key() {
  const MemoryBio plain(BIO_new_mem_buf(rsa_2048().key.data(), static_cast<int>(rsa_2048().key.size())));
  const Key key(PEM_read_bio_PrivateKey(plain.get(), nullptr, nullptr, nullptr));
  const MemoryBio encrypted(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(encrypted.get(), key.get(), EVP_aes_256_cbc(), "secret", 6, nullptr, nullptr);
  return text_of(encrypted.get());
}

std::string ocsp_response(const Pem& pem, const OcspOptions& options) {
  const MemoryBio certificate_bio(BIO_new_mem_buf(pem.certificate.data(), static_cast<int>(pem.certificate.size())));
  const Owned<X509, X509_free> certificate(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
  const MemoryBio key_bio(BIO_new_mem_buf(pem.key.data(), static_cast<int>(pem.key.size())));
  const Key key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  const Owned<ASN1_INTEGER, ASN1_INTEGER_free> serial(ASN1_INTEGER_new());
  ASN1_INTEGER_set(serial.get(), options.serial);
  const Owned<X509_NAME, X509_NAME_free> issuer(X509_NAME_dup(X509_get_issuer_name(certificate.get())));
  if (options.is_other_issuer) {
    X509_NAME_add_entry_by_txt(issuer.get(), "O", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("other"), -1, -1,
                               0);
  }
  const Owned<OCSP_CERTID, OCSP_CERTID_free> id(
      OCSP_cert_id_new(options.id_hash, issuer.get(), X509_get0_pubkey_bitstr(certificate.get()), serial.get()));
  const Owned<ASN1_TIME, ASN1_STRING_free> this_update(X509_gmtime_adj(nullptr, options.this_update_seconds));
  const Owned<ASN1_TIME, ASN1_STRING_free> next_update(X509_gmtime_adj(nullptr, options.next_update_seconds));
  const Owned<ASN1_TIME, ASN1_STRING_free> revoked_at(X509_gmtime_adj(nullptr, -7200));
  const Owned<OCSP_BASICRESP, OCSP_BASICRESP_free> basic(OCSP_BASICRESP_new());
  OCSP_basic_add1_status(basic.get(), id.get(), options.status, 0, revoked_at.get(), this_update.get(),
                         options.next_update_seconds == 0 ? nullptr : next_update.get());
  if (options.nonce_bytes > 0) OCSP_basic_add1_nonce(basic.get(), nullptr, options.nonce_bytes);
  OCSP_basic_sign(basic.get(), certificate.get(), key.get(), EVP_sha256(), nullptr, OCSP_NOCERTS);
  const Owned<OCSP_RESPONSE, OCSP_RESPONSE_free> response(
      OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  std::string der(static_cast<size_t>(i2d_OCSP_RESPONSE(response.get(), nullptr)), '\0');
  auto* end = reinterpret_cast<unsigned char*>(der.data());
  i2d_OCSP_RESPONSE(response.get(), &end);
  return der;
}

snapshot::TlsServer server(const snapshot::TlsSettings& settings, const std::string& certificate,
                           const std::string& key, const std::string& ocsp_staple) {
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->chain_pem = certificate;
  pair->key_pem = key;
  pair->ocsp_staple = ocsp_staple;
  pair->secret_name = "istio-system/kyma-gateway-certs";
  snapshot::TlsServer server;
  server.settings = settings;
  server.key_pairs = {std::move(pair)};
  return server;
}

}  // namespace sluice::test

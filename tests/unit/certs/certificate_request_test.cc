#include "certs/certificate_request.h"

#include "openssl_pair.h"

#include "certs/der_writer.h"
#include "tls/pem.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <gtest/gtest.h>

namespace sluice::certs {
namespace {

const SigningKey& ecdsa_key() {
  static const SigningKey key = SigningKey::make(KeyType::ecdsa_p256).value();
  return key;
}

const Subject subject{.common_name = "example.com",
                      .names = {.dns_names = {"example.com", "*.example.com"},
                                .ip_addresses = {"192.0.2.1", "2001:db8::1"},
                                .emails = {"admin@example.com"},
                                .uris = {"spiffe://cluster.local/ns/a"}}};

std::string pem_of(const std::string& der) { return tls::encode_pem(as_bytes(der), kRequestLabel); }

using OpensslRequest = std::unique_ptr<X509_REQ, decltype([](X509_REQ* request) { X509_REQ_free(request); })>;
using OpensslBio = std::unique_ptr<BIO, test::FreeOpenssl>;

// As `openssl req -new -subj /CN=... -addext subjectAltName=...` makes it.
std::string openssl_request(EVP_PKEY* key, const std::string& common_name, const char* names, const EVP_MD* hash) {
  const OpensslRequest request(X509_REQ_new());
  X509_NAME* name = X509_REQ_get_subject_name(request.get());
  if (!common_name.empty())
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.data()),
                               static_cast<int>(common_name.size()), -1, 0);
  X509_REQ_set_pubkey(request.get(), key);
  if (names != nullptr) {
    STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names));
    X509_REQ_add_extensions(request.get(), extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  }
  X509_REQ_sign(request.get(), key, hash);
  const OpensslBio text(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(text.get(), request.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return {data, static_cast<size_t>(size)};
}

TEST(MakeRequest, IsVerifiedAndReadByOpenssl) {
  for (const KeyType type : {KeyType::rsa_2048, KeyType::ecdsa_p384}) {
    const SigningKey key = SigningKey::make(type).value();
    const std::string pem = pem_of(make_request(subject, key).value());
    const OpensslBio text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const OpensslRequest request(PEM_read_bio_X509_REQ(text.get(), nullptr, nullptr, nullptr));
    ASSERT_NE(request, nullptr);
    EXPECT_EQ(X509_REQ_verify(request.get(), X509_REQ_get0_pubkey(request.get())), 1);
    EXPECT_EQ(X509_REQ_get_version(request.get()), 0);
    EXPECT_EQ(test::rfc2253_of(X509_REQ_get_subject_name(request.get())), "CN=example.com");
    STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request.get());
    auto* names = static_cast<GENERAL_NAMES*>(X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr));
    EXPECT_EQ(sk_GENERAL_NAME_num(names), 6);
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  }
}

TEST(ReadRequest, ReadsWhatMakeRequestWrites) {
  for (const Subject& one : {subject, Subject{.common_name = "", .names = subject.names},
                             Subject{.common_name = "M\xc3\xbcller", .names = {}}}) {
    const std::string der = make_request(one, ecdsa_key()).value();
    const auto read = read_request(pem_of(der));
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->subject, one);
    EXPECT_EQ(read->public_key.der, ecdsa_key().public_key());
    EXPECT_EQ(read->der, der);
  }
}

TEST(ReadRequest, ReadsOpensslsRequests) {
  const test::OpensslKey rsa(EVP_RSA_gen(3072));
  for (const EVP_MD* hash : {EVP_sha256(), EVP_sha384(), EVP_sha512()}) {
    std::string pem = openssl_request(rsa.get(), "a.example", "DNS:a.example,DNS:A.example,IP:::1,URI:urn:a", hash);
    const auto read = read_request("text before is skipped\n" + pem);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->subject.common_name, "a.example");
    EXPECT_EQ(read->subject.names.dns_names, std::vector<std::string>{"a.example"});  // once
    EXPECT_EQ(read->subject.names.ip_addresses, std::vector<std::string>{"::1"});
    EXPECT_TRUE(read->public_key.is_rsa);
  }
  const test::OpensslKey ecdsa(EVP_EC_gen("P-384"));
  std::string pem = openssl_request(ecdsa.get(), "", nullptr, EVP_sha512());
  pem.replace(pem.find("BEGIN"), 5, "BEGIN NEW").replace(pem.find("END"), 3, "END NEW");
  const auto read = read_request(pem);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->subject, Subject());
}

TEST(ReadRequest, SaysWhatIsWrongWithIt) {
  const auto reason = [](const std::string& pem) {
    const auto request = read_request(pem);
    return request ? "none" : request.error().message;
  };
  EXPECT_TRUE(reason("").contains("holds no PEM CERTIFICATE REQUEST"));
  EXPECT_TRUE(reason(std::string(17'000, ' ')).contains("too long"));
  EXPECT_TRUE(reason(pem_of("abc")).contains("it is no DER"));
  std::string der = make_request(subject, ecdsa_key()).value();
  const size_t at = der.find("*.example.com");
  EXPECT_TRUE(reason(pem_of(std::string(der).replace(at, 2, "x."))).contains("has a wrong signature"));
  EXPECT_TRUE(reason(pem_of(der + "x")).contains("it is no DER"));
  const test::OpensslKey ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  EXPECT_TRUE(
      reason(openssl_request(ed25519.get(), "a.example", nullptr, nullptr)).contains("its key is an Ed25519 key"));
  const test::OpensslKey rsa(EVP_RSA_gen(2048));
  EXPECT_TRUE(reason(openssl_request(rsa.get(), "a.example", nullptr, EVP_sha1())).contains("use SHA-256"));
  EXPECT_TRUE(
      reason(openssl_request(rsa.get(), "a.example", "DNS:a b", EVP_sha256())).contains("the DNS name \"a b\""));
  EXPECT_TRUE(reason(openssl_request(rsa.get(), "a.example", "RID:1.2.3", EVP_sha256())).contains("not supported"));
}

}  // namespace
}  // namespace sluice::certs

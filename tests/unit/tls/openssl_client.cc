#include "openssl_client.h"

#include "base/check.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace sluice::test {

void OpensslPeer::use_certificate(const std::string& certificate_pem, const std::string& key_pem) {
  if (certificate_pem.empty()) return;
  BIO* text = BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size()));
  for (int number = 0;; ++number) {
    X509* certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    if (certificate == nullptr) break;
    // The chain takes the certificate, the leaf is counted.
    CHECK((number == 0 ? SSL_CTX_use_certificate(context_.get(), certificate)
                       : static_cast<int>(SSL_CTX_add0_chain_cert(context_.get(), certificate))) == 1);
    if (number == 0) X509_free(certificate);
  }
  BIO_free(text);
  ERR_clear_error();
  text = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
  CHECK(SSL_CTX_use_PrivateKey(context_.get(), key) == 1);
  EVP_PKEY_free(key);
  BIO_free(text);
}

void OpensslPeer::make_ssl() {
  ssl_.reset(SSL_new(context_.get()));
  input_ = BIO_new(BIO_s_mem());
  output_ = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(input_, -1);
  SSL_set_bio(ssl_.get(), input_, output_);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_info_callback(ssl_.get(), on_info);
}

void OpensslPeer::on_info(const SSL* ssl, int where, int value) {
  if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
    static_cast<OpensslPeer*>(SSL_get_app_data(ssl))->received_alert_ = value & 0xff;
}

bool OpensslPeer::handshake() {
  ERR_clear_error();
  return SSL_do_handshake(ssl_.get()) == 1;
}

void OpensslPeer::feed(ConstBytes ciphertext) {
  if (!ciphertext.empty())
    CHECK(BIO_write(input_, ciphertext.data(), static_cast<int>(ciphertext.size())) ==
          static_cast<int>(ciphertext.size()));
}

std::string OpensslPeer::take_output() {
  std::string output(BIO_ctrl_pending(output_), '\0');
  if (!output.empty())
    CHECK(BIO_read(output_, output.data(), static_cast<int>(output.size())) == static_cast<int>(output.size()));
  return output;
}

void OpensslPeer::write(std::string_view plaintext) {
  if (!plaintext.empty())
    CHECK(SSL_write(ssl_.get(), plaintext.data(), static_cast<int>(plaintext.size())) ==
          static_cast<int>(plaintext.size()));
}

std::string OpensslPeer::read() {
  ERR_clear_error();
  std::string plaintext;
  char buffer[16 * 1024];
  for (int size = 0; (size = SSL_read(ssl_.get(), buffer, sizeof buffer)) > 0;)
    plaintext.append(buffer, static_cast<size_t>(size));
  return plaintext;
}

std::string OpensslPeer::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

OpensslClient::OpensslClient(const ClientOptions& options) : OpensslPeer(TLS_client_method()) {
  SSL_CTX* context = context_.get();
  SSL_CTX_set_security_level(context, 0);
  CHECK(SSL_CTX_set_min_proto_version(context, options.min_version) == 1);
  CHECK(SSL_CTX_set_max_proto_version(context, options.max_version) == 1);
  CHECK(SSL_CTX_set_cipher_list(context, options.tls12_ciphers.c_str()) == 1);
  CHECK(SSL_CTX_set_ciphersuites(context, options.tls13_ciphers.c_str()) == 1);
  CHECK(SSL_CTX_set1_groups_list(context, options.groups.c_str()) == 1);
  if (!options.signature_algorithms.empty())
    CHECK(SSL_CTX_set1_sigalgs_list(context, options.signature_algorithms.c_str()) == 1);
  use_certificate(options.certificate_pem, options.key_pem);

  make_ssl();
  SSL_set_connect_state(ssl_.get());
  if (!options.server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.server_name.c_str());
  std::string protocols;
  for (const std::string& name : options.alpn) protocols.append(1, static_cast<char>(name.size())).append(name);
  if (!protocols.empty()) {
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  }
}

std::string OpensslClient::server_subject() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return {};
  char text[256];
  return X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof text);
}

}  // namespace sluice::test

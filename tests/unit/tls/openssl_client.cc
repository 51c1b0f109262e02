#include "openssl_client.h"

#include "base/check.h"

#include <openssl/err.h>

namespace sluice::test {

OpensslClient::OpensslClient(const ClientOptions& options) : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* context = context_.get();
  SSL_CTX_set_security_level(context, 0);
  CHECK(SSL_CTX_set_min_proto_version(context, options.min_version) == 1);
  CHECK(SSL_CTX_set_max_proto_version(context, options.max_version) == 1);
  CHECK(SSL_CTX_set_cipher_list(context, options.tls12_ciphers.c_str()) == 1);
  CHECK(SSL_CTX_set_ciphersuites(context, options.tls13_ciphers.c_str()) == 1);
  CHECK(SSL_CTX_set1_groups_list(context, options.groups.c_str()) == 1);

  ssl_.reset(SSL_new(context));
  from_server_ = BIO_new(BIO_s_mem());
  to_server_ = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(from_server_, -1);
  SSL_set_bio(ssl_.get(), from_server_, to_server_);
  SSL_set_connect_state(ssl_.get());
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_info_callback(ssl_.get(), on_info);
  if (!options.server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.server_name.c_str());
  std::string protocols;
  for (const std::string& name : options.alpn) protocols.append(1, static_cast<char>(name.size())).append(name);
  if (!protocols.empty()) {
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  }
}

void OpensslClient::on_info(const SSL* ssl, int where, int value) {
  if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
    static_cast<OpensslClient*>(SSL_get_app_data(ssl))->received_alert_ = value & 0xff;
}

bool OpensslClient::handshake() {
  ERR_clear_error();
  return SSL_do_handshake(ssl_.get()) == 1;
}

void OpensslClient::feed(ConstBytes ciphertext) {
  if (!ciphertext.empty())
    CHECK(BIO_write(from_server_, ciphertext.data(), static_cast<int>(ciphertext.size())) ==
          static_cast<int>(ciphertext.size()));
}

std::string OpensslClient::take_output() {
  std::string output(BIO_ctrl_pending(to_server_), '\0');
  if (!output.empty())
    CHECK(BIO_read(to_server_, output.data(), static_cast<int>(output.size())) == static_cast<int>(output.size()));
  return output;
}

void OpensslClient::write(std::string_view plaintext) {
  if (!plaintext.empty())
    CHECK(SSL_write(ssl_.get(), plaintext.data(), static_cast<int>(plaintext.size())) ==
          static_cast<int>(plaintext.size()));
}

std::string OpensslClient::read() {
  ERR_clear_error();
  std::string plaintext;
  char buffer[16 * 1024];
  for (int size = 0; (size = SSL_read(ssl_.get(), buffer, sizeof buffer)) > 0;)
    plaintext.append(buffer, static_cast<size_t>(size));
  return plaintext;
}

std::string OpensslClient::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace sluice::test

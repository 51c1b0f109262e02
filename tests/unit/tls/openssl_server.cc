#include "openssl_server.h"

#include "base/check.h"

#include <openssl/pem.h>

namespace sluice::test {

OpensslServer::OpensslServer(const ServerOptions& options) : OpensslPeer(TLS_server_method()), alpn_(options.alpn) {
  SSL_CTX* context = context_.get();
  CHECK(SSL_CTX_set_min_proto_version(context, options.min_version) == 1);
  CHECK(SSL_CTX_set_max_proto_version(context, options.max_version) == 1);
  use_certificate(options.certificate_pem, options.key_pem);
  SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
  SSL_CTX_set_tlsext_servername_arg(context, this);
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context, on_alpn, this);
  if (!options.client_ca_pem.empty()) {
    BIO* text = BIO_new_mem_buf(options.client_ca_pem.data(), static_cast<int>(options.client_ca_pem.size()));
    X509* authority = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority) == 1);
    X509_free(authority);
    BIO_free(text);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  if (!options.has_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("test"), 4);
  make_ssl();
  SSL_set_accept_state(ssl_.get());
}

OpensslServer::OpensslServer(OpensslServer& first) : OpensslPeer(TLS_server_method()) {
  SSL_CTX_up_ref(first.context_.get());
  context_.reset(first.context_.get());
  make_ssl();
  SSL_set_accept_state(ssl_.get());
}

int OpensslServer::on_server_name(SSL* ssl, int* /*alert*/, void* server) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  static_cast<OpensslServer*>(server)->server_name_ = name == nullptr ? "" : name;
  return SSL_TLSEXT_ERR_OK;
}

int OpensslServer::on_alpn(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_size,
                           const unsigned char* /*offered*/, unsigned /*offered_size*/, void* server) {
  const std::string& name = static_cast<OpensslServer*>(server)->alpn_;
  *chosen = reinterpret_cast<const unsigned char*>(name.data());
  *chosen_size = static_cast<unsigned char>(name.size());
  return SSL_TLSEXT_ERR_OK;
}

std::string OpensslServer::client_subject() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return {};
  char text[256];
  return X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof text);
}

}  // namespace sluice::test

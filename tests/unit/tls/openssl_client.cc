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
  SSL_CTX_set_keylog_callback(context_.get(), [](const SSL* ssl, const char* line) {
    static_cast<OpensslPeer*>(SSL_get_app_data(ssl))->key_log_.emplace_back(line);
  });
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
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, on_new_session);
  if (!options.has_extended_master_secret) SSL_CTX_set_options(context, SSL_OP_NO_EXTENDED_MASTER_SECRET);

  make_ssl();
  SSL_set_connect_state(ssl_.get());
  if (!options.server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.server_name.c_str());
  if (options.session != nullptr) CHECK(SSL_set_session(ssl_.get(), options.session.get()) == 1);
  if (options.asks_for_status) CHECK(SSL_set_tlsext_status_type(ssl_.get(), TLSEXT_STATUSTYPE_ocsp) == 1);
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

int OpensslPeer::on_new_session(SSL* ssl, SSL_SESSION* session) {
  auto& self = *static_cast<OpensslPeer*>(SSL_get_app_data(ssl));
  self.sessions_.push_back(OpensslSession(session, SSL_SESSION_free));
  return 1;  // the reference is ours
}

std::vector<OpensslSession> OpensslPeer::sessions() const {
  std::vector<OpensslSession> sessions = sessions_;
  // OpenSSL does not call back for the new ticket of a session that was resumed with TLS 1.2.
  if (SSL_version(ssl_.get()) == TLS1_2_VERSION && is_resumed())
    sessions.push_back(OpensslSession(SSL_get1_session(ssl_.get()), SSL_SESSION_free));
  return sessions;
}

std::string ticket_of(const OpensslSession& session) {
  const unsigned char* ticket = nullptr;
  size_t size = 0;
  SSL_SESSION_get0_ticket(session.get(), &ticket, &size);
  return {reinterpret_cast<const char*>(ticket), size};
}

namespace {

// DER: tag, length, content.
std::string element(char tag, const std::string& content) {
  const size_t size = content.size();
  std::string length;
  if (size < 0x80) {
    length = {static_cast<char>(size)};
  } else if (size < 0x100) {
    length = {'\x81', static_cast<char>(size)};
  } else {
    length = {'\x82', static_cast<char>(size >> 8), static_cast<char>(size)};
  }
  return tag + length + content;
}

}  // namespace

// There is no function for it, but there is OpenSSL's own form of a session: a SEQUENCE in which the ticket
// is [10] EXPLICIT OCTET STRING.
OpensslSession with_ticket(const OpensslSession& session, const std::string& ticket) {
  unsigned char* der = nullptr;
  const int size = i2d_SSL_SESSION(session.get(), &der);
  CHECK(size > 0);
  std::string text(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  const auto field = [](const std::string& bytes) { return element('\xaa', element('\x04', bytes)); };
  const std::string old = field(ticket_of(session));
  const size_t place = text.find(old);
  CHECK(place != std::string::npos);
  text.replace(place, old.size(), field(ticket));
  const size_t header = text[1] == '\x82' ? 4 : text[1] == '\x81' ? 3 : 2;
  text = element('\x30', text.substr(header));
  const auto* start = reinterpret_cast<const unsigned char*>(text.data());
  SSL_SESSION* made = d2i_SSL_SESSION(nullptr, &start, static_cast<long>(text.size()));
  CHECK(made != nullptr);
  return OpensslSession(made, SSL_SESSION_free);
}

std::string OpensslPeer::ocsp_response() const {
  const unsigned char* response = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(ssl_.get(), &response);
  return size <= 0 ? std::string() : std::string(reinterpret_cast<const char*>(response), static_cast<size_t>(size));
}

}  // namespace sluice::test

// One side of TLS by another library (OpenSSL's libssl) in memory: what it sends and receives are byte
// strings, as for tls::Session on the other side.
#pragma once

#include "base/bytes.h"

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::test {

// What a client keeps of a connection in order to come back.
using OpensslSession = std::shared_ptr<SSL_SESSION>;

// The session with another ticket in it.
[[nodiscard]] OpensslSession with_ticket(const OpensslSession& session, const std::string& ticket);
[[nodiscard]] std::string ticket_of(const OpensslSession& session);

struct ClientOptions {
  int min_version = TLS1_2_VERSION;
  int max_version = TLS1_3_VERSION;
  std::string tls12_ciphers = "ALL:@SECLEVEL=0";
  std::string tls13_ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
  std::string groups = "X25519:P-256:P-384";
  std::string signature_algorithms;  // empty: OpenSSL's own
  std::string server_name = "localhost";
  std::vector<std::string> alpn;
  std::string certificate_pem;  // leaf, then intermediates; empty: it has none
  std::string key_pem;
  OpensslSession session;  // tries to resume it
  bool has_extended_master_secret = true;
  bool asks_for_status = false;  // OCSP stapling
};

class OpensslPeer {
 public:
  // Goes on with the handshake; true when it is done.
  bool handshake();
  void feed(ConstBytes ciphertext);
  [[nodiscard]] bool is_handshake_done() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  // Everything it wants to send.
  std::string take_output();

  void write(std::string_view plaintext);
  // Everything that can be decrypted now.
  std::string read();
  void send_close_notify() { SSL_shutdown(ssl_.get()); }
  void send_key_update() { SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED); }
  bool ask_for_renegotiation() { return SSL_renegotiate(ssl_.get()) == 1 && SSL_do_handshake(ssl_.get()) != 0; }

  [[nodiscard]] bool got_close_notify() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  // The alert that the other side sent; -1: none.
  [[nodiscard]] int received_alert() const { return received_alert_; }
  [[nodiscard]] std::string cipher() const { return SSL_get_cipher_name(ssl_.get()); }
  [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }
  [[nodiscard]] std::string alpn() const;
  [[nodiscard]] bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  // What the server's tickets made so far, in their order. In TLS 1.3 they come with the first read().
  [[nodiscard]] std::vector<OpensslSession> sessions() const;
  // The stapled response; empty: none came.
  [[nodiscard]] std::string ocsp_response() const;
  // What it would write to SSLKEYLOGFILE.
  [[nodiscard]] const std::vector<std::string>& key_log() const { return key_log_; }
  [[nodiscard]] int group() const { return static_cast<int>(SSL_get_negotiated_group(ssl_.get())); }
  // For what there is no function of ours.
  [[nodiscard]] SSL* get() const { return ssl_.get(); }

 protected:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  explicit OpensslPeer(const SSL_METHOD* method) : context_(SSL_CTX_new(method)) {}
  // Leaf, then intermediates; nothing happens without a certificate.
  void use_certificate(const std::string& certificate_pem, const std::string& key_pem);
  // After the options of context_ are set.
  void make_ssl();
  static int on_new_session(SSL* ssl, SSL_SESSION* session);

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;

 private:
  static void on_info(const SSL* ssl, int where, int value);

  BIO* input_ = nullptr;  // both belong to ssl_
  BIO* output_ = nullptr;
  int received_alert_ = -1;
  std::vector<OpensslSession> sessions_;
  std::vector<std::string> key_log_;
};

class OpensslClient : public OpensslPeer {
 public:
  explicit OpensslClient(const ClientOptions& options);

  // The subject of the certificate that the server showed, as "/O=a/CN=b"; empty: none.
  [[nodiscard]] std::string server_subject() const;
};

}  // namespace sluice::test

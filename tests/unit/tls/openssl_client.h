// A TLS client of another library (OpenSSL's libssl) in memory: what it sends and receives are byte
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
  std::string server_name = "localhost";
  std::vector<std::string> alpn;
  OpensslSession session;  // tries to resume it
  bool has_extended_master_secret = true;
  bool asks_for_status = false;  // OCSP stapling
};

class OpensslClient {
 public:
  explicit OpensslClient(const ClientOptions& options);

  // Goes on with the handshake; true when it is done.
  bool handshake();
  void feed(ConstBytes ciphertext);
  // Everything it wants to send.
  std::string take_output();

  void write(std::string_view plaintext);
  // Everything that can be decrypted now.
  std::string read();
  void send_close_notify() { SSL_shutdown(ssl_.get()); }
  void send_key_update() { SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED); }
  bool ask_for_renegotiation() { return SSL_renegotiate(ssl_.get()) == 1 && SSL_do_handshake(ssl_.get()) != 0; }

  [[nodiscard]] bool got_close_notify() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  // The alert that the server sent; -1: none.
  [[nodiscard]] int received_alert() const { return received_alert_; }
  [[nodiscard]] std::string cipher() const { return SSL_get_cipher_name(ssl_.get()); }
  [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }
  [[nodiscard]] std::string alpn() const;
  [[nodiscard]] bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  // What the server's tickets made so far, in their order. In TLS 1.3 they come with the first read().
  [[nodiscard]] std::vector<OpensslSession> sessions() const;
  // The stapled response; empty: none came.
  [[nodiscard]] std::string ocsp_response() const;
  [[nodiscard]] int group() const { return static_cast<int>(SSL_get_negotiated_group(ssl_.get())); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  static void on_info(const SSL* ssl, int where, int value);
  static int on_new_session(SSL* ssl, SSL_SESSION* session);

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  BIO* from_server_ = nullptr;  // both belong to ssl_
  BIO* to_server_ = nullptr;
  int received_alert_ = -1;
  std::vector<OpensslSession> sessions_;
};

}  // namespace sluice::test

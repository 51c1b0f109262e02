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

struct ClientOptions {
  int min_version = TLS1_2_VERSION;
  int max_version = TLS1_3_VERSION;
  std::string tls12_ciphers = "ALL:@SECLEVEL=0";
  std::string tls13_ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
  std::string groups = "X25519:P-256:P-384";
  std::string server_name = "localhost";
  std::vector<std::string> alpn;
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
  [[nodiscard]] int group() const { return static_cast<int>(SSL_get_negotiated_group(ssl_.get())); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  static void on_info(const SSL* ssl, int where, int value);

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  BIO* from_server_ = nullptr;  // both belong to ssl_
  BIO* to_server_ = nullptr;
  int received_alert_ = -1;
};

}  // namespace sluice::test

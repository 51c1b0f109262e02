// A TLS server of OpenSSL's libssl in memory, for the client's side of tls::Session.
#pragma once

#include "openssl_client.h"

#include <string>

namespace sluice::test {

struct ServerOptions {
  int min_version = TLS1_2_VERSION;
  int max_version = TLS1_3_VERSION;
  std::string certificate_pem;  // leaf, then intermediates
  std::string key_pem;
  std::string client_ca_pem;  // not empty: clients must show a certificate of this CA
  bool has_tickets = true;    // false: TLS 1.2 resumes by session id
  std::string alpn;           // what it chooses, offered or not; empty: nothing
};

class OpensslServer : public OpensslPeer {
 public:
  explicit OpensslServer(const ServerOptions& options);
  // Another connection to the same server, which knows its own tickets and sessions. It does not tell server names.
  explicit OpensslServer(OpensslServer& first);

  [[nodiscard]] bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

  // What the client asked for; empty: nothing.
  [[nodiscard]] std::string server_name() const { return server_name_; }
  // "/CN=client"; empty: it showed none.
  [[nodiscard]] std::string client_subject() const;

 private:
  static int on_server_name(SSL* ssl, int* alert, void* server);
  static int on_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                     unsigned offered_size, void* server);

  std::string server_name_;
  std::string alpn_;
};

}  // namespace sluice::test

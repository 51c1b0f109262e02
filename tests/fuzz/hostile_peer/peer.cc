#include "peer.h"

#include "base/check.h"

#include <openssl/err.h>

#include <array>
#include <sstream>

namespace sluice::fuzz {
namespace {

int index_of_peer() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return bytes;
}

}  // namespace

Peer::Peer(test::OpensslPeer& openssl, bool is_client) : openssl_(openssl), is_client_(is_client) {
  CHECK(SSL_set_ex_data(openssl.get(), index_of_peer(), this) == 1);
  SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(openssl.get()), on_secret);
}

// "CLIENT_TRAFFIC_SECRET_0 <client random> <secret>"
void Peer::on_secret(const SSL* ssl, const char* line) {
  auto* peer = static_cast<Peer*>(SSL_get_ex_data(ssl, index_of_peer()));
  if (peer == nullptr) return;
  std::istringstream words(line);
  std::string label, random, secret;
  words >> label >> random >> secret;
  peer->secrets_[label] = from_hex(secret);
}

bool Peer::write(std::string_view plaintext) {
  ERR_clear_error();
  return SSL_write(openssl_.get(), plaintext.data(), static_cast<int>(plaintext.size())) ==
         static_cast<int>(plaintext.size());
}

bool Peer::is_tls_1_3() const { return SSL_version(openssl_.get()) == TLS1_3_VERSION; }

std::optional<RecordProtection> Peer::keys(Epoch epoch) const {
  const SSL* ssl = openssl_.get();
  const SSL_CIPHER* suite = SSL_get_current_cipher(ssl);
  if (suite == nullptr) suite = SSL_get_pending_cipher(ssl);
  if (suite == nullptr) return std::nullopt;
  if (is_tls_1_3()) {
    const std::string side = is_client_ ? "CLIENT_" : "SERVER_";
    const auto secret = secrets_.find(side + (epoch == kHandshake ? "HANDSHAKE_TRAFFIC_SECRET" : "TRAFFIC_SECRET_0"));
    if (epoch > kApplication || secret == secrets_.end()) return std::nullopt;
    return RecordProtection::tls_1_3(suite, secret->second);
  }
  const SSL_SESSION* session = SSL_get_session(ssl);
  if (epoch != kHandshake || session == nullptr) return std::nullopt;
  std::string master(SSL_MAX_MASTER_KEY_LENGTH, '\0'), client(SSL3_RANDOM_SIZE, '\0'), server(SSL3_RANDOM_SIZE, '\0');
  const auto bytes = [](std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); };
  if (SSL_SESSION_get_master_key(session, bytes(master), master.size()) != master.size()) return std::nullopt;
  SSL_get_client_random(ssl, bytes(client), client.size());
  SSL_get_server_random(ssl, bytes(server), server.size());
  return RecordProtection::tls_1_2(suite, master, client, server, is_client_);
}

}  // namespace sluice::fuzz

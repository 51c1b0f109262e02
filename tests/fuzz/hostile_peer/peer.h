// OpenSSL as the peer that behaves, and the keys that it protects its records with.
#pragma once

#include "editor.h"

#include "unit/tls/openssl_client.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::fuzz {

class Peer final : public PeerKeys {
 public:
  // Before its first handshake().
  Peer(test::OpensslPeer& openssl, bool is_client);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] test::OpensslPeer& openssl() { return openssl_; }

  // False: it has closed, or has got something that it does not understand.
  [[nodiscard]] bool write(std::string_view plaintext);

  [[nodiscard]] bool is_tls_1_3() const override;
  [[nodiscard]] std::optional<RecordProtection> keys(Epoch epoch) const override;

 private:
  static void on_secret(const SSL* ssl, const char* line);

  test::OpensslPeer& openssl_;
  bool is_client_;
  std::map<std::string, std::string, std::less<>> secrets_;  // of TLS 1.3, by the labels of NSS's key log
};

}  // namespace sluice::fuzz

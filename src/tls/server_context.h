// What all connections of one TLS server share: certificate, key, versions and suites, as a
// WOLFSSL_CTX. Made by the control plane before its snapshot is published, so that a bad certificate
// or suite list is found at load; used by every shard's sessions (wolfSSL counts references to a
// context itself, atomically). Immutable after create().
#pragma once

#include "base/result.h"
#include "snapshot/snapshot.h"

#include <memory>
#include <string>
#include <vector>

struct WOLFSSL_CTX;

namespace sluice::tls {

class PrivateKey;

class ServerContext {
 public:
  // Refuses, with the reason: a chain or key that cannot be parsed, an encrypted key, a key that does
  // not belong to the certificate, a suite of which wolfSSL knows nothing.
  // TLS 1.2 offers exactly server.settings.cipher_suites, in that order of server preference; TLS 1.3 offers
  // AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305. Curves: X25519, P-256, P-384. No renegotiation,
  // no compression, no resumption. ALPN: server.settings.alpn in order of server preference; a client without a
  // protocol in common gets no_application_protocol (RFC 7301 3.2), one without the extension is served.
  [[nodiscard]] static Result<std::shared_ptr<ServerContext>> create(const snapshot::TlsServer& server);

  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;
  ~ServerContext();

 private:
  friend class Session;
  using AlpnNames = std::vector<std::string>;

  ServerContext(WOLFSSL_CTX* context, std::shared_ptr<const PrivateKey> key, AlpnNames alpn);

  WOLFSSL_CTX* context_;
  // Shared with the sessions until their handshake is done, which may outlive this object.
  std::shared_ptr<const PrivateKey> key_;
  std::shared_ptr<const AlpnNames> alpn_;
};

// Once per process, before any other call of this folder. Idempotent, not thread-safe.
[[nodiscard]] Status initialize();

}  // namespace sluice::tls

// What all connections to the upstreams of one cluster share: trust, names, our own certificate, as a
// WOLFSSL_CTX. Made by the control plane before its snapshot is published, so that bad certificates are found
// at load; used by every shard's sessions (wolfSSL counts references to a context itself, atomically).
// Immutable after create().
#pragma once

#include "base/result.h"
#include "snapshot/snapshot.h"
#include "tls/local_certificate.h"
#include "tls/peer_verifier.h"

#include <memory>
#include <string>
#include <vector>

struct WOLFSSL_CTX;

namespace sluice::tls {

class PrivateKey;

class ClientContext {
 public:
  // Refuses, with the reason: CA certificates, CRLs or a key pair that cannot be used; a system without a trust
  // store when none is configured.
  // Offers TLS 1.2 and 1.3 with AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305, ephemeral curves X25519, P-256 and
  // P-384. No renegotiation, no compression. Resumption as Session::connect() has it: in TLS 1.3 by
  // tickets, in TLS 1.2 by session ids. `alpn`: names in order of preference, empty for
  // none; a server that chooses none of them is taken all the same.
  [[nodiscard]] static Result<std::shared_ptr<ClientContext>> create(const snapshot::UpstreamTls& upstream,
                                                                     const std::vector<std::string>& alpn = {});

  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;
  ~ClientContext();

 private:
  friend class Session;

  ClientContext(WOLFSSL_CTX* context, const std::vector<std::string>& alpn);

  WOLFSSL_CTX* context_;
  std::string alpn_;                                           // "h2,http/1.1", as wolfSSL wants it
  std::shared_ptr<const PeerVerifier> verifier_;               // null: the server's certificate is not verified
  std::shared_ptr<const PrivateKey> key_;                      // null: we have no certificate
  std::shared_ptr<const LocalCertificate> local_certificate_;  // null: likewise
};

}  // namespace sluice::tls

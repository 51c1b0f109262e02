// What all connections of one TLS server share: certificate, key, versions and suites, as a
// WOLFSSL_CTX. Made by the control plane before its snapshot is published, so that a bad certificate
// or suite list is found at load; used by every shard's sessions (wolfSSL counts references to a
// context itself, atomically). Immutable after create().
#pragma once

#include "base/result.h"
#include "snapshot/snapshot.h"
#include "tls/ocsp_staple.h"
#include "tls/ticket_keys.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

struct WOLFSSL_CTX;

namespace sluice::tls {

class ServerContext {
 public:
  // Refuses, with the reason: a chain or key that cannot be parsed, an encrypted key, a key that does
  // not belong to the certificate, a suite of which wolfSSL knows nothing.
  // TLS 1.2 offers exactly server.settings.cipher_suites, in that order of server preference; TLS 1.3 offers
  // AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305. Curves: X25519, P-256, P-384. No renegotiation,
  // no compression. ALPN: server.settings.alpn in order of server preference; a client without a
  // protocol in common gets no_application_protocol (RFC 7301 3.2), one without the extension is served.
  //
  // Resumption is by session tickets alone, under the keys of `keyring` (null: none); tls/ticket_binding.h says
  // at which servers a ticket is good. No early data. A server that asks for client certificates gives and
  // takes no tickets, each of its handshakes is a full one: the gateway must be able to tell upstreams who the
  // client is, wolfSSL's tickets do not hold the certificate, and room for one would cost as much in every
  // connection of every server (the ticket's buffer is an array in WOLFSSL_SESSION). It also means that
  // revocation and expiry are checked every time.
  //
  // The key pair's OCSP staple is sent to clients that ask for it, as long as it is good; one that
  // tls/ocsp_staple.h refuses is left out.
  [[nodiscard]] static Result<std::shared_ptr<ServerContext>> create(const snapshot::TlsServer& server,
                                                                     std::shared_ptr<TicketKeyring> keyring = nullptr);

  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;
  ~ServerContext();

 private:
  friend class Session;
  using AlpnNames = std::vector<std::string>;

  // What the callbacks of a handshake need.
  struct Handshake {
    std::shared_ptr<TicketKeyring> keyring;  // null: no resumption
    TicketBinding binding{};
    std::optional<OcspStaple> staple;
  };

  ServerContext(WOLFSSL_CTX* context, AlpnNames alpn, std::shared_ptr<const Handshake> handshake);

  WOLFSSL_CTX* context_;
  // Shared with the sessions until their protocol is chosen, or their handshake is done: it may outlive this
  // object.
  std::shared_ptr<const AlpnNames> alpn_;
  std::shared_ptr<const Handshake> handshake_;
};

// Once per process, before any other call of this folder. Idempotent, not thread-safe.
[[nodiscard]] Status initialize();

}  // namespace sluice::tls

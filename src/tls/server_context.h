// What all connections of one TLS server share: certificate, key, versions and suites, as a
// WOLFSSL_CTX. Made by the control plane before its snapshot is published, so that a bad certificate
// or suite list is found at load; used by every shard's sessions (wolfSSL counts references to a
// context itself, atomically). Immutable after create().
#pragma once

#include "base/result.h"
#include "snapshot/snapshot.h"
#include "tls/client_hello.h"
#include "tls/local_certificate.h"
#include "tls/ocsp_staple.h"
#include "tls/peer_verifier.h"
#include "tls/ticket_keys.h"

#include <memory>
#include <optional>
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
  // no compression. ALPN: server.settings.alpn in order of server preference; a client without a
  // protocol in common gets no_application_protocol (RFC 7301 3.2), one without the extension is served.
  //
  // Two pairs, one with an RSA and one with an ECDSA key: a client that can use the second one gets it.
  //
  // Clients' certificates: server.settings.client_certificates and client_verification, as
  // tls/peer_verifier.h has it. Which CAs are acceptable is not sent (RFC 8446 4.2.4, RFC 5246 7.4.4): wolfSSL
  // can do it only with its OpenSSL compatibility layer, which costs 3 KB a connection. Clients with several
  // certificates have to be told which one to use.
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

  // What one pair of keys makes.
  struct Pair {
    WOLFSSL_CTX* context;  // owned
    std::shared_ptr<const PrivateKey> key;
    std::shared_ptr<const LocalCertificate> local_certificate;
    std::shared_ptr<const OcspStaple> staple;  // null: none
    uint8_t curve = 0;                         // of kAllCurves; 0: the key is no ECDSA key
  };
  struct Tickets {
    std::shared_ptr<TicketKeyring> keyring;
    TicketBinding binding;
  };

  explicit ServerContext(const snapshot::TlsSettings& settings);
  [[nodiscard]] Status add_pair(const snapshot::TlsSettings& settings, const snapshot::KeyPair& key_pair);
  [[nodiscard]] bool can_use(const Pair& pair, const ClientHello& hello) const noexcept;
  // The first one of the list that the client can use, otherwise the last one.
  [[nodiscard]] const Pair& choose(const ClientHello& hello) const noexcept;

  std::vector<Pair> pairs_;   // one or two, ECDSA first
  uint8_t ecdsa_suites_ = 0;  // of kEcdsaSuites, those that are configured
  bool has_tls_1_2_, has_tls_1_3_;
  // Shared with the sessions until their handshake is done, which may outlive this object.
  std::shared_ptr<const AlpnNames> alpn_;
  std::shared_ptr<const PeerVerifier> verifier_;  // null: no certificates are asked for
  std::shared_ptr<const Tickets> tickets_;        // null: no resumption
};

// Once per process, before any other call of this folder. Idempotent, not thread-safe.
[[nodiscard]] Status initialize();

}  // namespace sluice::tls

// What a session ticket is bound to beside its key: one server's ticket does not open at another one that
// shares the key but is not the same to its clients, and a full handshake follows.
//
// A resumed handshake checks neither side's certificate again, so equal must be:
// - what is demanded of the client: whether it shows a certificate, and which ones are good;
// - who the server is. Otherwise somebody on the way could send a client's connection for A to B, which
//   would resume it without ever showing its certificate (virtual host confusion). RFC 6066 3 therefore
//   forbids it for another name, RFC 8446 4.6.1 wants the name to be valid for the first certificate. The
//   Secrets' names stand for the certificate's identity, neither its bytes, so that its renewal does not make
//   every client sign in again, nor the host names, so that adding a host does not;
// - protocol versions and TLS 1.2 suites: wolfSSL takes a TLS 1.2 session's suite from the ticket and does
//   not look whether this server still offers it.
// So that all servers of one certificate and equal settings resume each other's sessions, in all processes
// with the same documents and the same ticket keys.
#pragma once

#include "base/result.h"
#include "snapshot/snapshot.h"
#include "tls/ticket_keys.h"

namespace sluice::tls {

[[nodiscard]] Result<TicketBinding> ticket_binding(const snapshot::TlsServer& server);

}  // namespace sluice::tls

// What the client's side of a session leaves behind for the next one to the same server (RFC 8446 2.2, RFC 5246
// 7.3, RFC 5077): a ticket or a session id with its secrets. Used once (RFC 8446 C.4), by the thread that has it.
#pragma once

#include "tls/peer_certificate.h"
#include "tls/peer_verifier.h"

#include <memory>
#include <string>

struct WOLFSSL_SESSION;

namespace sluice::tls {

class ResumableSession {
 public:
  ResumableSession(const ResumableSession&) = delete;
  ResumableSession& operator=(const ResumableSession&) = delete;
  ~ResumableSession();

 private:
  friend class Session;
  explicit ResumableSession(WOLFSSL_SESSION* session) noexcept : session_(session) {}

  WOLFSSL_SESSION* session_;  // owned, and shared with nobody
  // A server that resumes shows no certificate. What it showed then counts for the same name and rules only.
  std::string server_name_;
  std::shared_ptr<const PeerVerifier> verifier_;
  std::unique_ptr<PeerCertificate> peer_certificate_;
};

}  // namespace sluice::tls

// Whether a certificate chain of the other side is accepted: chain, dates, use, revocation, names and hashes
// (RFC 5280 6, RFC 6125 6), from the configuration of one server or one cluster. A pure function over bytes
// and a time. Immutable: made by the control plane, used by every shard without locks.
//
// Certificates that lead from the leaf to a CA are looked for among those that the peer sent, in any order;
// superfluous ones do no harm, and a CA that is trusted ends the chain even if the peer sends its issuer. A leaf
// that is itself among the CA certificates is accepted, as in Envoy. Name constraints are checked for DNS, e-mail
// and directory names (what wolfSSL knows), not for IP addresses and URIs; certificate policies are not.
#pragma once

#include "base/bytes.h"
#include "base/durations.h"
#include "base/result.h"
#include "snapshot/snapshot.h"
#include "tls/failure.h"
#include "tls/parsed_certificate.h"
#include "tls/revocation_lists.h"
#include "tls/trust_store.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::tls {

class PeerVerifier {
 public:
  // `peer` is the other side. Refuses, with the reason: CA certificates or CRLs that cannot be used, and no CA
  // certificates for clients (the system's are for servers only).
  [[nodiscard]] static Result<std::shared_ptr<const PeerVerifier>> create(
      const snapshot::PeerVerification& verification, Side peer);

  // `chain` begins with the leaf and is never empty. `server_name` is what a server must be called, by DNS name
  // (one label may be a wildcard) or IP address, unless the configuration lists names; clients have none.
  // Nothing: accepted. The text names the subject and is printable ASCII.
  [[nodiscard]] std::optional<Failure> verify(std::span<const ConstBytes> chain, std::string_view server_name,
                                              WallTime now) const;

 private:
  class PathFinder;
  struct Path;

  PeerVerifier(const snapshot::PeerVerification& verification, Side peer, std::shared_ptr<const TrustStore> store)
      : verification_(verification), peer_(peer), store_(std::move(store)) {}

  [[nodiscard]] std::optional<Failure> check_path(const Path& path, WallTime now) const;
  [[nodiscard]] std::optional<Failure> check_revocation(const Path& path, WallTime now) const;
  [[nodiscard]] std::optional<Failure> check_identity(const Path& path, std::string_view server_name) const;
  [[nodiscard]] std::string describe_source() const;

  snapshot::PeerVerification verification_;  // without the PEM texts
  Side peer_;
  std::shared_ptr<const TrustStore> store_;
  std::optional<RevocationLists> revocation_lists_;
};

// RFC 6125 6.4: whether the host is one of the certificate's DNS names or IP addresses. Common names are not
// looked at.
[[nodiscard]] bool covers_host(const ParsedCertificate& certificate, std::string_view host);

}  // namespace sluice::tls

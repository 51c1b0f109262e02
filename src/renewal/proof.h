// What shows an ACME server that a name is ours, while it looks: an answer of the shards (HTTP-01, TLS-ALPN-01) or a
// TXT record (DNS-01; renewal/txt_change.h makes it). Manager thread; a look at a record blocks, with bounded time.
#pragma once

#include "acme/account_key.h"
#include "acme/authorization.h"
#include "base/durations.h"
#include "base/result.h"
#include "config/managed_certificates.h"
#include "renewal/challenge_board.h"
#include "renewal/txt_change.h"

#include <memory>
#include <stop_token>
#include <string>

namespace sluice::renewal {

struct Proof {
  acme::ChallengeType type = acme::ChallengeType::http_01;
  std::string name;   // the token; the SNI that the server will send; the TXT record's name, with a dot at the end
  std::string value;  // the key authorization (RFC 8555 8.1); the TXT record's value
  std::string host;   // of TLS-ALPN-01: what the certificate is for
};

// RFC 8738 6: the SNI for an IP address is its name in in-addr.arpa or ip6.arpa, without a final dot.
[[nodiscard]] Proof make_proof(const acme::Identifier& identifier, const acme::Challenge& challenge,
                               const acme::AccountKey& key);

class Proofs {
 public:
  // Which outlive it. `issuer` says how TXT records are made.
  Proofs(ChallengeBoard& board, const config::AcmeIssuer& issuer, std::stop_token stop)
      : board_(board), issuer_(issuer), stop_(std::move(stop)) {}

  [[nodiscard]] std::unique_ptr<TxtChange> add_record(const Proof& proof) const {
    return std::make_unique<TxtChange>(issuer_, dns::Change::add, proof.name, proof.value, stop_);
  }
  // Answers of the shards; may be done again.
  [[nodiscard]] Status put_up(const Proof& proof, WallTime now);
  void take_down(const Proof& proof);
  // Whether the server would find it: every shard answers, or resolvers see the record.
  [[nodiscard]] Result<bool> is_visible(const Proof& proof) const;

 private:
  ChallengeBoard& board_;
  const config::AcmeIssuer& issuer_;
  std::stop_token stop_;
};

}  // namespace sluice::renewal

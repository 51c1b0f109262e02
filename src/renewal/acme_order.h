// One certificate from an ACME server (RFC 8555 7.4), step by step. Between any two steps the process may end: what is
// needed to go on is saved before the step that makes it necessary, and read from the record afterwards. So a
// certificate that the server has made is never lost, never made twice and never without its key. Manager thread.
#pragma once

#include "acme/order.h"
#include "base/durations.h"
#include "certs/certificate_wish.h"
#include "certs/issued_certificate.h"
#include "renewal/acme_session.h"
#include "renewal/proof.h"
#include "renewal/record.h"
#include "renewal/txt_change.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::renewal {

// What listeners make possible.
struct PossibleChallenges {
  bool http_01 = false;      // one without TLS
  bool tls_alpn_01 = false;  // one with TLS
};

class AcmeOrder {
 public:
  // Saves the record.
  using Save = std::function<Status()>;

  struct Progress {
    std::optional<certs::IssuedCertificate> certificate;  // the end: it is here, and stays at the server
    Duration pause{};                                     // before the next step
  };

  // `certificate` and `session` outlive it. `subject` is who it is for.
  AcmeOrder(AcmeSession& session, Proofs proofs, const config::Certificate& certificate, certs::Subject subject,
            PossibleChallenges possible);
  AcmeOrder(const AcmeOrder&) = delete;
  AcmeOrder& operator=(const AcmeOrder&) = delete;
  // Takes answers of the shards down. TXT records stay in the record, for who removes them.
  ~AcmeOrder();

  // Requires record.order. At most one exchange with the server, or one look at a TXT record's change. `attempt` counts
  // the failures before: with each of them another challenge is tried, where there is a choice. After a failure of the
  // kind `order` the order is of no use any more; after others the next attempt goes on with it.
  [[nodiscard]] acme::Answer<Progress> step(Record& record, const Save& save, uint32_t attempt, WallTime now);

  [[nodiscard]] bool uses_dns_01() const noexcept { return uses_dns_01_; }

 private:
  struct Name {
    std::string authorization_url;
    std::optional<Proof> proof;         // once it is up
    acme::Challenge challenge;          // with `proof`
    std::unique_ptr<TxtChange> change;  // exactly while the record of `proof` is being made
    bool is_visible = false;
    bool is_accepted = false;
    bool is_valid = false;
  };

  acme::Answer<Progress> advance(Record& record, const Save& save, uint32_t attempt, WallTime now);
  acme::Answer<Progress> begin(Record& record, const Save& save);
  acme::Answer<Progress> validate(Record& record, const Save& save, uint32_t attempt, WallTime now);
  acme::Answer<Progress> look_at_name(Name& name, Record& record, const Save& save, uint32_t attempt, WallTime now);
  acme::Answer<Progress> put_up(Name& name, const acme::Authorization& authorization, Record& record, const Save& save,
                                uint32_t attempt, WallTime now);
  acme::Answer<Progress> wait_for_change(Name& name);
  acme::Answer<Progress> wait_until_visible(Name& name, WallTime now);
  acme::Answer<Progress> accept(Name& name);
  acme::Answer<Progress> finalize(const PendingOrder& order);
  acme::Answer<Progress> fetch(const PendingOrder& order);
  [[nodiscard]] std::vector<acme::ChallengeType> wanted_types(const acme::Identifier& identifier) const;
  // Of asking again and again: what the server says, else a little longer each time.
  [[nodiscard]] Duration next_pause(std::optional<Duration> retry_after);

  AcmeSession& session_;
  Proofs proofs_;
  const config::Certificate& certificate_;
  const certs::Subject subject_;
  const std::vector<acme::Identifier> identifiers_;
  const PossibleChallenges possible_;
  std::optional<acme::Order> order_;  // as the server said last
  std::vector<Name> names_;           // of order_
  std::optional<WallTime> put_up_;    // when every name that needs one had its proof
  bool uses_dns_01_ = false;
  bool may_replace_ = true;       // false: the server does not take `replaces`
  bool has_new_account_ = false;  // the server had forgotten the one of before
  uint32_t looks_ = 0;            // since something has changed
  Duration waited_{};             // for the server, so far
};

}  // namespace sluice::renewal

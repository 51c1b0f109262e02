// Keeps every managed certificate obtained and renewed: for each Certificate of the documents, what is due next and
// doing it, one step after the other. All that it knows beside the documents is in the state directory, and what it
// does is decided by that and the wall clock: after any end of the process it goes on. Manager thread; a step may block
// for as long as one exchange with a server.
//
// Steps of an order, and what is saved before which, so that no end of the process loses a certificate or orders one
// twice:
//
//   record: key of the order ─▶ new order ─▶ record: its URL ─▶ record: TXT record ─▶ TXT record ─▶ challenges ─▶
//   finalize, certificate ─▶ Secret (key, chain) ─▶ record: issued, no order ─▶ TXT record removed ─▶ record
#pragma once

#include "base/durations.h"
#include "config/managed_certificates.h"
#include "renewal/acme_session.h"
#include "renewal/agenda.h"
#include "renewal/challenge_board.h"
#include "renewal/entry.h"
#include "renewal/report.h"
#include "renewal/store.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::renewal {

// What people ask for.
enum class Command : uint8_t {
  issue,   // now, if there is none or it has failed: without waiting for the time of the next attempt
  renew,   // in any case
  revoke,  // at the server that has issued it
};

// What has changed in the Secrets of the state directory.
struct News {
  bool has_certificates = false;  // that were obtained, by this process or another: for the servers that wait for them
  bool needs_load = false;        // of others, which only a load of the documents takes: a person's, or one is gone
};

class Keeper {
 public:
  // `board` outlives it.
  Keeper(Store store, ChallengeBoard& board, MakeTransport make_transport, std::stop_token stop);

  // The documents of the latest load. Orders that are still wanted go on.
  void follow(config::ManagedCertificates documents, PossibleChallenges possible, WallTime now);

  // Does the most urgent thing that is due, if any is. When to call again: `now` or earlier: at once.
  [[nodiscard]] WallTime step(WallTime now);

  // Fails when there is no such Certificate ("namespace/name"), or it cannot be. `reason`: of revoking, empty or one of
  // renewal/revocation_reason.h.
  [[nodiscard]] Status command(Command command, std::string_view certificate, WallTime now, std::string reason = {});

  [[nodiscard]] Report report(WallTime now) const;
  // Since it was asked last.
  [[nodiscard]] News take_news() noexcept { return std::exchange(news_, {}); }

 private:
  // Of an Issuer of the kind acme, as long as it stays as it is.
  struct Session {
    config::Issuer issuer;
    std::string fingerprint;
    std::unique_ptr<AcmeSession> session;  // null: not opened yet
  };

  void load(Entry& entry);
  void load_left_behind();
  void forget_left_behind(WallTime now);
  void refresh(Entry& entry, WallTime now);
  void set_trouble(Entry& entry, const std::string& trouble);
  void schedule(Entry& entry, WallTime now);
  void adopt_secret(Entry& entry, WallTime now);
  [[nodiscard]] bool save(Entry& entry);
  void look_for_lock(WallTime now);
  void look_at_secrets(WallTime now);

  void work(Entry& entry, const InUse& in_use, WallTime now);

  // keeper_obtaining.cc
  void obtain(Entry& entry, const config::Issuer& issuer, const InUse& in_use, WallTime now);
  [[nodiscard]] bool reuse(Entry& entry, const InUse& in_use, WallTime now);
  void sign(Entry& entry, const config::Issuer& issuer, WallTime now);
  void begin_order(Entry& entry, const config::Issuer& issuer, WallTime now);
  void step_order(Entry& entry, const config::Issuer& issuer, WallTime now);
  [[nodiscard]] bool take_quota(const config::Issuer& issuer, WallTime now);
  // `issued`: when it was; `message`: what people are told.
  void finish(Entry& entry, const certs::IssuedCertificate& certificate, WallTime issued, std::string message,
              WallTime now);
  void fail(Entry& entry, const acme::Failure& failure, WallTime now);
  [[nodiscard]] acme::Answer<AcmeSession*> session_of(const config::Issuer& issuer);

  // keeper_afterwards.cc
  void remove_dns_record(Entry& entry, WallTime now);
  void ask_for_window(Entry& entry, WallTime now);
  [[nodiscard]] Result<PendingRevocation> revocation_of(const Entry& entry) const;
  void note_revocation(Entry& entry, const config::Revocation& revocation, WallTime now);
  void revoke(Entry& entry, WallTime now);
  [[nodiscard]] acme::Answer<bool> revoke_at_server(const PendingRevocation& revoking);

  Store store_;
  ChallengeBoard& board_;
  const MakeTransport make_transport_;
  const std::stop_token stop_;
  config::ManagedCertificates documents_;
  PossibleChallenges possible_;
  std::map<config::ObjectKey, Session> sessions_;
  Entries entries_;
  std::map<config::ObjectKey, std::deque<WallTime>> issued_by_;  // of the last day, by Issuer, since the start
  std::map<OrderCounter, uint64_t> orders_;
  uint64_t registrations_ = 0;
  bool has_lock_ = false;
  bool has_documents_ = false;         // of a load, be it without Certificates
  bool has_seen_left_behind_ = false;  // load_left_behind(), once with the lock
  News news_;
  bool has_said_others_manage_ = false;
  WallTime look_for_lock_{};
  WallTime secrets_changed_{};
  SecretTimes secret_times_;  // that this process knows of
};

}  // namespace sluice::renewal

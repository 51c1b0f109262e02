// Keeps every managed certificate obtained and renewed: for each Certificate of the documents, what is due next and
// doing it, one step after the other. All that it knows beside the documents is in the state directory, and what it
// does is decided by that and the wall clock: after any end of the process it goes on. Manager thread; a step may block
// for as long as one exchange with a server.
#pragma once

#include "base/durations.h"
#include "config/managed_certificates.h"
#include "renewal/acme_order.h"
#include "renewal/acme_session.h"
#include "renewal/challenge_board.h"
#include "renewal/record.h"
#include "renewal/report.h"
#include "renewal/store.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
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

class Keeper {
 public:
  // `board` outlives it.
  Keeper(Store store, ChallengeBoard& board, MakeTransport make_transport, std::stop_token stop);

  // The documents of the latest load. Orders that are still wanted go on.
  void follow(config::ManagedCertificates documents, PossibleChallenges possible, WallTime now);

  // Does the most urgent thing that is due, if any is. When to call again: `now` or earlier: at once.
  [[nodiscard]] WallTime step(WallTime now);

  // Fails when there is no such Certificate ("namespace/name"), or it cannot be.
  [[nodiscard]] Status command(Command command, std::string_view certificate, WallTime now);

  [[nodiscard]] Report report(WallTime now) const;
  // Whether Secrets have changed since it was asked last: they are to be loaded.
  [[nodiscard]] bool take_news() noexcept { return std::exchange(has_news_, false); }

 private:
  struct Entry {
    config::Certificate certificate;
    certs::Subject subject;
    std::string digest;  // of what it asks for
    std::string wish;    // of all that an attempt depends on
    Record record;
    bool is_new_record = false;        // there was none, or a damaged one
    std::string trouble;               // why its record cannot be read; empty: it can. Nothing is done then
    bool is_imported = false;          // its Secret is a person's
    uint32_t stumbles = 0;             // passing failures of the order, one after the other
    WallTime revoke_after{};           // when revoking is tried again
    WallTime next_step{};              // of the order, or of what is left of it
    std::unique_ptr<AcmeOrder> order;  // under way in this process; then there is record.order
  };

  // Of an Issuer of the kind acme, as long as it stays as it is.
  struct Session {
    config::Issuer issuer;
    std::string fingerprint;
    std::unique_ptr<AcmeSession> session;  // null: not opened yet
  };

  // Of all entries, at one time.
  struct NamesInUse {
    std::set<std::string> busy;                    // of orders that are under way
    std::map<std::string, WallTime> failed_until;  // an order that has failed keeps others back until then
    size_t orders = 0;
  };

  void load(Entry& entry);
  void refresh(Entry& entry, WallTime now);
  void set_trouble(Entry& entry, const std::string& trouble);
  [[nodiscard]] bool may_work(const Entry& entry) const;
  void adopt_secret(Entry& entry, WallTime now);
  [[nodiscard]] bool save(Entry& entry);
  void look_for_lock(WallTime now);
  void look_at_secrets(WallTime now);

  [[nodiscard]] bool is_wanted(const Entry& entry, WallTime now) const;
  [[nodiscard]] NamesInUse names_in_use(WallTime now) const;
  [[nodiscard]] WallTime names_free_at(const Entry& entry, const NamesInUse& in_use, WallTime now) const;
  [[nodiscard]] bool is_working(const Entry& entry, const NamesInUse& in_use, WallTime now) const;
  [[nodiscard]] WallTime due_time(const Entry& entry, const NamesInUse& in_use, WallTime now) const;
  [[nodiscard]] const config::Revocation* due_revocation(const Entry& entry) const;
  void work(Entry& entry, WallTime now);
  void follow_revocation(Entry& entry, const config::Revocation* revocation, WallTime now);
  void ask_for_window(Entry& entry, WallTime now);
  void remove_dns_record(Entry& entry, WallTime now);
  void obtain(Entry& entry, const config::Issuer& issuer, WallTime now);
  [[nodiscard]] bool reuse(Entry& entry, WallTime now);
  void sign(Entry& entry, const config::Issuer& issuer, WallTime now);
  void begin_order(Entry& entry, const config::Issuer& issuer, WallTime now);
  void step_order(Entry& entry, const config::Issuer& issuer, WallTime now);
  [[nodiscard]] bool take_quota(const config::Issuer& issuer, WallTime now);
  void finish(Entry& entry, const certs::IssuedCertificate& certificate, WallTime now);
  void fail(Entry& entry, const acme::Failure& failure, WallTime now);
  void schedule(Entry& entry, WallTime now);

  [[nodiscard]] acme::Answer<AcmeSession*> session_of(const config::Issuer& issuer);

  Store store_;
  ChallengeBoard& board_;
  const MakeTransport make_transport_;
  const std::stop_token stop_;
  config::ManagedCertificates documents_;
  PossibleChallenges possible_;
  std::map<config::ObjectKey, Session> sessions_;
  std::map<config::ObjectKey, Entry> entries_;
  std::map<config::ObjectKey, std::deque<WallTime>> issued_by_;  // of the last day, by Issuer, since the start
  std::map<OrderCounter, uint64_t> orders_;
  uint64_t registrations_ = 0;
  bool has_lock_ = false;
  bool has_news_ = false;
  bool has_said_others_manage_ = false;
  WallTime look_for_lock_{};
  WallTime secrets_seen_{};
};

}  // namespace sluice::renewal

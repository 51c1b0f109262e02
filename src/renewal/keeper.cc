#include "renewal/keeper.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/wipe.h"
#include "certs/certificate_facts.h"
#include "config/wording.h"
#include "renewal/agenda.h"
#include "renewal/stored_secret.h"
#include "renewal/wish.h"
#include "tls/key_pair.h"
#include "tls/parsed_certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace sluice::renewal {

namespace {

// Of a Secret that can serve. With a request of the user's there is no key.
Result<certs::CertificateFacts> read_usable(const Result<StoredSecret>& secret, bool has_key) {
  if (!secret) return std::unexpected(secret.error());
  snapshot::KeyPair pair;
  pair.chain_pem = secret->certificate.chain_pem;
  pair.key_pem = secret->certificate.key_pem;
  if (has_key) {
    if (const Status usable = tls::check_key_pair(pair); !usable) return std::unexpected(usable.error());
  }
  return certs::read_facts(pair.chain_pem);
}

// The names of a request (spec.csr) are known only now, and must be in the Issuer's domains too.
Result<certs::Subject> requested_subject(const config::Certificate& certificate, const config::Issuer& issuer) {
  Result<certs::Subject> subject = certs::requested_subject(wish_of(certificate), kind_of(issuer));
  if (!subject || !is_acme(&issuer)) return subject;
  for (const std::string& name : subject->names.dns_names) {
    const std::string_view refusal = std::get<config::AcmeIssuer>(issuer.kind).domains.refusal_of(name);
    if (!refusal.empty())
      return failure(fmt::format("domain {} is {} Issuer {}", config::in_quotes(name), refusal, issuer.key.text()));
  }
  return subject;
}

std::set<config::ObjectKey> names_that_differ(const SecretTimes& before, const SecretTimes& after) {
  std::vector<SecretTimes::value_type> changes;
  std::ranges::set_symmetric_difference(before, after, std::back_inserter(changes));
  std::set<config::ObjectKey> names;
  for (const auto& [name, time] : changes) names.insert(name);
  return names;
}

std::string kept_back_text(WallTime until) {
  return fmt::format(
      "an order for one of its names has failed, be it of another Certificate; the next one may begin at {}",
      tls::to_rfc3339(until));
}

}  // namespace

Keeper::Keeper(Store store, ChallengeBoard& board, MakeTransport make_transport, std::stop_token stop)
    : store_(std::move(store)), board_(board), make_transport_(std::move(make_transport)), stop_(std::move(stop)) {
  has_lock_ = store_.take_lock();
  secrets_changed_ = store_.secrets_changed();
  secret_times_ = store_.secret_times();
}

// --- Documents and records -------------------------------------------------------------------------

void Keeper::follow(config::ManagedCertificates documents, PossibleChallenges possible, WallTime now) {
  documents_ = std::move(documents);
  possible_ = possible;
  // Orders refer to sessions, sessions to their own copy of the Issuer.
  std::erase_if(sessions_, [this](auto& each) {
    auto& [key, session] = each;
    const config::Issuer* issuer = documents_.find_issuer(key.text());
    if (is_acme(issuer) && fingerprint_of(*issuer) == session.fingerprint) return false;
    for (auto& [name, entry] : entries_) {
      if (entry.certificate.issuer == key.text()) entry.order.reset();
    }
    return true;
  });
  for (auto& [key, entry] : entries_) {
    if (std::ranges::find(documents_.certificates, key, &config::Certificate::key) != documents_.certificates.end())
      continue;
    entry.is_left_behind = true;
    entry.order.reset();
  }
  forget_left_behind(now);
  for (const config::Certificate& certificate : documents_.certificates) {
    const auto [found, is_made] = entries_.try_emplace(certificate.key);
    Entry& entry = found->second;
    const bool is_new = std::exchange(entry.is_left_behind, false) || is_made;
    const config::Issuer* issuer = documents_.find_issuer(certificate.issuer);
    const certs::CertificateWish wish = wish_of(certificate);
    std::string digest = certs::request_digest(certificate.issuer, wish);
    if (digest != entry.digest || certificate.issuer != entry.certificate.issuer) entry.order.reset();
    entry.certificate = certificate;
    entry.digest = std::move(digest);
    entry.wish = fmt::format("{} {} {}", fingerprint_of(certificate, entry.digest, issuer), possible.http_01,
                             possible.tls_alpn_01);
    if (issuer != nullptr && certificate.problem.empty() && !issuer->problem.empty())
      entry.certificate.problem = fmt::format("Issuer {}: {}", certificate.issuer, issuer->problem);
    if (issuer != nullptr && certificate.problem.empty()) {
      Result<certs::Subject> subject = requested_subject(certificate, *issuer);
      if (subject) {
        entry.subject = std::move(*subject);
      } else {
        entry.certificate.problem = subject.error().message;
      }
    }
    if (is_new || !has_lock_ || !entry.trouble.empty()) load(entry);
    refresh(entry, now);
    if (is_new) entry.next_step = now;
  }
  // What was written since the documents were loaded has been counted as seen.
  if (!std::exchange(has_documents_, true)) news_.has_certificates = true;
}

// Of those whose Certificates the documents have no more, what the last process knew.
void Keeper::load_left_behind() {
  for (const config::ObjectKey& key : store_.certificates()) {
    if (entries_.contains(key)) continue;
    Result<std::optional<Record>> record = store_.read_record(key);
    if (!record || !*record) continue;
    Entry& entry = entries_[key];
    entry.certificate.key = key;
    entry.record = std::move(**record);
    entry.is_left_behind = true;
  }
}

// TXT records that are to be removed, a certificate that is to be revoked, names whose order has failed: as long as
// there is any of them. An order that was under way ends with its key.
void Keeper::forget_left_behind(WallTime now) {
  std::erase_if(entries_, [&](const auto& each) {
    const auto& [key, entry] = each;
    const Record& record = entry.record;
    const bool is_recent =
        std::ranges::any_of(record.failed_orders, [now](auto& failed) { return failed.is_recent(now); });
    if (!entry.is_left_behind || !entry.trouble.empty() || !record.dns_records.empty() || record.revoking || is_recent)
      return false;
    if (has_lock_) (void)store_.remove_record(key);
    return true;
  });
}

// From the disk. Whoever has the lock does it once: from then on what is in memory is what is meant.
void Keeper::load(Entry& entry) {
  Result<std::optional<Record>> record = store_.read_record(entry.certificate.key);
  if (!record) return set_trouble(entry, record.error().message);
  entry.trouble.clear();
  entry.is_new_record = !record->has_value();
  entry.record = std::move(*record).value_or(Record{});
}

void Keeper::set_trouble(Entry& entry, const std::string& trouble) {
  if (entry.trouble != trouble) log::error("Certificate {}: {}", entry.certificate.key.text(), trouble);
  entry.trouble = trouble;
}

// What the Secret and the documents change of the record.
void Keeper::refresh(Entry& entry, WallTime now) {
  if (entry.is_left_behind) return;
  const Record before = entry.record;
  if (entry.trouble.empty()) adopt_secret(entry, now);
  if (!has_lock_ || !entry.may_work()) entry.order.reset();
  if (!entry.trouble.empty()) return;
  Record& record = entry.record;
  record.secret = entry.certificate.secret.text();
  record.issuer = entry.certificate.issuer;
  record.common_name = entry.subject.common_name;
  record.dns_names = entry.subject.names.dns_names;
  if (!entry.certificate.renew) record.is_renew_done = false;
  if (record.wish != entry.wish) {
    record.wish = entry.wish;
    record.backoff = {};
    record.ask_for_window = {};
  }
  // A revocation means what was issued before: never the first certificate that comes.
  if (!record.issued || entry.is_new_record) {
    for (const config::Revocation& revocation : documents_.revocations) {
      const std::string name = revocation.key.text();
      if (revocation.certificate != entry.certificate.key ||
          std::ranges::find(record.revocations, name) != record.revocations.end())
        continue;
      log::info("CertificateRevocation {} has no effect: there is no certificate that it can mean", name);
      record.revocations.push_back(name);
    }
  }
  entry.is_new_record = false;
  schedule(entry, now);
  if (has_lock_ && record != before) (void)save(entry);  // else the next change saves it
}

// A process that was killed may have written the Secret and not the record; people may have removed or imported one.
void Keeper::adopt_secret(Entry& entry, WallTime now) {
  Record& record = entry.record;
  entry.is_imported = false;
  Result<std::optional<std::string>> yaml = store_.read_secret(entry.certificate.secret);
  if (!yaml) return set_trouble(entry, yaml.error().message);
  if (!*yaml) {
    record.issued.reset();
    return;
  }
  const Result<StoredSecret> secret = read_stored_secret(**yaml);
  wipe(**yaml);
  const Result<certs::CertificateFacts> facts = read_usable(secret, entry.certificate.csr_pem.empty());
  if (!facts) {
    log::warning("state: the Secret {} {}: Certificate {} is obtained anew", entry.certificate.secret.text(),
                 facts.error().message, entry.certificate.key.text());
    record.issued.reset();
    return;
  }
  entry.is_imported = secret->digest.empty();
  if (record.issued && record.issued->serial == facts->serial) return;
  record.issued =
      issued_of(*facts, secret->digest, entry.certificate.issuer, std::clamp(facts->not_before, WallTime{}, now));
  record.suggested.reset();
  record.ask_for_window = {};
  if (entry.is_imported) {  // which is the latest wish
    entry.order.reset();
    record.order.reset();
    record.is_renew_wanted = false;
  }
  if (secret->digest != entry.digest) return;
  record.order.reset();
  record.backoff = {};
  record.is_renew_wanted = false;
  record.is_renew_done = entry.certificate.renew;
  record.state = State::ready;
  record.message = "certificate found in the state directory";
}

void Keeper::schedule(Entry& entry, WallTime now) {
  auto& issued = entry.record.issued;
  if (!issued || issued->not_after <= issued->not_before) return;
  issued->issued = std::min(issued->issued, now);  // the clock was ahead then
  entry.record.renewal = renewal_of(entry, *issued);
}

// False: it could not be, and the entry waits. What must not happen without it is not to be done then.
bool Keeper::save(Entry& entry) {
  const Status status = store_.write_record(entry.certificate.key, entry.record);
  if (status) return true;
  log::error("Certificate {}: {}", entry.certificate.key.text(), status.error().message);
  return false;
}

// Whoever has the lock manages; others follow what it writes, and take over when it ends.
void Keeper::look_for_lock(WallTime now) {
  if (has_lock_ || (now < look_for_lock_ && look_for_lock_ - now <= limits::state_lock_pause)) return;
  look_for_lock_ = now + limits::state_lock_pause;
  has_lock_ = store_.take_lock();
  if (!has_lock_) {
    if (!std::exchange(has_said_others_manage_, true))
      log::info("certificates: another process manages those of the state directory; this one serves them");
    return;
  }
  if (has_said_others_manage_) log::info("certificates: this process manages them from now on");
  for (auto& [key, entry] : entries_) {
    load(entry);
    refresh(entry, now);
  }
}

// Another process has written one, or a person has imported one, perhaps of no Certificate. Those that this process
// writes are none of them (finish()).
void Keeper::look_at_secrets(WallTime now) {
  const WallTime changed = store_.secrets_changed();
  if (changed == secrets_changed_) return;
  secrets_changed_ = changed;
  const SecretTimes before = std::exchange(secret_times_, store_.secret_times());
  std::set<config::ObjectKey> names = names_that_differ(before, secret_times_);
  for (auto& [key, entry] : entries_) {
    if (!has_lock_) load(entry);
    if (has_lock_ && !names.contains(entry.certificate.secret)) continue;
    refresh(entry, now);
    if (!entry.record.issued || entry.is_imported || entry.is_left_behind) continue;
    if (names.erase(entry.certificate.secret) > 0) news_.has_certificates = true;
  }
  if (!names.empty()) news_.needs_load = true;
}

// --- What is due -----------------------------------------------------------------------------------

WallTime Keeper::step(WallTime now) {
  look_for_lock(now);
  look_at_secrets(now);
  if (!has_lock_) return look_for_lock_;
  if (has_documents_ && !std::exchange(has_seen_left_behind_, true)) load_left_behind();
  const InUse in_use = what_is_in_use(entries_, now);
  WallTime next = WallTime::max();
  Entry* most_urgent = nullptr;
  for (auto& [key, entry] : entries_) {
    const WallTime due = due_time(entry, documents_, in_use, now);
    if (due >= next) continue;
    next = due;
    most_urgent = &entry;
  }
  if (next > now) return next;
  work(*most_urgent, in_use, now);
  return now;
}

void Keeper::work(Entry& entry, const InUse& in_use, WallTime now) {
  if (!entry.trouble.empty()) {
    entry.next_step = now + limits::state_retry_pause;
    load(entry);
    return refresh(entry, now);
  }
  if (revocation_due(entry, documents_, in_use, now) <= now) {
    const config::Revocation* revocation = due_revocation(entry, documents_);
    return revocation != nullptr ? note_revocation(entry, *revocation, now) : revoke(entry, now);
  }
  if (!entry.may_work()) return remove_dns_record(entry, now);
  const config::Issuer* issuer = documents_.find_issuer(entry.certificate.issuer);
  if (!entry.order && !entry.record.dns_records.empty()) return remove_dns_record(entry, now);
  if (entry.order) return step_order(entry, *issuer, now);
  if (is_wanted(entry, in_use, now)) return obtain(entry, *issuer, in_use, now);
  ask_for_window(entry, now);
}

// --- From outside ----------------------------------------------------------------------------------

Status Keeper::command(Command command, std::string_view certificate, WallTime now, std::string reason) {
  const auto found = std::ranges::find_if(entries_, [&](const auto& each) { return each.first.text() == certificate; });
  if (found == entries_.end() || found->second.is_left_behind)
    return failure(fmt::format("no Certificate {} is in the documents", certificate));
  Entry& entry = found->second;
  const config::Certificate& document = entry.certificate;
  if (!has_lock_) return failure("another process has the state directory, and manages its certificates");
  if (document.user_secret)
    return failure(fmt::format("the Secret {} of the documents is served instead ({})", document.secret.text(),
                               document.user_secret->to_string()));
  if (!document.problem.empty()) return failure(document.problem);
  if (!entry.trouble.empty()) return failure(entry.trouble);
  if (command == Command::revoke) {
    if (!entry.record.issued) return failure("it has no certificate");
    if (entry.record.issued->is_revoked) return failure("its certificate is revoked already");
    if (!is_acme(documents_.find_issuer(entry.record.issued->issuer)))
      return failure("only certificates of ACME servers can be revoked");
    auto& pending = entry.record.revoking;
    if (pending && pending->serial != entry.record.issued->serial)
      return failure("its predecessor is still being revoked: " + entry.record.message);
    if (pending) {
      pending->is_after_renewal = false;  // now, whatever a document says
    } else {
      Result<PendingRevocation> revoking = revocation_of(entry);
      if (!revoking) return std::unexpected(revoking.error());
      pending = std::move(*revoking);
    }
    pending->reason = std::move(reason);
    entry.revoke_after = now;
    return save(entry) ? Status{} : failure("the state directory cannot be written");
  }
  const WallTime free = names_free_at(entry, what_is_in_use(entries_, now), now);
  if (is_acme(documents_.find_issuer(document.issuer)) && free > now + limits::order_turn_pause)
    return failure(kept_back_text(free));
  const bool must_renew =
      command == Command::renew || entry.is_imported || (entry.record.issued && entry.record.issued->is_revoked);
  if (must_renew) entry.record.is_renew_wanted = true;
  entry.record.backoff = {};
  entry.next_step = now;
  return save(entry) ? Status{} : failure("the state directory cannot be written");
}

Report Keeper::report(WallTime now) const {
  Report report;
  report.is_managing = has_lock_;
  report.orders = orders_;
  report.registrations = registrations_;
  const InUse in_use = what_is_in_use(entries_, now);
  for (const auto& [key, entry] : entries_) {
    report.active_dns_challenges += entry.record.dns_records.size();
    if (entry.is_left_behind) continue;
    CertificateReport each = report_of(key.text(), entry.record);
    each.secret = entry.certificate.secret.text();
    each.issuer = entry.certificate.issuer;
    const auto override_state = [&each](State state, std::string message) {
      each.state = state;
      each.message = std::move(message);
    };
    if (!entry.trouble.empty()) {
      override_state(State::error, entry.trouble);
    } else if (!entry.certificate.problem.empty()) {
      override_state(State::error, entry.certificate.problem);
    } else if (entry.certificate.user_secret) {
      override_state(State::ready,
                     "the Secret of the documents is served: " + entry.certificate.user_secret->to_string());
    } else if (entry.is_imported) {
      override_state(State::ready, "the Secret was imported; it is not renewed");
      each.renewal.reset();
    } else if (const WallTime free = names_free_at(entry, in_use, now);
               each.state == State::pending && entry.record.backoff.failures == 0 &&
               is_acme(documents_.find_issuer(entry.certificate.issuer)) && free > now + limits::order_turn_pause) {
      override_state(State::pending, kept_back_text(free));
    }
    each.is_working = has_lock_ && is_working(entry, documents_, in_use, now);
    each.is_overdue = each.renewal && now >= *each.renewal + (*each.expiration - *each.renewal) / 6;
    if (entry.record.issued) ++report.secrets;
    report.certificates.push_back(std::move(each));
  }
  return report;
}

}  // namespace sluice::renewal

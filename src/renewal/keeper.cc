#include "renewal/keeper.h"

#include "acme/renewal_info.h"
#include "base/limits.h"
#include "base/log.h"
#include "certs/authority.h"
#include "certs/certificate_facts.h"
#include "certs/secret_yaml.h"
#include "certs/self_signed.h"
#include "renewal/stored_secret.h"
#include "renewal/wish.h"
#include "tls/key_pair.h"
#include "tls/parsed_certificate.h"
#include "tls/pem.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

namespace sluice::renewal {

namespace {

using config::AcmeIssuer;

constexpr WallTime kNever = WallTime::max();
// Passing failures of an order, one after the other, before it waits longer.
constexpr uint32_t kStumblesMax = 5;

// In [0, 1), the same for one certificate's life.
double random_of(const std::string& serial) {
  const auto hash = tls::sha256(as_bytes(serial));
  uint32_t bits = 0;
  std::memcpy(&bits, hash.data(), sizeof bits);
  return bits / 4294967296.0;
}

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

bool is_acme(const config::Issuer* issuer) {
  return issuer != nullptr && std::holds_alternative<AcmeIssuer>(issuer->kind);
}

}  // namespace

Keeper::Keeper(Store store, ChallengeBoard& board, MakeTransport make_transport, std::stop_token stop)
    : store_(std::move(store)), board_(board), make_transport_(std::move(make_transport)), stop_(std::move(stop)) {
  has_lock_ = store_.take_lock();
  secrets_seen_ = store_.secrets_changed();
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
  std::erase_if(entries_, [this](const auto& each) {
    return std::ranges::find(documents_.certificates, each.first, &config::Certificate::key) ==
           documents_.certificates.end();
  });
  for (const config::Certificate& certificate : documents_.certificates) {
    const auto [found, is_new] = entries_.try_emplace(certificate.key);
    Entry& entry = found->second;
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
      Result<certs::Subject> subject = certs::requested_subject(wish, kind_of(*issuer));
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
  const Record before = entry.record;
  if (entry.trouble.empty()) adopt_secret(entry, now);
  if (!may_work(entry)) entry.order.reset();
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

// Otherwise nothing is done for it until documents or files change.
bool Keeper::may_work(const Entry& entry) const {
  return has_lock_ && !entry.certificate.user_secret && entry.certificate.problem.empty() && entry.trouble.empty();
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
  explicit_bzero((*yaml)->data(), (*yaml)->size());
  const Result<certs::CertificateFacts> facts = read_usable(secret, entry.certificate.csr_pem.empty());
  if (!facts) {
    log::warning("state: the Secret {} {}: Certificate {} is obtained anew", entry.certificate.secret.text(),
                 facts.error().message, entry.certificate.key.text());
    record.issued.reset();
    return;
  }
  entry.is_imported = secret->digest.empty();
  if (record.issued && record.issued->serial == facts->serial) return;
  record.issued = Issued{.digest = secret->digest,
                         .serial = facts->serial,
                         .issuer = entry.certificate.issuer,
                         .certificate_id = facts->certificate_id,
                         .issued = std::clamp(facts->not_before, WallTime{}, now),
                         .not_before = facts->not_before,
                         .not_after = facts->not_after,
                         .is_revoked = false};
  record.suggested.reset();
  record.ask_for_window = {};
  if (secret->digest != entry.digest) return;
  record.order.reset();
  record.backoff = {};
  record.failed_names.clear();
  record.is_renew_wanted = false;
  record.is_renew_done = entry.certificate.renew;
  record.state = State::ready;
  record.message = "certificate found in the state directory";
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

// Another process has written one, or a person has imported one.
void Keeper::look_at_secrets(WallTime now) {
  const WallTime changed = store_.secrets_changed();
  if (changed == secrets_seen_) return;
  secrets_seen_ = changed;
  has_news_ = true;
  for (auto& [key, entry] : entries_) {
    if (!has_lock_) load(entry);
    refresh(entry, now);
  }
}

// --- What is due -----------------------------------------------------------------------------------

bool Keeper::is_wanted(const Entry& entry, WallTime now) const {
  const Record& record = entry.record;
  if (record.is_renew_wanted || record.order) return true;
  if (entry.is_imported) return false;
  if (!record.issued || record.issued->digest != entry.digest) return true;
  if (record.issued->is_revoked) return false;
  return (entry.certificate.renew && !record.is_renew_done) || record.renewal <= now;
}

const config::Revocation* Keeper::due_revocation(const Entry& entry) const {
  if (!entry.record.issued) return nullptr;
  const auto found = std::ranges::find_if(documents_.revocations, [&](const config::Revocation& revocation) {
    return revocation.certificate == entry.certificate.key && revocation.problem.empty() &&
           std::ranges::find(entry.record.revocations, revocation.key.text()) == entry.record.revocations.end();
  });
  return found == documents_.revocations.end() ? nullptr : &*found;
}

WallTime Keeper::due_time(const Entry& entry, const NamesInUse& in_use, WallTime now) const {
  const config::Certificate& certificate = entry.certificate;
  const Record& record = entry.record;
  // A pause that is longer than any is of before the clock was set.
  const auto bounded = [now](WallTime time, Duration pause_max) { return time - now > pause_max ? now : time; };
  const WallTime next_step = bounded(entry.next_step, limits::acme_pause_asked_max);
  if (has_lock_ && !entry.trouble.empty()) return next_step;
  if (!may_work(entry)) return kNever;
  const WallTime retry = record.backoff.is_over(now) ? WallTime{} : record.backoff.recheck_after();
  WallTime due = kNever;
  if (record.is_revocation_wanted || due_revocation(entry) != nullptr)
    due = bounded(entry.revoke_after, limits::renewal_retry_lasting);
  if (entry.order) return std::min(due, std::max(next_step, retry));
  if (!record.dns_records.empty()) return std::min(due, next_step);
  if (is_wanted(entry, now)) {
    WallTime attempt = std::max(next_step, retry);
    if (is_acme(documents_.find_issuer(certificate.issuer)))
      attempt = std::max(attempt, names_free_at(entry, in_use, now));
    return std::min(due, attempt);
  }
  if (!record.issued || record.issued->is_revoked || entry.is_imported) return due;
  due = std::min(due, record.renewal);
  if (!record.issued->certificate_id.empty() && is_acme(documents_.find_issuer(certificate.issuer)))
    due = std::min(due, bounded(record.ask_for_window, limits::acme_window_interval_max));
  return due;
}

// A name has one order at a time, because its answers would take each other's place, and one that fails an hour.
Keeper::NamesInUse Keeper::names_in_use(WallTime now) const {
  NamesInUse in_use;
  for (const auto& [key, entry] : entries_) {
    if (entry.order) {
      ++in_use.orders;
      for (std::string& name : names_of(entry.subject)) in_use.busy.insert(std::move(name));
    }
    const WallTime failed = entry.record.names_failed;
    if (now < failed || now >= failed + limits::failed_order_pause) continue;
    for (const std::string& name : entry.record.failed_names) {
      WallTime& until = in_use.failed_until[name];
      until = std::max(until, failed + limits::failed_order_pause);
    }
  }
  return in_use;
}

// When an order for its names may begin.
WallTime Keeper::names_free_at(const Entry& entry, const NamesInUse& in_use, WallTime now) const {
  WallTime free = in_use.orders < limits::acme_orders_max ? now : now + limits::order_turn_pause;
  for (const std::string& name : names_of(entry.subject)) {
    if (in_use.busy.contains(name)) free = std::max(free, now + limits::order_turn_pause);
    if (const auto failed = in_use.failed_until.find(name); failed != in_use.failed_until.end())
      free = std::max(free, failed->second);
  }
  return free;
}

// Obtaining or revoking, now or in a moment.
bool Keeper::is_working(const Entry& entry, const NamesInUse& in_use, WallTime now) const {
  const bool is_about_to =
      is_wanted(entry, now) || entry.record.is_revocation_wanted || due_revocation(entry) != nullptr;
  return entry.order != nullptr || (is_about_to && due_time(entry, in_use, now) <= now + limits::order_turn_pause);
}

WallTime Keeper::step(WallTime now) {
  look_for_lock(now);
  look_at_secrets(now);
  if (!has_lock_) return look_for_lock_;
  const NamesInUse in_use = names_in_use(now);
  WallTime next = kNever;
  Entry* most_urgent = nullptr;
  for (auto& [key, entry] : entries_) {
    const WallTime due = due_time(entry, in_use, now);
    if (due >= next) continue;
    next = due;
    most_urgent = &entry;
  }
  if (next > now) return next;
  work(*most_urgent, now);
  return now;
}

void Keeper::work(Entry& entry, WallTime now) {
  if (!entry.trouble.empty()) {
    entry.next_step = now + limits::state_retry_pause;
    load(entry);
    return refresh(entry, now);
  }
  const config::Issuer* issuer = documents_.find_issuer(entry.certificate.issuer);
  const config::Revocation* revocation = due_revocation(entry);
  if (entry.record.is_revocation_wanted || revocation != nullptr) return follow_revocation(entry, revocation, now);
  if (!entry.order && !entry.record.dns_records.empty()) return remove_dns_record(entry, now);
  if (entry.order) return step_order(entry, *issuer, now);
  if (is_wanted(entry, now)) return obtain(entry, *issuer, now);
  ask_for_window(entry, now);
}

// --- Obtaining -------------------------------------------------------------------------------------

void Keeper::obtain(Entry& entry, const config::Issuer& issuer, WallTime now) {
  Record& record = entry.record;
  if (record.order && record.order->digest != entry.digest) {
    record.order.reset();
    if (!save(entry)) entry.next_step = now + limits::state_retry_pause;
    return;
  }
  if (record.order) return step_order(entry, issuer, now);
  if (reuse(entry, now)) return;
  if (!take_quota(issuer, now)) {
    return fail(entry,
                {.message = fmt::format("Issuer {} has issued {} certificates within a day, which is its "
                                        "requestsPerDayQuota",
                                        issuer.key.text(), issuer.requests_per_day_max),
                 .kind = FailureKind::passing,
                 .retry_after = {},
                 .type = {}},
                now);
  }
  if (std::holds_alternative<AcmeIssuer>(issuer.kind)) return begin_order(entry, issuer, now);
  sign(entry, issuer, now);
}

bool Keeper::take_quota(const config::Issuer& issuer, WallTime now) {
  std::deque<WallTime>& times = issued_by_[issuer.key];
  std::erase_if(times, [now](WallTime time) { return time > now || now - time > std::chrono::hours(24); });
  if (issuer.requests_per_day_max != 0 && times.size() >= issuer.requests_per_day_max) return false;
  times.push_back(now);
  return true;
}

// Another Certificate has asked for the same: it is served under both names, as with Gardener.
bool Keeper::reuse(Entry& entry, WallTime now) {
  if (!entry.certificate.csr_pem.empty() || entry.record.is_renew_wanted) return false;
  for (auto& [key, other] : entries_) {
    const auto& issued = other.record.issued;
    if (&other == &entry || !issued || issued->digest != entry.digest || issued->is_revoked ||
        other.record.renewal <= now || other.certificate.secret == entry.certificate.secret)
      continue;
    if (entry.record.issued && entry.record.issued->serial == issued->serial) continue;
    Result<std::optional<std::string>> yaml = store_.read_secret(other.certificate.secret);
    if (!yaml || !*yaml) continue;
    const Result<StoredSecret> secret = read_stored_secret(**yaml);
    explicit_bzero((*yaml)->data(), (*yaml)->size());
    if (!secret || secret->digest != entry.digest) continue;
    finish(entry, secret->certificate, now);
    entry.record.message = fmt::format("certificate of {}, which has asked for the same", key.text());
    (void)save(entry);
    return true;
  }
  return false;
}

void Keeper::sign(Entry& entry, const config::Issuer& issuer, WallTime now) {
  const certs::CertificateWish wish = wish_of(entry.certificate);
  const auto issue = [&]() -> Result<certs::IssuedCertificate> {
    const auto* ca = std::get_if<config::CaIssuer>(&issuer.kind);
    if (ca == nullptr) return certs::issue_self_signed(wish, now);
    const Result<certs::Authority> authority = certs::Authority::read(ca->chain_pem, ca->key_pem.text);
    if (!authority) return failure(fmt::format("Issuer {}: its CA {}", issuer.key.text(), authority.error().message));
    return authority->issue(wish, now);
  };
  Result<certs::IssuedCertificate> certificate = issue();
  if (!certificate) {
    return fail(entry,
                {.message = certificate.error().message, .kind = FailureKind::lasting, .retry_after = {}, .type = {}},
                now);
  }
  finish(entry, *certificate, now);
}

// The key is saved before the server hears of it.
void Keeper::begin_order(Entry& entry, const config::Issuer& issuer, WallTime now) {
  const Record before = entry.record;
  PendingOrder order;
  order.digest = entry.digest;
  if (entry.certificate.csr_pem.empty()) {
    Result<certs::SigningKey> key = certs::SigningKey::make(key_type_of(entry.certificate.private_key));
    Result<std::string> pem =
        key ? key->to_pem(wish_of(entry.certificate).key_encoding) : Result<std::string>(std::unexpected(key.error()));
    if (!pem)
      return fail(entry, {.message = pem.error().message, .kind = FailureKind::passing, .retry_after = {}, .type = {}},
                  now);
    order.key_pem = std::move(*pem);
  }
  const auto& issued = entry.record.issued;
  if (issued && issued->issuer == issuer.key.text() && !issued->is_revoked) order.replaces = issued->certificate_id;
  entry.record.order = std::move(order);
  entry.record.state = issued ? State::ready : State::pending;
  entry.record.message = "certificate is being obtained";
  entry.next_step = now;
  if (save(entry)) return;
  entry.record = before;
  entry.next_step = now + limits::state_retry_pause;
}

acme::Answer<AcmeSession*> Keeper::session_of(const config::Issuer& issuer) {
  Session& session = sessions_[issuer.key];
  if (session.session == nullptr) {
    session.issuer = issuer;
    session.fingerprint = fingerprint_of(issuer);
    auto opened = AcmeSession::open(store_, session.issuer, make_transport_, stop_);
    if (!opened) return std::unexpected(std::move(opened.error()));
    session.session = std::move(*opened);
  }
  return session.session.get();
}

void Keeper::step_order(Entry& entry, const config::Issuer& issuer, WallTime now) {
  Record& record = entry.record;
  if (entry.order == nullptr) {
    const acme::Answer<AcmeSession*> session = session_of(issuer);
    if (!session) return fail(entry, session.error(), now);
    entry.order = std::make_unique<AcmeOrder>(**session, Proofs(board_, (*session)->issuer(), stop_), entry.certificate,
                                              entry.subject, possible_);
  }
  const auto save_record = [&]() -> Status { return store_.write_record(entry.certificate.key, record); };
  acme::Answer<AcmeOrder::Progress> progress = entry.order->step(record, save_record, record.backoff.failures, now);
  if (const auto found = sessions_.find(issuer.key); found != sessions_.end())
    registrations_ += found->second.session->take_registrations();
  if (stop_.stop_requested()) return;  // a failure that comes of the end is none
  const OrderCounter counter{.issuer = issuer.key.text(),
                             .success = progress.has_value(),
                             .uses_dns_01 = entry.order->uses_dns_01(),
                             .is_renewal = record.issued.has_value()};
  if (!progress) {
    // Of an order that the server has, the network's and the server's moods are waited out, with the answers up.
    if (progress.error().kind == FailureKind::passing && record.order && !record.order->url.empty() &&
        ++entry.stumbles <= kStumblesMax) {
      log::info("Certificate {}: {}; tried again", entry.certificate.key.text(), progress.error().message);
      entry.next_step =
          now + std::clamp(progress.error().retry_after.value_or(std::chrono::seconds(1 << entry.stumbles)),
                           Duration(limits::acme_look_pause), Duration(limits::acme_pause_asked_max));
      return;
    }
    ++orders_[counter];
    return fail(entry, progress.error(), now);
  }
  entry.stumbles = 0;
  entry.next_step = now + progress->pause;
  if (!progress->certificate) return;
  ++orders_[counter];
  entry.order.reset();
  finish(entry, *progress->certificate, now);
}

// First the Secret, then the record: whoever comes in between finds out from the Secret (adopt_secret()).
void Keeper::finish(Entry& entry, const certs::IssuedCertificate& certificate, WallTime now) {
  const config::Certificate& document = entry.certificate;
  const Result<certs::CertificateFacts> facts = certs::read_facts(certificate.chain_pem);
  if (!facts) {
    return fail(entry,
                {.message = "what was issued " + facts.error().message,
                 .kind = FailureKind::order,
                 .retry_after = {},
                 .type = {}},
                now);
  }
  std::string yaml = certs::secret_yaml({.name_space = document.secret.name_space,
                                         .name = document.secret.name,
                                         .digest = entry.digest,
                                         .labels = document.secret_labels},
                                        certificate);
  const Status written = store_.write_secret(document.secret, yaml);
  explicit_bzero(yaml.data(), yaml.size());
  if (!written) {
    return fail(entry,
                {.message = written.error().message, .kind = FailureKind::passing, .retry_after = {}, .type = {}}, now);
  }
  Record& record = entry.record;
  record.issued = Issued{.digest = entry.digest,
                         .serial = facts->serial,
                         .issuer = document.issuer,
                         .certificate_id = facts->certificate_id,
                         .issued = now,
                         .not_before = facts->not_before,
                         .not_after = facts->not_after,
                         .is_revoked = false};
  record.order.reset();
  record.backoff = {};
  record.failed_names.clear();
  record.suggested.reset();
  record.ask_for_window = now + limits::first_window_pause;
  record.is_renew_wanted = false;
  record.is_renew_done = document.renew;
  record.state = State::ready;
  record.message = "certificate issued";
  entry.is_imported = false;
  entry.next_step = now;
  secrets_seen_ = store_.secrets_changed();
  has_news_ = true;
  schedule(entry, now);
  (void)save(entry);
  log::info("Certificate {}: issued by {} for {}, until {}, renewed at {}", document.key.text(), document.issuer,
            fmt::join(names_of(entry.subject), ", "), tls::to_rfc3339(record.issued->not_after),
            tls::to_rfc3339(record.renewal));
}

// Clocks that disagree, or a server that is never content, must not make a loop of renewals; a document's wish cannot,
// since what is issued after it fulfils it.
void Keeper::schedule(Entry& entry, WallTime now) {
  Record& record = entry.record;
  if (!record.issued || record.issued->not_after <= record.issued->not_before) return;
  record.issued->issued = std::min(record.issued->issued, now);  // the clock was ahead then
  const Issued& issued = *record.issued;
  const WallTime wanted = renewal_time({.not_before = issued.not_before, .not_after = issued.not_after},
                                       {.renew_before = entry.certificate.renew_before, .suggested = record.suggested},
                                       random_of(issued.serial));
  const Duration part = (issued.not_after - issued.not_before) / 10;
  const bool is_over = issued.not_after <= issued.issued;
  const Duration pause =
      is_over ? limits::renewal_pause_max : std::clamp(part, limits::renewal_pause_min, limits::renewal_pause_max);
  record.renewal = std::max(wanted, issued.issued + pause);
  const auto& after = entry.certificate.ensure_renewed_after;
  if (after && issued.issued < *after) record.renewal = std::min(record.renewal, *after);
}

void Keeper::fail(Entry& entry, const acme::Failure& failure, WallTime now) {
  Record& record = entry.record;
  entry.order.reset();
  entry.stumbles = 0;
  record.backoff = after_failure(record.backoff, failure.kind, now, failure.retry_after);
  record.state = State::error;
  record.message = failure.message;
  if (failure.kind == FailureKind::order) {
    record.order.reset();
    record.failed_names = names_of(entry.subject);
    record.names_failed = now;
  }
  entry.next_step = now;
  (void)save(entry);
  log::warning("Certificate {}: {}; tried again at {}", entry.certificate.key.text(), failure.message,
               tls::to_rfc3339(record.backoff.recheck_after()));
}

// What an order has left behind. A record that cannot be removed harms nobody.
void Keeper::remove_dns_record(Entry& entry, WallTime now) {
  const DnsRecord dns = entry.record.dns_records.back();
  const config::Issuer* issuer = documents_.find_issuer(entry.certificate.issuer);
  Status removed = failure("its Issuer is another one now");
  if (is_acme(issuer)) {
    Proofs proofs(board_, std::get<AcmeIssuer>(issuer->kind), stop_);
    removed = proofs.take_down({.type = acme::ChallengeType::dns_01, .name = dns.name, .value = dns.value, .host = {}});
  }
  if (stop_.stop_requested()) return;  // the next process does it
  if (!removed) {
    log::warning("Certificate {}: the TXT record {} with {} stays behind: {}", entry.certificate.key.text(), dns.name,
                 dns.value, removed.error().message);
  }
  entry.record.dns_records.pop_back();
  if (!save(entry)) entry.next_step = now + limits::state_retry_pause;
}

// --- After it was issued ---------------------------------------------------------------------------

void Keeper::ask_for_window(Entry& entry, WallTime now) {
  Record& record = entry.record;
  const config::Issuer* issuer = documents_.find_issuer(entry.certificate.issuer);
  record.ask_for_window = now + limits::window_retry_pause;
  const acme::Answer<AcmeSession*> session = session_of(*issuer);
  if (session) {
    const auto found = acme::fetch_renewal_info((*session)->client(), record.issued->certificate_id);
    if (!found) {
      log::debug("Certificate {}: {}", entry.certificate.key.text(), found.error().message);
    } else if (!*found) {
      record.ask_for_window = now + limits::window_absent_pause;
    } else {
      const acme::RenewalInfo& window = **found;
      record.ask_for_window = now + window.ask_again;
      const SuggestedWindow suggested{.start = window.start, .end = window.end};
      if (record.suggested != suggested && !window.explanation_url.empty())
        log::info("Certificate {}: the authority has set its time of renewal: {}", entry.certificate.key.text(),
                  window.explanation_url);
      record.suggested = suggested;
    }
  }
  schedule(entry, now);
  (void)save(entry);
}

void Keeper::follow_revocation(Entry& entry, const config::Revocation* revocation, WallTime now) {
  Record& record = entry.record;
  const auto done = [&](bool renew) {
    record.is_revocation_wanted = false;
    if (revocation != nullptr) record.revocations.push_back(revocation->key.text());
    if (renew) record.is_renew_wanted = true;
    entry.next_step = now;
    if (!save(entry)) entry.revoke_after = now + limits::state_retry_pause;
  };
  const bool is_meant =
      record.issued && !record.issued->is_revoked &&
      (revocation == nullptr || !revocation->qualifying_date || record.issued->issued < *revocation->qualifying_date);
  if (!is_meant) return done(false);

  const config::Issuer* issuer = documents_.find_issuer(entry.certificate.issuer);
  const auto revoke = [&]() -> acme::Answer<bool> {
    if (!is_acme(issuer)) return acme::fail(FailureKind::lasting, "only certificates of ACME servers can be revoked");
    const acme::Answer<AcmeSession*> session = session_of(*issuer);
    if (!session) return std::unexpected(session.error());
    const acme::Answer<bool> has_account = (*session)->prepare_account();
    if (!has_account || !*has_account) return has_account;
    Result<std::optional<std::string>> yaml = store_.read_secret(entry.certificate.secret);
    if (!yaml) return acme::fail(FailureKind::passing, yaml.error().message);
    const Result<StoredSecret> secret = read_stored_secret(yaml->value_or(""));
    if (*yaml) explicit_bzero((*yaml)->data(), (*yaml)->size());
    if (!secret) return acme::fail(FailureKind::lasting, "the Secret " + secret.error().message);
    const auto chain = tls::decode_pem(secret->certificate.chain_pem, tls::kCertificateLabel);
    if (!chain) return acme::fail(FailureKind::lasting, "the Secret " + chain.error().message);
    const acme::Answer<void> revoked =
        acme::revoke_certificate((*session)->client(), (*session)->account(), chain->front(), std::nullopt);
    if (!revoked && revoked.error().type != "alreadyRevoked") return std::unexpected(revoked.error());
    return true;
  };
  const acme::Answer<bool> is_revoked = revoke();
  if (stop_.stop_requested()) return;      // it is still wanted
  if (is_revoked && !*is_revoked) return;  // the account has come a step further
  if (!is_revoked) {
    entry.revoke_after =
        now + std::max(is_revoked.error().retry_after.value_or(Duration{}), Duration(limits::revocation_retry_pause));
    record.is_revocation_wanted = record.is_revocation_wanted && is_revoked.error().kind == FailureKind::passing;
    record.message = "revoking: " + is_revoked.error().message;
    (void)save(entry);
    return log::error("Certificate {}: revoking it: {}", entry.certificate.key.text(), is_revoked.error().message);
  }
  log::info("Certificate {}: revoked, serial number {}", entry.certificate.key.text(), record.issued->serial);
  const std::string serial = record.issued->serial;
  for (auto& [key, other] : entries_) {
    if (!other.record.issued || other.record.issued->serial != serial) continue;
    other.record.issued->is_revoked = true;
    other.record.state = State::revoked;
    other.record.message = "certificate revoked";
    if (revocation != nullptr && revocation->renew) other.record.is_renew_wanted = true;
    if (&other != &entry) (void)save(other);
  }
  done(revocation != nullptr && revocation->renew);
}

// --- From outside ----------------------------------------------------------------------------------

Status Keeper::command(Command command, std::string_view certificate, WallTime now) {
  const auto found = std::ranges::find_if(entries_, [&](const auto& each) { return each.first.text() == certificate; });
  if (found == entries_.end()) return failure(fmt::format("no Certificate {} is in the documents", certificate));
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
    if (!is_acme(documents_.find_issuer(document.issuer)))
      return failure("only certificates of ACME servers can be revoked");
    entry.record.is_revocation_wanted = true;
    entry.revoke_after = now;
    return save(entry) ? Status{} : failure("the state directory cannot be written");
  }
  const WallTime free = names_free_at(entry, names_in_use(now), now);
  if (is_acme(documents_.find_issuer(document.issuer)) && free > now + limits::order_turn_pause)
    return failure(fmt::format("an order for one of its names has failed: {}; the next one may begin at {}",
                               entry.record.message, tls::to_rfc3339(free)));
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
  const NamesInUse in_use = names_in_use(now);
  for (const auto& [key, entry] : entries_) {
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
    }
    each.is_working = is_working(entry, in_use, now);
    each.is_overdue = each.renewal && now >= *each.renewal + (*each.expiration - *each.renewal) / 6;
    report.active_dns_challenges += entry.record.dns_records.size();
    if (entry.record.issued) ++report.secrets;
    report.certificates.push_back(std::move(each));
  }
  return report;
}

}  // namespace sluice::renewal

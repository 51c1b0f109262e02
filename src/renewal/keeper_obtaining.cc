// The part of Keeper that obtains a certificate: takes another's, signs one, or goes through an order.
#include "base/limits.h"
#include "base/log.h"
#include "base/wipe.h"
#include "certs/authority.h"
#include "certs/certificate_facts.h"
#include "certs/secret_yaml.h"
#include "certs/self_signed.h"
#include "renewal/keeper.h"
#include "renewal/stored_secret.h"
#include "renewal/wish.h"
#include "tls/parsed_certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace sluice::renewal {

namespace {

acme::Failure failure_of(FailureKind kind, std::string message) { return acme::fail(kind, std::move(message)).error(); }

}  // namespace

void Keeper::obtain(Entry& entry, const config::Issuer& issuer, const InUse& in_use, WallTime now) {
  Record& record = entry.record;
  if (record.order && record.order->digest != entry.digest) {
    record.order.reset();
    if (!save(entry)) entry.next_step = now + limits::state_retry_pause;
    return;
  }
  if (record.order) return step_order(entry, issuer, now);
  if (reuse(entry, in_use, now)) return;
  if (!take_quota(issuer, now)) {
    return fail(
        entry,
        failure_of(FailureKind::passing, fmt::format("Issuer {} has issued {} certificates within a day, which is its "
                                                     "requestsPerDayQuota",
                                                     issuer.key.text(), issuer.requests_per_day_max)),
        now);
  }
  if (is_acme(&issuer)) return begin_order(entry, issuer, now);
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
bool Keeper::reuse(Entry& entry, const InUse& in_use, WallTime now) {
  if (!entry.certificate.csr_pem.empty() || entry.record.is_renew_wanted) return false;
  for (auto& [key, other] : entries_) {
    const auto& issued = other.record.issued;
    if (&other == &entry || other.is_left_behind || !issued || issued->digest != entry.digest || issued->is_revoked ||
        other.record.renewal <= now || other.certificate.secret == entry.certificate.secret)
      continue;
    if (entry.record.issued && entry.record.issued->serial == issued->serial) continue;
    if (in_use.unwanted.contains(issued->serial) || renewal_of(entry, *issued) <= now) continue;
    Result<std::optional<std::string>> yaml = store_.read_secret(other.certificate.secret);
    if (!yaml || !*yaml) continue;
    const Result<StoredSecret> secret = read_stored_secret(**yaml);
    wipe(**yaml);
    if (!secret || secret->digest != entry.digest) continue;
    finish(entry, secret->certificate, issued->issued,
           fmt::format("certificate of {}, which has asked for the same", key.text()), now);
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
  if (!certificate) return fail(entry, failure_of(FailureKind::lasting, certificate.error().message), now);
  finish(entry, *certificate, now, "certificate issued", now);
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
    if (!pem) return fail(entry, failure_of(FailureKind::passing, pem.error().message), now);
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
        ++entry.stumbles <= limits::acme_stumbles_max) {
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
  finish(entry, *progress->certificate, now, "certificate issued", now);
}

// First the Secret, then the record: whoever comes in between finds out from the Secret (adopt_secret()).
void Keeper::finish(Entry& entry, const certs::IssuedCertificate& certificate, WallTime issued, std::string message,
                    WallTime now) {
  const config::Certificate& document = entry.certificate;
  const auto before = entry.record.issued;
  look_at_secrets(now);
  if (entry.is_imported && entry.record.issued != before) return;  // a moment ago: it is not written over
  const Result<certs::CertificateFacts> facts = certs::read_facts(certificate.chain_pem);
  if (!facts) return fail(entry, failure_of(FailureKind::order, "what was issued " + facts.error().message), now);
  std::string yaml = certs::secret_yaml({.name_space = document.secret.name_space,
                                         .name = document.secret.name,
                                         .digest = entry.digest,
                                         .labels = document.secret_labels},
                                        certificate);
  const Status written = store_.write_secret(document.secret, yaml);
  wipe(yaml);
  if (!written) return fail(entry, failure_of(FailureKind::passing, written.error().message), now);
  Record& record = entry.record;
  record.issued = issued_of(*facts, entry.digest, document.issuer, issued);
  record.order.reset();
  record.backoff = {};
  record.suggested.reset();
  record.ask_for_window = now + limits::first_window_pause;
  record.is_renew_wanted = false;
  record.is_renew_done = document.renew;
  record.state = State::ready;
  record.message = std::move(message);
  entry.is_imported = false;
  entry.next_step = now;
  const auto times = store_.secret_times();
  if (const auto own = times.find(document.secret); own != times.end()) secret_times_[own->first] = own->second;
  news_.has_certificates = true;
  schedule(entry, now);
  (void)save(entry);
  log::info("Certificate {}: issued by {} for {}, until {}, renewed at {}", document.key.text(), document.issuer,
            fmt::join(names_of(entry.subject), ", "), tls::to_rfc3339(record.issued->not_after),
            tls::to_rfc3339(record.renewal));
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
    std::erase_if(record.failed_orders, [now](const FailedOrder& failed) { return !failed.is_recent(now); });
    if (record.failed_orders.size() >= limits::failed_orders_max)
      record.failed_orders.erase(record.failed_orders.begin());
    record.failed_orders.push_back({.names = names_of(entry.subject), .time = now});
  }
  entry.next_step = now;
  (void)save(entry);
  log::warning("Certificate {}: {}; tried again at {}", entry.certificate.key.text(), failure.message,
               tls::to_rfc3339(record.backoff.recheck_after()));
}

}  // namespace sluice::renewal

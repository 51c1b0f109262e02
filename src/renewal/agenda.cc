#include "renewal/agenda.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "renewal/schedule.h"
#include "renewal/wish.h"
#include "tls/parsed_certificate.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::renewal {

namespace {

// In [0, 1), the same for one certificate's life.
double random_of(const std::string& serial) {
  const auto hash = tls::sha256(as_bytes(serial));
  uint32_t bits = 0;
  std::memcpy(&bits, hash.data(), sizeof bits);
  return bits / 4294967296.0;
}

// A pause that is longer than any is of before the clock was set.
WallTime bounded(WallTime time, Duration pause_max, WallTime now) { return time - now > pause_max ? now : time; }

}  // namespace

InUse what_is_in_use(const Entries& entries, WallTime now) {
  InUse in_use;
  for (const auto& [key, entry] : entries) {
    if (entry.order) {
      ++in_use.orders;
      for (std::string& name : names_of(entry.subject)) in_use.names.insert(std::move(name));
    }
    const auto& revoking = entry.record.revoking;
    if (revoking && revoking->is_after_renewal) in_use.unwanted.insert(revoking->serial);
    if (entry.record.issued && entry.may_work()) in_use.serials.insert(entry.record.issued->serial);
    for (const FailedOrder& failed : entry.record.failed_orders) {
      if (!failed.is_recent(now)) continue;
      for (const std::string& name : failed.names) {
        WallTime& until = in_use.failed_until[name];
        until = std::max(until, failed.end());
      }
    }
  }
  return in_use;
}

WallTime names_free_at(const Entry& entry, const InUse& in_use, WallTime now) {
  WallTime free = in_use.orders < limits::acme_orders_max ? now : now + limits::order_turn_pause;
  for (const std::string& name : names_of(entry.subject)) {
    if (in_use.names.contains(name)) free = std::max(free, now + limits::order_turn_pause);
    if (const auto failed = in_use.failed_until.find(name); failed != in_use.failed_until.end())
      free = std::max(free, failed->second);
  }
  return free;
}

bool is_wanted(const Entry& entry, const InUse& in_use, WallTime now) {
  const Record& record = entry.record;
  if (record.is_renew_wanted || record.order) return true;
  if (entry.is_imported) return false;
  if (!record.issued || record.issued->digest != entry.digest) return true;
  if (record.issued->is_revoked) return false;
  if (in_use.unwanted.contains(record.issued->serial)) return true;
  return (entry.certificate.renew && !record.is_renew_done) || record.renewal <= now;
}

const config::Revocation* due_revocation(const Entry& entry, const config::ManagedCertificates& documents) {
  const auto& revoking = entry.record.revoking;
  if (entry.is_left_behind || !entry.record.issued) return nullptr;
  if (revoking && revoking->serial != entry.record.issued->serial) return nullptr;  // its predecessor comes first
  const auto found = std::ranges::find_if(documents.revocations, [&](const config::Revocation& revocation) {
    return revocation.certificate == entry.certificate.key && revocation.problem.empty() &&
           std::ranges::find(entry.record.revocations, revocation.key.text()) == entry.record.revocations.end();
  });
  return found == documents.revocations.end() ? nullptr : &*found;
}

bool can_revoke(const Entry& entry, const InUse& in_use) {
  const auto& revoking = entry.record.revoking;
  return revoking && !(revoking->is_after_renewal && in_use.serials.contains(revoking->serial));
}

WallTime revocation_due(const Entry& entry, const config::ManagedCertificates& documents, const InUse& in_use,
                        WallTime now) {
  if (!can_revoke(entry, in_use) && due_revocation(entry, documents) == nullptr) return WallTime::max();
  return bounded(entry.revoke_after, limits::renewal_retry_lasting, now);
}

WallTime due_time(const Entry& entry, const config::ManagedCertificates& documents, const InUse& in_use, WallTime now) {
  const Record& record = entry.record;
  const WallTime next_step = bounded(entry.next_step, limits::acme_pause_asked_max, now);
  if (!entry.trouble.empty()) return next_step;  // perhaps it can be read now
  const WallTime due = revocation_due(entry, documents, in_use, now);
  if (!entry.may_work()) return record.dns_records.empty() ? due : std::min(due, next_step);
  const WallTime retry = record.backoff.is_over(now) ? WallTime{} : record.backoff.recheck_after();
  if (entry.order) return std::min(due, std::max(next_step, retry));
  if (!record.dns_records.empty()) return std::min(due, next_step);
  if (is_wanted(entry, in_use, now)) {
    WallTime attempt = std::max(next_step, retry);
    if (is_acme(documents.find_issuer(entry.certificate.issuer)))
      attempt = std::max(attempt, names_free_at(entry, in_use, now));
    return std::min(due, attempt);
  }
  if (!record.issued || record.issued->is_revoked || entry.is_imported) return due;
  const WallTime next = std::min(due, record.renewal);
  if (record.issued->certificate_id.empty() || !is_acme(documents.find_issuer(record.issued->issuer))) return next;
  return std::min(next, bounded(record.ask_for_window, limits::acme_window_interval_max, now));
}

bool is_working(const Entry& entry, const config::ManagedCertificates& documents, const InUse& in_use, WallTime now) {
  const bool is_about_to =
      is_wanted(entry, in_use, now) || entry.record.revoking || due_revocation(entry, documents) != nullptr;
  return entry.order != nullptr ||
         (is_about_to && due_time(entry, documents, in_use, now) <= now + limits::order_turn_pause);
}

WallTime renewal_of(const Entry& entry, const Issued& issued) {
  const WallTime wanted = renewal_time(
      {.not_before = issued.not_before, .not_after = issued.not_after},
      {.renew_before = entry.certificate.renew_before, .suggested = entry.record.suggested}, random_of(issued.serial));
  const Duration part = (issued.not_after - issued.not_before) / 10;
  const bool is_over = issued.not_after <= issued.issued;
  const Duration pause =
      is_over ? limits::renewal_pause_max : std::clamp(part, limits::renewal_pause_min, limits::renewal_pause_max);
  const WallTime renewal = std::max(wanted, issued.issued + pause);
  // A document's wish cannot make a loop: what is issued after it fulfils it.
  const auto& after = entry.certificate.ensure_renewed_after;
  return after && issued.issued < *after ? std::min(renewal, *after) : renewal;
}

}  // namespace sluice::renewal

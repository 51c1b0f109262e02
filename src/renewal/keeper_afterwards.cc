// The part of Keeper for what comes after an order: its TXT records, the authority's wish when to renew, revoking.
#include "acme/renewal_info.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/wipe.h"
#include "renewal/agenda.h"
#include "renewal/keeper.h"
#include "renewal/revocation_reason.h"
#include "renewal/stored_secret.h"
#include "renewal/wish.h"
#include "tls/pem.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace sluice::renewal {

// What an order has left behind. A record that cannot be removed harms nobody.
void Keeper::remove_dns_record(Entry& entry, WallTime now) {
  const DnsRecord& dns = entry.record.dns_records.back();
  const config::Issuer* issuer = documents_.find_issuer(dns.issuer);
  entry.next_step = now + TxtChange::look_pause;
  Status removed = failure(fmt::format("its Issuer {} is not in the documents any more", dns.issuer));
  if (entry.removal != nullptr) {
    std::optional<Status> outcome = entry.removal->outcome();
    if (!outcome) return;
    removed = std::move(*outcome);
    entry.removal.reset();
  } else if (is_acme(issuer)) {
    entry.removal = std::make_unique<TxtChange>(std::get<config::AcmeIssuer>(issuer->kind), dns::Change::remove,
                                                dns.name, dns.value, stop_);
    return;
  }
  if (!removed) {
    log::warning("Certificate {}: the TXT record {} with {} stays behind: {}", entry.certificate.key.text(), dns.name,
                 dns.value, removed.error().message);
  }
  entry.record.dns_records.pop_back();
  if (!save(entry)) entry.next_step = now + limits::state_retry_pause;
}

void Keeper::ask_for_window(Entry& entry, WallTime now) {
  Record& record = entry.record;
  const config::Issuer* issuer = documents_.find_issuer(record.issued->issuer);
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

// --- Revoking --------------------------------------------------------------------------------------

// What the Secret has now.
Result<PendingRevocation> Keeper::revocation_of(const Entry& entry) const {
  Result<std::optional<std::string>> yaml = store_.read_secret(entry.certificate.secret);
  if (!yaml) return std::unexpected(yaml.error());
  const Result<StoredSecret> secret = read_stored_secret(yaml->value_or(""));
  if (*yaml) wipe(**yaml);
  const std::string name = entry.certificate.secret.text();
  if (!secret) return failure(fmt::format("the Secret {} {}", name, secret.error().message));
  const auto chain = tls::decode_pem(secret->certificate.chain_pem, tls::kCertificateLabel);
  if (!chain) return failure(fmt::format("the Secret {} {}", name, chain.error().message));
  return PendingRevocation{.certificate_pem = tls::encode_pem(chain->front(), tls::kCertificateLabel),
                           .serial = entry.record.issued->serial,
                           .issuer = entry.record.issued->issuer,
                           .document = {},
                           .reason = {},
                           .is_after_renewal = false};
}

// What a document asks for becomes part of the record: with `renew`, the Secret has another certificate by the time.
void Keeper::note_revocation(Entry& entry, const config::Revocation& revocation, WallTime now) {
  Record& record = entry.record;
  const Record before = record;
  const std::string name = revocation.key.text();
  const bool is_meant = !record.issued->is_revoked &&
                        (!revocation.qualifying_date || record.issued->issued < *revocation.qualifying_date);
  if (is_meant && !is_acme(documents_.find_issuer(record.issued->issuer))) {
    log::error(
        "CertificateRevocation {} has no effect: only certificates of ACME servers can be revoked, and {} has "
        "issued this one",
        name, record.issued->issuer);
  } else if (is_meant && record.revoking) {  // of the same certificate (due_revocation())
    record.revoking->is_after_renewal = record.revoking->is_after_renewal && revocation.renew;
  } else if (is_meant) {
    Result<PendingRevocation> revoking = revocation_of(entry);
    if (!revoking) {
      entry.revoke_after = now + limits::revocation_retry_pause;
      return log::error("CertificateRevocation {}: {}", name, revoking.error().message);
    }
    record.revoking = std::move(*revoking);
    record.revoking->document = name;
    record.revoking->is_after_renewal = revocation.renew;
  }
  record.revocations.push_back(name);
  if (is_meant && revocation.renew) record.is_renew_wanted = true;
  if (save(entry)) return;
  record = before;
  entry.revoke_after = now + limits::state_retry_pause;
}

void Keeper::revoke(Entry& entry, WallTime now) {
  Record& record = entry.record;
  const PendingRevocation revoking = *record.revoking;
  const acme::Answer<bool> is_revoked = revoke_at_server(revoking);
  if (stop_.stop_requested()) return;  // it is still wanted
  if (is_revoked && !*is_revoked) return;
  if (!is_revoked) {
    entry.revoke_after = now + std::clamp(is_revoked.error().retry_after.value_or(Duration{}),
                                          Duration(limits::revocation_retry_pause), limits::renewal_retry_lasting);
    record.message = "revoking: " + is_revoked.error().message;
    // A person sees it and asks again.
    if (revoking.document.empty() && is_revoked.error().kind != FailureKind::passing) record.revoking.reset();
    (void)save(entry);
    return log::error("Certificate {}: revoking it: {}", entry.certificate.key.text(), is_revoked.error().message);
  }
  log::info("Certificate {}: revoked, serial number {}", entry.certificate.key.text(), revoking.serial);
  for (auto& [key, other] : entries_) {
    if (!other.record.issued || other.record.issued->serial != revoking.serial) continue;
    other.record.issued->is_revoked = true;
    other.record.state = State::revoked;
    other.record.message = "certificate revoked";
    if (&other != &entry) (void)save(other);
  }
  record.revoking.reset();
  entry.next_step = now;
  if (!save(entry)) entry.revoke_after = now + limits::state_retry_pause;
}

// By its own account; RFC 8555 7.6. False: the account has come a step further, and it is asked again.
acme::Answer<bool> Keeper::revoke_at_server(const PendingRevocation& revoking) {
  const config::Issuer* issuer = documents_.find_issuer(revoking.issuer);
  if (!is_acme(issuer)) {
    return acme::fail(FailureKind::lasting,
                      fmt::format("its Issuer {} is not in the documents any more", revoking.issuer));
  }
  const acme::Answer<AcmeSession*> session = session_of(*issuer);
  if (!session) return std::unexpected(session.error());
  const acme::Answer<bool> has_account = (*session)->prepare_account();
  if (!has_account || !*has_account) return has_account;
  const auto certificate = tls::decode_pem(revoking.certificate_pem, tls::kCertificateLabel);
  if (!certificate) return acme::fail(FailureKind::lasting, "its record " + certificate.error().message);
  const acme::Answer<void> revoked = acme::revoke_certificate((*session)->client(), (*session)->account(),
                                                              certificate->front(), revocation_code(revoking.reason));
  if (!revoked && revoked.error().type != "alreadyRevoked") return std::unexpected(revoked.error());
  return true;
}

}  // namespace sluice::renewal

// The part of Keeper for what comes after an order: its TXT records, the authority's wish when to renew, revoking.
#include "acme/renewal_info.h"
#include "base/limits.h"
#include "base/log.h"
#include "renewal/agenda.h"
#include "renewal/keeper.h"
#include "renewal/stored_secret.h"
#include "renewal/wish.h"
#include "tls/pem.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace sluice::renewal {

// What an order has left behind. A record that cannot be removed harms nobody.
void Keeper::remove_dns_record(Entry& entry, WallTime now) {
  const DnsRecord dns = entry.record.dns_records.back();
  const config::Issuer* issuer = documents_.find_issuer(entry.certificate.issuer);
  Status removed = failure("its Issuer is another one now");
  if (is_acme(issuer)) {
    Proofs proofs(board_, std::get<config::AcmeIssuer>(issuer->kind), stop_);
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

// By its own account; RFC 8555 7.6. False: the account has come a step further, and it is asked again.
acme::Answer<bool> Keeper::revoke(const Entry& entry) {
  const config::Issuer* issuer = documents_.find_issuer(entry.certificate.issuer);
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

  const acme::Answer<bool> is_revoked = revoke(entry);
  if (stop_.stop_requested()) return;  // it is still wanted
  if (is_revoked && !*is_revoked) return;
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

}  // namespace sluice::renewal

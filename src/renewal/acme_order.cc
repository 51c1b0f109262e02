#include "renewal/acme_order.h"

#include "base/limits.h"
#include "base/log.h"
#include "certs/certificate_facts.h"
#include "certs/certificate_request.h"
#include "config/wording.h"
#include "tls/key_pair.h"
#include "tls/pem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::renewal {

namespace {

using acme::Answer;
using acme::ChallengeType;
using acme::fail;
using acme::OrderStatus;

std::vector<acme::Identifier> identifiers_of(const certs::SubjectNames& names) {
  std::vector<acme::Identifier> identifiers;
  for (const std::string& name : names.dns_names) identifiers.push_back({acme::Identifier::Type::dns, name});
  for (const std::string& address : names.ip_addresses) identifiers.push_back({acme::Identifier::Type::ip, address});
  return identifiers;
}

// What the server says is not stored in the place of something that works: the key and the names must be right.
Status check_issued(const certs::IssuedCertificate& issued, const certs::Subject& subject) {
  if (!issued.key_pem.empty()) {  // else the user has it
    snapshot::KeyPair pair;
    pair.chain_pem = issued.chain_pem;
    pair.key_pem = issued.key_pem;
    if (const Status usable = tls::check_key_pair(pair); !usable)
      return failure("cannot be used: " + usable.error().message);
  }
  const Result<certs::CertificateFacts> facts = certs::read_facts(issued.chain_pem);
  if (!facts) return std::unexpected(facts.error());
  if (facts->not_after <= facts->not_before) return failure("ends before it begins");
  for (const auto* names : {&subject.names.dns_names, &subject.names.ip_addresses}) {
    for (const std::string& name : *names) {
      if (!certs::is_covered(name, facts->names.dns_names, facts->names.ip_addresses))
        return failure("is not for " + name);
    }
  }
  return {};
}

// For the chain that leads to the CA with this common name. Empty: for none.
acme::IsPreferred preference_for(const std::string& root_common_name) {
  if (root_common_name.empty()) return {};
  return [&root_common_name](const std::string& chain_pem) {
    const Result<certs::CertificateFacts> facts = certs::read_facts(chain_pem);
    return facts && facts->root_common_name == root_common_name;
  };
}

// Everything above the leaf, or empty: what has issued it is not known.
std::string issuers_of(std::string_view chain_pem) {
  const auto chain = tls::decode_pem(chain_pem, tls::kCertificateLabel);
  if (!chain || chain->size() < 2) return {};
  return tls::encode_pem((*chain)[1], tls::kCertificateLabel);
}

}  // namespace

AcmeOrder::AcmeOrder(AcmeSession& session, Proofs proofs, const config::Certificate& certificate,
                     certs::Subject subject, PossibleChallenges possible)
    : session_(session),
      proofs_(std::move(proofs)),
      certificate_(certificate),
      subject_(std::move(subject)),
      identifiers_(identifiers_of(subject_.names)),
      possible_(possible) {}

AcmeOrder::~AcmeOrder() {
  for (const Name& name : names_) {
    if (name.proof) proofs_.take_down(*name.proof);
  }
}

// An account that the server knows no more (a test server that began anew) is made again, once.
Answer<AcmeOrder::Progress> AcmeOrder::step(Record& record, const Save& save, uint32_t attempt, WallTime now) {
  Answer<Progress> progress = advance(record, save, attempt, now);
  if (progress) waited_ += progress->pause;
  if (progress || progress.error().type != "accountDoesNotExist" || has_new_account_) return progress;
  has_new_account_ = true;
  if (const Status forgotten = session_.forget_account_url(); !forgotten)
    return fail(FailureKind::passing, forgotten.error().message);
  order_.reset();
  names_.clear();
  put_up_.reset();
  return Progress{};
}

Answer<AcmeOrder::Progress> AcmeOrder::advance(Record& record, const Save& save, uint32_t attempt, WallTime now) {
  const Answer<bool> has_account = session_.prepare_account();
  if (!has_account) return std::unexpected(has_account.error());
  if (!*has_account) return Progress{};
  // The account of an order is another one when the Issuer's key or contract is; the server would not show it.
  const PendingOrder& saved = *record.order;
  if (saved.url.empty() || saved.account_url != session_.account().url) return begin(record, save);
  if (!order_) {
    Answer<acme::Order> order = acme::fetch_order(session_.client(), session_.account(), saved.url, identifiers_);
    if (!order) return std::unexpected(std::move(order.error()));
    order_ = std::move(*order);
  }
  if (waited_ > limits::acme_order_time_max && order_->status != OrderStatus::valid) {
    const bool is_pending = order_->status == OrderStatus::pending;
    return fail(FailureKind::order, fmt::format("the server has not {} within {} minutes",
                                                is_pending ? "validated the names" : "made the certificate",
                                                limits::acme_order_time_max / std::chrono::minutes(1)));
  }
  switch (order_->status) {
    case OrderStatus::pending: return validate(record, save, attempt, now);
    case OrderStatus::ready: return finalize(saved);
    case OrderStatus::valid: return fetch(saved);
    case OrderStatus::invalid: return std::unexpected(*order_->failure);
    case OrderStatus::processing: break;
  }
  const Duration pause = next_pause(order_->retry_after);
  order_.reset();
  return Progress{.certificate = {}, .pause = pause};
}

// RFC 9773 5: that it takes the place of another one lifts rate limits; it is no reason to fail.
Answer<AcmeOrder::Progress> AcmeOrder::begin(Record& record, const Save& save) {
  PendingOrder& saved = *record.order;
  Answer<acme::Order> order = acme::new_order(session_.client(), session_.account(),
                                              {.identifiers = identifiers_,
                                               .profile = session_.issuer().profile,
                                               .replaces = may_replace_ ? saved.replaces : ""});
  if (!order && may_replace_ && !saved.replaces.empty() && order.error().kind != FailureKind::passing) {
    log::info("Certificate {}: ordered without `replaces`: {}", certificate_.key.text(), order.error().message);
    may_replace_ = false;
    return Progress{};
  }
  if (!order) return std::unexpected(std::move(order.error()));
  saved.url = order->url;
  saved.account_url = session_.account().url;
  if (const Status status = save(); !status) {
    saved.url.clear();
    return fail(FailureKind::passing, status.error().message);
  }
  order_ = std::move(*order);
  return Progress{};
}

// --- Names -----------------------------------------------------------------------------------------

// All of them are put up before the first is looked at, and the slow ones become visible at the same time.
Answer<AcmeOrder::Progress> AcmeOrder::validate(Record& record, const Save& save, uint32_t attempt, WallTime now) {
  if (names_.empty()) {
    for (const std::string& url : order_->authorizations)
      names_.push_back({.authorization_url = url, .proof = {}, .challenge = {}, .change = {}});
  }
  const auto next = [this](auto condition) { return std::ranges::find_if(names_, condition); };
  if (const auto name = next([](const Name& n) { return n.change != nullptr; }); name != names_.end())
    return wait_for_change(*name);
  if (const auto name = next([](const Name& n) { return !n.is_valid && !n.proof; }); name != names_.end())
    return look_at_name(*name, record, save, attempt, now);
  if (!put_up_) {
    put_up_ = now;
    // Resolvers remember for a while that there was none: they are not asked too early, as with Gardener.
    if (uses_dns_01_ && !session_.issuer().skips_dns_records)
      return Progress{.certificate = {}, .pause = limits::first_dns_look_pause};
  }
  if (const auto name = next([](const Name& n) { return n.proof && !n.is_visible; }); name != names_.end())
    return wait_until_visible(*name, now);
  if (const auto name = next([](const Name& n) { return n.proof && !n.is_accepted; }); name != names_.end())
    return accept(*name);
  if (const auto name = next([](const Name& n) { return !n.is_valid; }); name != names_.end())
    return look_at_name(*name, record, save, attempt, now);
  const Duration pause = looks_ == 0 ? Duration{} : next_pause(order_->retry_after);
  ++looks_;
  order_.reset();  // it should be ready
  return Progress{.certificate = {}, .pause = pause};
}

Answer<AcmeOrder::Progress> AcmeOrder::look_at_name(Name& name, Record& record, const Save& save, uint32_t attempt,
                                                    WallTime now) {
  Answer<acme::Authorization> authorization =
      acme::fetch_authorization(session_.client(), session_.account(), name.authorization_url, identifiers_);
  if (!authorization) return std::unexpected(std::move(authorization.error()));
  if (authorization->failure) return std::unexpected(std::move(*authorization->failure));
  if (authorization->status == acme::AuthorizationStatus::valid) {
    name.is_valid = true;
    looks_ = 0;
    return Progress{};
  }
  if (name.proof) return Progress{.certificate = {}, .pause = next_pause(authorization->retry_after)};
  return put_up(name, *authorization, record, save, attempt, now);
}

// In the order in which they are tried. A wildcard has DNS-01 only (RFC 8555 8.4), an address has none (RFC 8738 7).
std::vector<ChallengeType> AcmeOrder::wanted_types(const acme::Identifier& identifier) const {
  switch (config::challenge_for(certificate_, identifier.value)) {
    case config::Challenge::http_01: return {ChallengeType::http_01};
    case config::Challenge::tls_alpn_01: return {ChallengeType::tls_alpn_01};
    case config::Challenge::dns_01: return {ChallengeType::dns_01};
    case config::Challenge::automatic: break;
  }
  std::vector<ChallengeType> types;
  const bool has_dns =
      !std::holds_alternative<std::monostate>(session_.issuer().dns_01) || session_.issuer().skips_dns_records;
  if (has_dns && identifier.type == acme::Identifier::Type::dns) types.push_back(ChallengeType::dns_01);
  if (possible_.http_01) types.push_back(ChallengeType::http_01);
  if (possible_.tls_alpn_01) types.push_back(ChallengeType::tls_alpn_01);
  return types;
}

Answer<AcmeOrder::Progress> AcmeOrder::put_up(Name& name, const acme::Authorization& authorization, Record& record,
                                              const Save& save, uint32_t attempt, WallTime now) {
  std::vector<const acme::Challenge*> possible;
  for (const ChallengeType type : wanted_types(authorization.identifier)) {
    const auto found = std::ranges::find(authorization.challenges, type, &acme::Challenge::type);
    if (found != authorization.challenges.end()) possible.push_back(&*found);
  }
  // The server looks at one of them already, since before the process ended.
  const auto known = std::ranges::find_if(
      possible, [](const acme::Challenge* each) { return each->status != acme::ChallengeStatus::pending; });
  if (possible.empty()) {
    std::vector<std::string_view> offered;
    for (const acme::Challenge& challenge : authorization.challenges) offered.push_back(acme::text_of(challenge.type));
    return fail(
        FailureKind::lasting,
        fmt::format("{}: none of the challenges that the server offers ({}) can be answered: http-01 needs a "
                    "Gateway server without TLS, tls-alpn-01 one with TLS, dns-01 spec.acme.dns01 in the Issuer",
                    authorization.identifier.value, fmt::join(offered, ", ")));
  }
  const acme::Challenge& challenge = known != possible.end() ? **known : *possible[attempt % possible.size()];
  Proof proof = make_proof(authorization.identifier, challenge, *session_.account().key);
  if (challenge.type == ChallengeType::dns_01) {
    uses_dns_01_ = true;
    record.dns_records.push_back({.name = proof.name, .value = proof.value, .issuer = certificate_.issuer});
    if (const Status status = save(); !status) {
      record.dns_records.pop_back();
      return fail(FailureKind::passing, status.error().message);
    }
    name.change = proofs_.add_record(proof);
  } else if (const Status status = proofs_.put_up(proof, now); !status) {
    return fail(FailureKind::passing, fmt::format("{} for {}: {}", acme::text_of(challenge.type),
                                                  authorization.identifier.value, status.error().message));
  }
  name.challenge = challenge;
  name.proof = std::move(proof);
  return Progress{};
}

Answer<AcmeOrder::Progress> AcmeOrder::wait_for_change(Name& name) {
  const std::optional<Status> outcome = name.change->outcome();
  if (!outcome) return Progress{.certificate = {}, .pause = TxtChange::look_pause};
  name.change.reset();
  if (*outcome) return Progress{};
  name.proof.reset();
  return fail(FailureKind::passing, "dns-01: " + outcome->error().message);
}

Answer<AcmeOrder::Progress> AcmeOrder::wait_until_visible(Name& name, WallTime now) {
  const Result<bool> is_visible = proofs_.is_visible(*name.proof);
  if (is_visible && *is_visible) {
    name.is_visible = true;
    looks_ = 0;
    return Progress{};
  }
  if (now - *put_up_ > limits::proof_visible_time_max) {
    const std::string why = is_visible ? "" : ": " + is_visible.error().message;
    if (name.proof->type != ChallengeType::dns_01)
      return fail(FailureKind::passing, "not every shard has the answer to the challenge");
    return fail(FailureKind::passing,
                fmt::format("the TXT record {} was made and is not seen after {} s (precheckNameservers of the "
                            "Issuer){}; is that zone delegated to that server?",
                            name.proof->name, limits::proof_visible_time_max / std::chrono::seconds(1), why));
  }
  const bool is_slow = name.proof->type == ChallengeType::dns_01;
  return Progress{.certificate = {}, .pause = is_slow ? next_pause({}) : limits::board_look_pause};
}

Answer<AcmeOrder::Progress> AcmeOrder::accept(Name& name) {
  // One that has been accepted before the process ended is looked at only.
  if (name.challenge.status == acme::ChallengeStatus::pending) {
    if (Answer<void> accepted = acme::accept_challenge(session_.client(), session_.account(), name.challenge);
        !accepted)
      return std::unexpected(std::move(accepted.error()));
  }
  name.is_accepted = true;
  looks_ = 0;
  return Progress{.certificate = {}, .pause = next_pause({})};
}

// --- The certificate -------------------------------------------------------------------------------

Answer<AcmeOrder::Progress> AcmeOrder::finalize(const PendingOrder& order) {
  std::string csr;
  if (certificate_.csr_pem.empty()) {
    const Result<certs::SigningKey> key = certs::SigningKey::read(order.key_pem);
    if (!key) return fail(FailureKind::order, "the saved key of the order " + key.error().message);
    Result<std::string> made = certs::make_request(subject_, *key);
    if (!made) return fail(FailureKind::lasting, made.error().message);
    csr = std::move(*made);
  } else {
    Result<certs::CertificateRequest> request = certs::read_request(certificate_.csr_pem);
    if (!request) return fail(FailureKind::lasting, "spec.csr " + request.error().message);
    csr = std::move(request->der);
  }
  Answer<acme::Order> finalized =
      acme::finalize_order(session_.client(), session_.account(), *order_, as_bytes(csr), identifiers_);
  if (!finalized) return std::unexpected(std::move(finalized.error()));
  const Duration pause = finalized->status == OrderStatus::valid ? Duration{} : next_pause(finalized->retry_after);
  looks_ = 0;
  order_ = std::move(*finalized);
  // Asked for anew after the pause, if there is one.
  if (order_->status == OrderStatus::processing) order_.reset();
  return Progress{.certificate = {}, .pause = pause};
}

Answer<AcmeOrder::Progress> AcmeOrder::fetch(const PendingOrder& order) {
  Answer<std::string> chain = acme::fetch_certificate(session_.client(), session_.account(), order_->certificate,
                                                      preference_for(certificate_.preferred_chain));
  if (!chain) return std::unexpected(std::move(chain.error()));
  Progress progress;
  progress.certificate.emplace();
  progress.certificate->chain_pem = std::move(*chain);
  progress.certificate->key_pem = order.key_pem;
  progress.certificate->ca_pem = issuers_of(progress.certificate->chain_pem);
  if (const Status fits = check_issued(*progress.certificate, subject_); !fits)
    return fail(FailureKind::order, "the certificate that the server has issued " + fits.error().message);
  return progress;
}

Duration AcmeOrder::next_pause(std::optional<Duration> retry_after) {
  const Duration own = std::min(limits::acme_look_pause * (1U << std::min(looks_, 5U)), limits::acme_look_pause_max);
  ++looks_;
  return std::clamp(retry_after.value_or(own), limits::acme_look_pause, limits::acme_pause_asked_max);
}

}  // namespace sluice::renewal

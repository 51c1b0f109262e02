#include "renewal/acme_session.h"

#include "base/log.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::renewal {

namespace {

using acme::fail;

// One account for each server and each contract with it: Issuers that have these in common share it.
std::string account_id(const config::AcmeIssuer& issuer) {
  std::string id = issuer.server + "\n" + issuer.email;
  if (issuer.external_account) id += "\n" + issuer.external_account->key_id;
  return id;
}

bool is_unknown(const acme::Failure& failure) { return failure.type == "accountDoesNotExist"; }

}  // namespace

acme::Answer<std::unique_ptr<AcmeSession>> AcmeSession::open(Store& store, const config::Issuer& issuer,
                                                             const MakeTransport& make_transport,
                                                             std::stop_token stop) {
  const auto& acme_issuer = std::get<config::AcmeIssuer>(issuer.kind);
  Result<acme::Transport> transport =
      make_transport({.ca_pem = acme_issuer.ca_pem,
                      .ca_source = fmt::format("Issuer {}, caBundle", issuer.key.text()),
                      .stop = std::move(stop)});
  if (!transport) return fail(FailureKind::lasting, transport.error().message);
  return std::unique_ptr<AcmeSession>(new AcmeSession(store, issuer, std::move(*transport)));
}

AcmeSession::AcmeSession(Store& store, const config::Issuer& issuer, acme::Transport transport)
    : store_(store),
      name_("Issuer " + issuer.key.text()),
      issuer_(std::get<config::AcmeIssuer>(issuer.kind)),
      id_(account_id(issuer_)),
      client_(std::move(transport), issuer_.server) {}

acme::Answer<bool> AcmeSession::prepare_account() {
  acme::Answer<void> done;
  if (account_.key == nullptr) {
    done = read_account();
  } else if (account_.url.empty()) {
    done = register_account();
  } else if (wanted_key_ != nullptr) {
    done = is_wanted_key_new_ ? change_key() : look_for_wanted_key();
  } else {
    return true;
  }
  if (!done) return std::unexpected(std::move(done.error()));
  return false;
}

acme::Answer<void> AcmeSession::read_account() {
  std::shared_ptr<const acme::AccountKey> wanted;
  if (issuer_.account_key_pem) {
    Result<acme::AccountKey> key = acme::AccountKey::read(issuer_.account_key_pem->text);
    if (!key) return fail(FailureKind::lasting, fmt::format("{}: its account's key {}", name_, key.error().message));
    wanted = std::make_shared<const acme::AccountKey>(std::move(*key));
  }
  Result<std::optional<StoredAccount>> stored = store_.read_account(id_);
  if (!stored) return fail(FailureKind::passing, stored.error().message);
  if (!*stored) return make_key(std::move(wanted));
  Result<acme::AccountKey> key = acme::AccountKey::read((*stored)->key_pem);
  if (!key)
    return fail(FailureKind::lasting, fmt::format("the saved key of the account at {} {}; remove the file in accounts/ "
                                                  "of the state directory and another account is made",
                                                  issuer_.server, key.error().message));
  account_ = {std::make_shared<const acme::AccountKey>(std::move(*key)), (*stored)->url};
  if (wanted != nullptr && wanted->jwk() != account_.key->jwk()) wanted_key_ = std::move(wanted);
  return {};
}

// Saved before the server hears of it: an account without its key could not be used or revoked any more.
acme::Answer<void> AcmeSession::make_key(std::shared_ptr<const acme::AccountKey> wanted) {
  if (wanted != nullptr) return save({std::move(wanted), {}});
  if (!issuer_.may_register) {
    return fail(FailureKind::lasting,
                fmt::format("{} has no account at {}: set spec.acme.autoRegistration to true, or name the Secret of an "
                            "account's key in spec.acme.privateKeySecretRef",
                            name_, issuer_.server));
  }
  Result<acme::AccountKey> key = acme::AccountKey::make();
  if (!key) return fail(FailureKind::passing, fmt::format("{}: {}", name_, key.error().message));
  return save({std::make_shared<const acme::AccountKey>(std::move(*key)), {}});
}

acme::Answer<void> AcmeSession::register_account() {
  acme::Registration registration;
  if (!issuer_.email.empty()) registration.emails = {issuer_.email};
  registration.only_existing = !issuer_.may_register;
  if (const auto& external = issuer_.external_account) {
    registration.external.emplace();
    registration.external->key_id = external->key_id;
    registration.external->mac_key = external->hmac_key.text;
  }
  acme::Answer<std::string> url = acme::register_account(client_, *account_.key, registration);
  if (!url && is_unknown(url.error()))
    return fail(FailureKind::lasting,
                fmt::format("{}: {} knows no account with its key, and spec.acme.autoRegistration "
                            "is not true",
                            name_, issuer_.server));
  if (!url) return std::unexpected(std::move(url.error()));
  ++registrations_;
  log::info("{}: account {}", name_, *url);
  return save({account_.key, std::move(*url)});
}

// The document has another key than before: of another account, of the same one since a process that was killed has
// changed it, or a new one.
acme::Answer<void> AcmeSession::look_for_wanted_key() {
  acme::Answer<std::string> url =
      acme::register_account(client_, *wanted_key_, {.emails = {}, .external = {}, .only_existing = true});
  if (!url && is_unknown(url.error())) {
    is_wanted_key_new_ = true;
    return {};
  }
  if (!url) return std::unexpected(std::move(url.error()));
  return save({wanted_key_, std::move(*url)});
}

acme::Answer<void> AcmeSession::change_key() {
  if (acme::Answer<void> changed = acme::change_key(client_, account_, *wanted_key_); !changed) return changed;
  log::info("{}: account {} has the key that its Secret has now", name_, account_.url);
  return save({wanted_key_, account_.url});
}

Status AcmeSession::forget_account_url() {
  if (acme::Answer<void> saved = save({account_.key, {}}); !saved) return failure(saved.error().message);
  return {};
}

acme::Answer<void> AcmeSession::save(acme::Account account) {
  StoredAccount stored;
  stored.server = issuer_.server;
  stored.url = account.url;
  stored.key_pem = account.key->to_pem();
  if (Status saved = store_.write_account(id_, stored); !saved)
    return fail(FailureKind::passing, saved.error().message);
  account_ = std::move(account);
  if (account_.key == wanted_key_) wanted_key_ = nullptr;
  return {};
}

}  // namespace sluice::renewal

// What all orders of one Issuer share: the client of its server, and the account there, which is found again after a
// restart (renewal/store.h) or made. Manager thread.
#pragma once

#include "acme/account.h"
#include "acme/client.h"
#include "config/managed_certificates.h"
#include "renewal/store.h"

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

namespace sluice::renewal {

// acme::https_transport(); tests have their own.
using MakeTransport = std::function<Result<acme::Transport>(const acme::HttpsOptions&)>;

class AcmeSession {
 public:
  // `store` and `issuer` (of the kind acme) outlive it.
  [[nodiscard]] static acme::Answer<std::unique_ptr<AcmeSession>> open(Store& store, const config::Issuer& issuer,
                                                                       const MakeTransport& make_transport,
                                                                       std::stop_token stop);

  // One step towards an account that can order: reads it, makes and saves its key, registers it, gives it the key that
  // the document has now (RFC 8555 7.3.5). True: it is there, and nothing was done. A failure changes nothing.
  [[nodiscard]] acme::Answer<bool> prepare_account();

  [[nodiscard]] const acme::Account& account() const noexcept { return account_; }  // when prepare_account() says true
  [[nodiscard]] acme::Client& client() noexcept { return client_; }
  [[nodiscard]] const config::AcmeIssuer& issuer() const noexcept { return issuer_; }
  // The server knows no such account (any more): the next prepare_account() registers it again, with the same key.
  [[nodiscard]] Status forget_account_url();
  // How many accounts were made; what has been asked for is set back.
  [[nodiscard]] uint64_t take_registrations() noexcept { return std::exchange(registrations_, 0); }

 private:
  AcmeSession(Store& store, const config::Issuer& issuer, acme::Transport transport);

  [[nodiscard]] acme::Answer<void> read_account();
  [[nodiscard]] acme::Answer<void> make_key(std::shared_ptr<const acme::AccountKey> wanted);
  [[nodiscard]] acme::Answer<void> register_account();
  [[nodiscard]] acme::Answer<void> look_for_wanted_key();
  [[nodiscard]] acme::Answer<void> change_key();
  [[nodiscard]] acme::Answer<void> save(acme::Account account);

  Store& store_;
  const std::string name_;  // "Issuer default/lets-encrypt"
  const config::AcmeIssuer& issuer_;
  const std::string id_;  // of the account in the store
  acme::Client client_;
  acme::Account account_;                               // without key: not read yet; without URL: not registered
  std::shared_ptr<const acme::AccountKey> wanted_key_;  // null: account_ has the right one
  bool is_wanted_key_new_ = false;                      // the server knows no account with it
  uint64_t registrations_ = 0;
};

}  // namespace sluice::renewal

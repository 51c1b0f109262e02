// Accounts of an ACME server (RFC 8555 7.3). Each function is one exchange; what the caller has to keep of it, before
// the next one, is the account's URL and the PEM of its key.
#pragma once

#include "acme/client.h"

#include <optional>
#include <string>
#include <vector>

namespace sluice::acme {

// RFC 8555 7.3.4: a contract with the authority that was made elsewhere.
struct ExternalAccount {
  std::string key_id;
  std::string mac_key;  // bytes; wiped at the end

  ExternalAccount() = default;
  ExternalAccount(const ExternalAccount&) = default;
  ExternalAccount(ExternalAccount&&) noexcept = default;
  ExternalAccount& operator=(const ExternalAccount&) = default;
  ExternalAccount& operator=(ExternalAccount&&) noexcept = default;
  ~ExternalAccount();
};

struct Registration {
  std::vector<std::string> emails;  // contacts
  std::optional<ExternalAccount> external;
  bool only_existing = false;  // RFC 8555 7.3.1: "accountDoesNotExist" is the type of the failure if there is none
};

// The URL of the account that has this key: it is made if there is none yet, and the terms of service are agreed to.
[[nodiscard]] Answer<std::string> register_account(Client& client, const AccountKey& key,
                                                   const Registration& registration);

// RFC 8555 7.3.5: from now on `new_key` is the account's. Whoever does not know whether this has happened asks
// register_account(only_existing) with either key.
[[nodiscard]] Answer<void> change_key(Client& client, const Account& account, const AccountKey& new_key);

}  // namespace sluice::acme

// Which Secret a credentialName means, and what is in it.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"
#include "snapshot/snapshot.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::config {

class SecretStore {
 public:
  SecretStore(const Model& model, Diagnostics& diagnostics);

  // The pair that a server of `gateway` shows. Secrets are of the gateway's namespace, whatever the
  // Gateway document's is; one in the document's namespace is used with a warning. Null when there is
  // none (a warning) or when it has no pair (an error).
  [[nodiscard]] std::shared_ptr<const snapshot::KeyPair> key_pair(const Text& credential_name, const Gateway& gateway);

 private:
  [[nodiscard]] const Secret* find(const Text& credential_name, const Gateway& gateway);
  [[nodiscard]] std::shared_ptr<const snapshot::KeyPair> read_pair(const Secret& secret);

  Diagnostics& diagnostics_;
  bool all_are_known_;
  std::map<std::string, const Secret*, std::less<>> secrets_;  // by namespace/name
  std::map<const Secret*, std::shared_ptr<const snapshot::KeyPair>> pairs_;
};

}  // namespace sluice::config

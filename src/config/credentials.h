// What the compiler takes from Secrets, ConfigMaps and files; shared by everything that wants certificates.
#pragma once

#include "config/credential_files.h"
#include "config/secret_store.h"

namespace sluice::config {

struct Credentials {
  SecretStore secrets;
  CredentialFiles files;

  Credentials(const Model& model, Diagnostics& diagnostics) : secrets(model, diagnostics), files(diagnostics) {}
};

}  // namespace sluice::config

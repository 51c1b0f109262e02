// From the documents of cert.gardener.cloud to what the certificate manager works on: references resolved, and the
// rules that need more than one document checked.
#pragma once

#include "config/diagnostic.h"
#include "config/managed_certificates.h"
#include "config/model.h"
#include "config/secret_store.h"

namespace sluice::config {

// Broken documents are left out.
[[nodiscard]] ManagedCertificates compile_certificates(const Model& model, const SecretStore& secrets,
                                                       Diagnostics& diagnostics);

}  // namespace sluice::config

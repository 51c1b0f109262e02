// What a Certificate's documents and Secrets are called where nobody has named them.
#pragma once

#include "config/certificate_model.h"
#include "config/managed_certificates.h"

#include <string>
#include <string_view>

namespace sluice::config {

// Five characters that are the same for the same text in every process.
[[nodiscard]] std::string name_suffix(std::string_view text);

// secretRef, else secretName, else NAME-xxxxx; in the Certificate's namespace unless it says another.
[[nodiscard]] ObjectKey secret_of(const CertificateDocument& certificate);

// `Certificate a/b`, or `the certificate of Gateway a/b`
[[nodiscard]] std::string title_of(const CertificateDocument& certificate);

}  // namespace sluice::config

// The rules of Gardener's controller for a single document of cert.gardener.cloud, in its words where they help to find
// more about it. What depends on the Issuer of a Certificate: certificate_compiler.h.
#pragma once

#include "config/certificate_model.h"
#include "config/diagnostic.h"

#include <string_view>

namespace sluice::config {

inline constexpr std::string_view challenge_annotation = "sluice.io/acme-challenge";

void check_issuer(const IssuerDocument& issuer, Diagnostics& diagnostics);
void check_certificate(const CertificateDocument& certificate, Diagnostics& diagnostics);
void check_revocation(const RevocationDocument& revocation, Diagnostics& diagnostics);

// The text of an annotation, or null.
[[nodiscard]] const Text* find_annotation(const Document& document, std::string_view name) noexcept;

}  // namespace sluice::config

// How managed certificates are, in the words of Gardener's controller: as JSON for /certs and `sluice cert --json`, as
// a table for people. Any thread.
#pragma once

#include "control/snapshot_json.h"
#include "renewal/report.h"

#include <span>
#include <string>
#include <string_view>

namespace sluice::control {

[[nodiscard]] Json to_json(const renewal::CertificateReport& certificate);
[[nodiscard]] Json to_json(std::span<const renewal::CertificateReport> certificates);

// One line for each of them; of what to_json() makes, since the commands have it from a running process.
[[nodiscard]] std::string certificates_table(const Json& certificates);
// Everything about one of them.
[[nodiscard]] std::string certificate_text(const Json& certificate);

}  // namespace sluice::control

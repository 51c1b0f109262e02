// `sluice cert ...`, but for self-signed: looks at managed certificates, and gives the process that manages them
// commands. Each prints and returns the exit code: 0 done, 1 failed.
#pragma once

#include "base/address.h"
#include "renewal/keeper.h"

#include <optional>
#include <string>

namespace sluice::control {

// Where certificates are looked at: in a running process, or, without one, in the state directory.
struct CertificateSource {
  std::string state_directory;
  std::optional<SocketAddress> admin;
};

[[nodiscard]] int list_certificates(const CertificateSource& source, bool as_json);
[[nodiscard]] int show_certificate(const CertificateSource& source, const std::string& name, bool as_json);

// Gives the command, waits until it is done and shows how the certificate is then. `name`: "[NAMESPACE/]NAME".
// `reason`: of revoking, empty or one of renewal/revocation_reason.h.
[[nodiscard]] int command_certificate(const SocketAddress& admin, renewal::Command command, const std::string& name,
                                      const std::string& reason, bool as_json);

struct ImportOptions {
  std::string name;  // of the Secret: "[NAMESPACE/]NAME"
  std::string chain_path;
  std::string key_path;
  std::string ca_path;  // empty: none
  std::string state_directory;
};
// Puts a certificate of the user's into the state directory as a Secret: a running process takes it within seconds if
// it manages certificates, else with the next load.
[[nodiscard]] int import_certificate(const ImportOptions& options);

}  // namespace sluice::control

// Self-signed certificates for servers whose managed certificate is not there yet: clients get a warning instead of a
// closed connection, and the handshake of everything else works. Kept over loads, so that one host has one of them for
// as long as it waits. Control thread.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "snapshot/snapshot.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sluice::control {

class FallbackCertificates {
 public:
  // For messages, where others have the name of their Secret: "self-signed for a.example.com, until ...".
  [[nodiscard]] static std::string name_of(const snapshot::TlsServer& server);
  [[nodiscard]] Result<std::shared_ptr<const snapshot::KeyPair>> of(const snapshot::TlsServer& server, WallTime now);

 private:
  std::map<std::vector<std::string>, std::shared_ptr<const snapshot::KeyPair>> by_hosts_;
};

}  // namespace sluice::control

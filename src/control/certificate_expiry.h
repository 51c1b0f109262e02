// Says in the log when certificates that nobody renews come to their end: 30 days and 7 days before, and when it has
// come. Loads say it too; this is for processes that run for long. Control thread.
#pragma once

#include "base/durations.h"
#include "snapshot/snapshot.h"

#include <map>
#include <string>

namespace sluice::control {

class CertificateExpiry {
 public:
  // Looks once an hour, however often it is called.
  void look(const snapshot::Snapshot& snapshot, WallTime now);

 private:
  WallTime looked_{};
  std::map<std::string, unsigned> said_;  // by Secret and serial number: how many of the warnings
};

}  // namespace sluice::control

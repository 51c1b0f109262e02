// How managed certificates are, for people and for metrics: a copy of what the keeper knows.
#pragma once

#include "base/durations.h"
#include "renewal/record.h"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::renewal {

struct CertificateReport {
  std::string certificate;  // "namespace/name"
  std::string secret;       // "namespace/name"
  std::string issuer;       // "namespace/name"
  State state = State::pending;
  std::string message;
  std::string common_name;
  std::vector<std::string> dns_names;
  std::optional<WallTime> issued;
  std::optional<WallTime> renewal;
  std::optional<WallTime> expiration;
  std::optional<Backoff> backoff;
  bool is_working = false;  // something is due or under way
  bool is_overdue = false;  // its renewal should have been done by now
};

// The labels of cert_management_acme_orders.
struct OrderCounter {
  std::string issuer;
  bool success = false;
  bool uses_dns_01 = false;
  bool is_renewal = false;
  friend auto operator<=>(const OrderCounter&, const OrderCounter&) = default;
};

struct Report {
  bool is_managing = false;                     // false: another process has the lock of the state directory
  std::vector<CertificateReport> certificates;  // in the order of their names
  std::map<OrderCounter, uint64_t> orders;      // that have ended, since the start
  uint64_t registrations = 0;                   // accounts made since the start
  size_t secrets = 0;
  size_t active_dns_challenges = 0;
};

// Of one that nobody manages at the moment: what its record says.
[[nodiscard]] CertificateReport report_of(std::string certificate, const Record& record);

}  // namespace sluice::renewal

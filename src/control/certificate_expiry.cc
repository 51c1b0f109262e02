#include "control/certificate_expiry.h"

#include "base/log.h"
#include "base/rfc3339.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace sluice::control {

namespace {

constexpr auto kLookPause = std::chrono::hours(1);
constexpr std::array<Duration, 3> kWarnings = {std::chrono::days(30), std::chrono::days(7), Duration::zero()};

}  // namespace

void CertificateExpiry::look(const snapshot::Snapshot& snapshot, WallTime now) {
  if (now >= looked_ && now - looked_ < kLookPause) return;
  looked_ = now;
  std::map<std::string, unsigned> said;
  for (const snapshot::CertificateSummary& certificate : snapshot.certificates) {
    const auto end = parse_rfc3339(certificate.not_after);
    if (certificate.is_renewed || !end) continue;
    const auto due =
        static_cast<unsigned>(std::ranges::count_if(kWarnings, [&](Duration before) { return *end - now <= before; }));
    const std::string key = certificate.secret_name + " " + certificate.serial;
    const auto before = said_.find(key);
    if (due > (before == said_.end() ? 0 : before->second)) {
      log::warning("{}: the certificate ({}) {} on {}: renew it", certificate.secret_name, certificate.subject,
                   *end <= now ? "expired" : "expires", certificate.not_after);
    }
    said.emplace(key, due);
  }
  said_ = std::move(said);
}

}  // namespace sluice::control

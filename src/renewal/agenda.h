// What is due for a managed certificate, and when: decided by its documents, its record and the wall clock alone. Pure
// functions, for the process that has the lock of the state directory.
#pragma once

#include "base/durations.h"
#include "config/managed_certificates.h"
#include "renewal/entry.h"

#include <cstddef>
#include <map>
#include <set>
#include <string>

namespace sluice::renewal {

// Of all entries, at one time. A name has one order at a time, because its answers would take each other's place, and
// one that fails an hour.
struct InUse {
  std::set<std::string> names;                   // of orders that are under way
  std::map<std::string, WallTime> failed_until;  // names that an order which has failed keeps back until then
  std::set<std::string> serials;                 // of certificates that serve and can be renewed
  std::set<std::string> unwanted;                // of those that are to be revoked when they serve nobody any more
  size_t orders = 0;
};
[[nodiscard]] InUse what_is_in_use(const Entries& entries, WallTime now);
// When an order for the entry's names may begin.
[[nodiscard]] WallTime names_free_at(const Entry& entry, const InUse& in_use, WallTime now);

// Whether a certificate is to be obtained, or is being obtained.
[[nodiscard]] bool is_wanted(const Entry& entry, const InUse& in_use, WallTime now);
// What the documents ask for and the record does not have yet. Null: nothing. It is one of `documents`.
[[nodiscard]] const config::Revocation* due_revocation(const Entry& entry,
                                                       const config::ManagedCertificates& documents);
// Whether record.revoking is not held back by who serves the certificate.
[[nodiscard]] bool can_revoke(const Entry& entry, const InUse& in_use);
// When the next step of a revocation is due; WallTime::max(): there is none.
[[nodiscard]] WallTime revocation_due(const Entry& entry, const config::ManagedCertificates& documents,
                                      const InUse& in_use, WallTime now);
// When the next thing is to be done for it; WallTime::max(): nothing is until documents or files change.
[[nodiscard]] WallTime due_time(const Entry& entry, const config::ManagedCertificates& documents, const InUse& in_use,
                                WallTime now);
// Obtaining or revoking, now or in a moment.
[[nodiscard]] bool is_working(const Entry& entry, const config::ManagedCertificates& documents, const InUse& in_use,
                              WallTime now);
// When `issued` is to be renewed, by its record and its document. Clocks that disagree, or a server that is never
// content, must not make a loop of renewals.
[[nodiscard]] WallTime renewal_of(const Entry& entry, const Issued& issued);

}  // namespace sluice::renewal

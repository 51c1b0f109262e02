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
struct NamesInUse {
  std::set<std::string> busy;                    // of orders that are under way
  std::map<std::string, WallTime> failed_until;  // an order that has failed keeps others back until then
  size_t orders = 0;
};
[[nodiscard]] NamesInUse names_in_use(const Entries& entries, WallTime now);
// When an order for the entry's names may begin.
[[nodiscard]] WallTime names_free_at(const Entry& entry, const NamesInUse& in_use, WallTime now);

// Whether a certificate is to be obtained, or is being obtained.
[[nodiscard]] bool is_wanted(const Entry& entry, WallTime now);
// Null: none. It is one of `documents`.
[[nodiscard]] const config::Revocation* due_revocation(const Entry& entry,
                                                       const config::ManagedCertificates& documents);
// When the next thing is to be done for it; WallTime::max(): nothing is until documents or files change.
[[nodiscard]] WallTime due_time(const Entry& entry, const config::ManagedCertificates& documents,
                                const NamesInUse& in_use, WallTime now);
// Obtaining or revoking, now or in a moment.
[[nodiscard]] bool is_working(const Entry& entry, const config::ManagedCertificates& documents,
                              const NamesInUse& in_use, WallTime now);
// When `issued` is to be renewed, by its record and its document. Clocks that disagree, or a server that is never
// content, must not make a loop of renewals.
[[nodiscard]] WallTime renewal_of(const Entry& entry, const Issued& issued);

}  // namespace sluice::renewal

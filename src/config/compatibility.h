// docs/compatibility.md: what becomes of every field of every kind, from the tables of schema.h.
#pragma once

#include <string>

namespace sluice::config {

// The whole file. `sluice check --print-compatibility` prints it, a unit test compares it with the one in docs/.
[[nodiscard]] std::string compatibility_document();

}  // namespace sluice::config

#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace sluice::bench {

// Ends the program, so that the test fails: the benchmark would measure something else.
inline void require(bool condition, const std::source_location& where = std::source_location::current()) {
  if (condition) return;
  std::fprintf(stderr, "%s:%u: what is measured does not do what it should\n", where.file_name(), where.line());
  std::abort();
}

}  // namespace sluice::bench

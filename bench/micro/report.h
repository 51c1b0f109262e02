// What a micro benchmark reports besides time, by iteration: calls of malloc, a checksum of what was made, and, where
// the processor's counters can be read (perf_event_open(2); not in most virtual machines), instructions.
//
// Whoever uses it is linked with report.cc and with -Wl,--wrap=malloc (bench_report_link_arguments in meson.build).
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <optional>

namespace sluice::bench {

class Report {
 public:
  explicit Report(benchmark::State& state);
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;
  ~Report();

  uint64_t checksum = 0;

 private:
  benchmark::State& state_;
  uint64_t mallocs_before_;
  std::optional<uint64_t> instructions_before_;  // nothing: they cannot be counted
};

}  // namespace sluice::bench

#include "report.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

namespace {
uint64_t malloc_count = 0;
}

// The linker sends every call of what is linked statically here.
extern "C" void* __real_malloc(size_t size);
extern "C" void* __wrap_malloc(size_t size) {
  ++malloc_count;
  return __real_malloc(size);
}
void* operator new(size_t size) { return __wrap_malloc(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace sluice::bench {

namespace {

// Of this thread, in user mode. A negative number: the machine has none, or forbids it (kernel.perf_event_paranoid).
int open_instruction_counter() {
  perf_event_attr wanted{};
  wanted.type = PERF_TYPE_HARDWARE;
  wanted.size = sizeof wanted;
  wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
  wanted.exclude_kernel = 1;
  wanted.exclude_hv = 1;
  return static_cast<int>(syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

std::optional<uint64_t> instructions() {
  static const int counter = open_instruction_counter();
  uint64_t count = 0;
  if (counter < 0 || read(counter, &count, sizeof count) != sizeof count) return std::nullopt;
  return count;
}

benchmark::Counter by_iteration(uint64_t sum) { return {static_cast<double>(sum), benchmark::Counter::kAvgIterations}; }

}  // namespace

Report::Report(benchmark::State& state)
    : state_(state), mallocs_before_(malloc_count), instructions_before_(instructions()) {}

Report::~Report() {
  if (instructions_before_) {
    if (const auto now = instructions()) state_.counters["instructions"] = by_iteration(*now - *instructions_before_);
  }
  state_.counters["mallocs"] = by_iteration(malloc_count - mallocs_before_);
  state_.counters["checksum"] = by_iteration(checksum);
}

}  // namespace sluice::bench

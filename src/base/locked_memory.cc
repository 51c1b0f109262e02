#include "base/locked_memory.h"

#include "base/check.h"
#include "base/log.h"
#include "base/result.h"
#include "base/wipe.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <utility>

namespace sluice {

namespace {

void warn_once(const char* what, int error) noexcept {
  static std::atomic<bool> warned = false;
  if (warned.exchange(true)) return;
  log::warning(
      "keys in memory: {} failed: {}; they may reach swap or a core dump: raise RLIMIT_MEMLOCK (LimitMEMLOCK= of the "
      "service, ulimit -l) or switch both off",
      what, errno_text(error));
}

}  // namespace

LockedMemory LockedMemory::allocate(size_t size) noexcept {
  CHECK(size > 0);
  void* const start = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return {};
  if (mlock(start, size) != 0) warn_once("mlock(2)", errno);
  if (madvise(start, size, MADV_DONTDUMP) != 0) warn_once("madvise(2), MADV_DONTDUMP", errno);
  return LockedMemory({static_cast<std::byte*>(start), size});
}

LockedMemory::LockedMemory(LockedMemory&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

LockedMemory& LockedMemory::operator=(LockedMemory&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

LockedMemory::~LockedMemory() {
  if (is_empty()) return;
  wipe(bytes_);
  munmap(bytes_.data(), bytes_.size());  // unlocks
}

}  // namespace sluice

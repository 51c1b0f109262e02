// The sample upstream: a small service in the manner of httpbin.org, so that sluice can be tried and
// tested without one. Bounded in connections and time, but no program for production.
#pragma once

#include "base/result.h"
#include "web/server.h"

#include <memory>

namespace sluice::sample {

// GET / lists the pages.
[[nodiscard]] Result<std::unique_ptr<web::Server>> start_upstream(const SocketAddress& address);

// `sluice sample-upstream`: until SIGINT or SIGTERM. Returns the exit code.
[[nodiscard]] int run_upstream(const SocketAddress& address);

// What /bytes/N sends at `offset`: any loss, repetition or exchange of bytes shows.
[[nodiscard]] constexpr std::byte sample_byte(uint64_t offset) noexcept {
  return static_cast<std::byte>((offset ^ offset >> 8 ^ offset >> 16 ^ offset >> 24) & 0xff);
}

// FNV-1a, 64 bits: the checksum of /count.
inline constexpr uint64_t checksum_start = 0xcbf29ce484222325;
[[nodiscard]] uint64_t add_to_checksum(uint64_t checksum, ConstBytes bytes) noexcept;

}  // namespace sluice::sample

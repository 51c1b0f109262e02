// How a shard asks for the addresses of a name, and how the answer comes back: the seam between the shards and whoever
// looks names up (dns/resolver.h; tests have their own). Neither side ever waits for the other.
#pragma once

#include "base/address.h"
#include "base/durations.h"

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// A name that may be asked for (RFC 1123 2.1, with underscores): bounded, labels of letters, digits, hyphens and
// underscores, without a dot at its end. What looks like a number (its last label is one: "127.1", "2130706433",
// "0x7f.1") is none: it would be taken for an address by some and for a name by others.
[[nodiscard]] bool is_lookup_name(std::string_view name) noexcept;

struct NameAnswer {
  std::string name;                      // as it was asked for
  std::vector<SocketAddress> addresses;  // port 0; each once, in the order of the answer; empty exactly when it failed
  Duration lifetime{};                   // for which it holds, failures too; zero: for nobody but who asked
  std::string error;                     // "Domain name not found"
};

// Answers on their way to one shard. Shared: they may come when the shard is gone already.
class NameAnswers {
 public:
  using WakeHandler = void (*)(void* owner);
  // `on_wake` is called by any thread when there is something to take, until close().
  NameAnswers(WakeHandler on_wake, void* owner) noexcept : on_wake_(on_wake), owner_(owner) {}

  // Any thread.
  void put(NameAnswer answer);
  // The shard's thread. Nothing comes, and nobody is woken, after close().
  [[nodiscard]] std::vector<NameAnswer> take();
  void close();

 private:
  const WakeHandler on_wake_;
  void* const owner_;
  std::mutex mutex_;
  std::vector<NameAnswer> answers_;
  bool is_closed_ = false;
};

class NameLookup {
 public:
  virtual ~NameLookup() = default;

  // Exactly one answer is put, perhaps before the call returns. Any thread; never waits.
  virtual void look_up(std::string_view name, const std::shared_ptr<NameAnswers>& answers) = 0;
};

}  // namespace sluice

// The names that a shard has asked for, with their addresses: a new connection to a name takes them from here, or waits
// until NameLookup has answered. An answer that has just run out still serves while it is asked for anew, so that a
// busy name never waits. At most limits::dns_names_per_shard_max, the one that was used last goes last. One thread.
#pragma once

#include "base/list.h"
#include "base/name_lookup.h"
#include "base/timer_wheel.h"
#include "io/loop.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice::upstream {

// Somebody who waits for the answer about one name; ends with it, or with the waiter.
class NameWaiter : public ListNode<NameWaiter> {
 public:
  // No addresses: it failed.
  using Handler = void (*)(void* owner, std::span<const SocketAddress> addresses);
  NameWaiter(Handler on_answer, void* owner) noexcept : on_answer_(on_answer), owner_(owner) {}
  ~NameWaiter() { unlink_if_linked(); }

 private:
  friend class Names;
  Handler on_answer_;
  void* owner_;
};

class Names {
 public:
  explicit Names(io::Loop& loop) noexcept : loop_(loop) {}
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;
  ~Names();  // nobody waits

  // From now on `lookup`, which must outlive this, is asked; whenever it has put an answer into `answers`, collect()
  // is to be called. Without: no name has addresses.
  void ask(NameLookup& lookup, std::shared_ptr<NameAnswers> answers) noexcept;

  enum class Status : uint8_t { found, waiting, failed };
  struct Found {
    Status status;
    std::span<const SocketAddress>
        addresses;  // port 0; found: at least one. Valid until the next call of anything here
  };
  // `waiter` is told the answer exactly when the status is waiting.
  [[nodiscard]] Found find(std::string_view name, NameWaiter& waiter);

  // Takes the answers that have come and tells the waiters.
  void collect();

  // About once a second: answers that serve nobody any more go.
  void tidy() noexcept;

  [[nodiscard]] size_t count() const noexcept { return names_.size(); }

 private:
  struct Name : ListNode<Name> {
    std::string text;
    std::vector<SocketAddress> addresses;  // of the last answer; empty: it failed, or there was none
    Instant expires{};                     // of that answer, failure or not
    bool is_asked = false;                 // an answer is owed
    List<NameWaiter> waiters;
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  [[nodiscard]] Name* find_or_add(std::string_view text);
  void forget(Name& name) noexcept;

  io::Loop& loop_;
  NameLookup* lookup_ = nullptr;
  std::shared_ptr<NameAnswers> answers_;
  std::unordered_map<std::string, Name, TextHash, std::equal_to<>> names_;
  List<Name> by_use_;  // all, the one that was used last at the end
};

}  // namespace sluice::upstream

// The answers to ACME challenges, on their way from the certificate manager's thread to the shards: the manager puts
// them up, the control thread publishes them in a snapshot and says when every shard has it. Thread-safe.
#pragma once

#include "snapshot/acme_challenges.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace sluice::renewal {

class ChallengeBoard {
 public:
  // --- manager thread ---
  void put_http(std::string token, std::string key_authorization);
  void put_certificate(std::string server_name, std::shared_ptr<tls::ServerContext> context);
  void remove_http(const std::string& token);
  void remove_certificate(const std::string& server_name);
  // Whether the shards answer with all that has been put up so far.
  [[nodiscard]] bool is_served() const noexcept { return served_ == revision_; }

  // --- control thread ---
  struct Posted {
    std::shared_ptr<const snapshot::AcmeChallenges> challenges;  // null: there are none
    uint64_t revision = 0;
  };
  [[nodiscard]] Posted posted() const;
  // Whether posted() has changed since the last served().
  [[nodiscard]] bool has_news() const noexcept { return served_ != revision_; }
  void served(uint64_t revision) noexcept { served_ = revision; }

 private:
  template <typename Change>
  void change(Change change);

  mutable std::mutex mutex_;  // of challenges_, together with a change of revision_
  std::shared_ptr<const snapshot::AcmeChallenges> challenges_;
  std::atomic<uint64_t> revision_{0};
  std::atomic<uint64_t> served_{0};
};

}  // namespace sluice::renewal

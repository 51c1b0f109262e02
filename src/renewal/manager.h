// The thread of the certificate manager: gives the keeper its documents, people's commands and the time, and shows
// others how certificates are. It ends within a second of its destruction (two more if an executable of a user's does
// not listen): an exchange with a server is given up, and goes on after the next start.
#pragma once

#include "base/result.h"
#include "config/managed_certificates.h"
#include "renewal/challenge_board.h"
#include "renewal/keeper.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace sluice::renewal {

class Manager {
 public:
  // Fails when `state_directory` cannot be used, with the cause and the remedy.
  [[nodiscard]] static Result<std::unique_ptr<Manager>> start(std::string state_directory,
                                                              MakeTransport make_transport = acme::https_transport);

  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager();

  // --- any thread ---
  // After every load. Returns at once.
  void follow(config::ManagedCertificates documents, PossibleChallenges possible);
  // Keeper::command(). True: it has begun; false: the manager is busy with an exchange and does it afterwards.
  [[nodiscard]] Result<bool> command(Command command, std::string certificate, std::string reason);
  // Not null.
  [[nodiscard]] std::shared_ptr<const Report> report() const;
  // Since it was asked last.
  [[nodiscard]] News take_news() noexcept {
    return {.has_certificates = has_certificates_.exchange(false), .needs_load = needs_load_.exchange(false)};
  }
  [[nodiscard]] ChallengeBoard& board() noexcept { return board_; }

 private:
  struct Documents {
    config::ManagedCertificates certificates;
    PossibleChallenges possible;
  };
  struct Ordered {
    Command command;
    std::string certificate;
    std::string reason;
    std::promise<Status> outcome;
  };

  Manager() = default;
  void run(const std::stop_token& stop, Keeper keeper);
  void take_inbox(Keeper& keeper);
  void publish(Keeper& keeper);

  ChallengeBoard board_;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable_any changed_;
  std::optional<Documents> documents_;  // that the keeper has not seen yet
  std::deque<Ordered> commands_;
  std::shared_ptr<const Report> report_ = std::make_shared<Report>();

  std::atomic<bool> has_certificates_{false};  // news
  std::atomic<bool> needs_load_{false};
  std::jthread thread_;  // the last member: it uses the others
};

}  // namespace sluice::renewal

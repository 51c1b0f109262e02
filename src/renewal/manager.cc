#include "renewal/manager.h"

#include "base/limits.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace sluice::renewal {

namespace {

WallTime now_wall() { return std::chrono::system_clock::now(); }

}  // namespace

Result<std::unique_ptr<Manager>> Manager::start(std::string state_directory, MakeTransport make_transport) {
  Result<Store> store = Store::open(std::move(state_directory));
  if (!store) return std::unexpected(store.error());
  std::unique_ptr<Manager> manager(new Manager);
  Manager& self = *manager;
  self.thread_ = std::jthread([&self, store = std::move(*store),
                               make_transport = std::move(make_transport)](const std::stop_token& stop) mutable {
    pthread_setname_np(pthread_self(), "certificates");
    self.run(stop, Keeper(std::move(store), self.board_, std::move(make_transport), stop));
  });
  return manager;
}

Manager::~Manager() {
  thread_.request_stop();
  thread_.join();
}

void Manager::follow(config::ManagedCertificates documents, PossibleChallenges possible) {
  {
    const std::lock_guard lock(mutex_);
    documents_ = Documents{.certificates = std::move(documents), .possible = possible};
  }
  changed_.notify_one();
}

Result<bool> Manager::command(Command command, std::string certificate, std::string reason) {
  std::future<Status> outcome;
  {
    const std::lock_guard lock(mutex_);
    if (commands_.size() >= limits::certificate_commands_max)
      return failure("too many commands wait already; try again");
    commands_.push_back(
        {.command = command, .certificate = std::move(certificate), .reason = std::move(reason), .outcome = {}});
    outcome = commands_.back().outcome.get_future();
  }
  changed_.notify_one();
  if (outcome.wait_for(limits::certificate_command_wait) != std::future_status::ready) return false;
  if (Status status = outcome.get(); !status) return std::unexpected(status.error());
  return true;
}

std::shared_ptr<const Report> Manager::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

// The pause is bounded: the clock may be set, the machine suspended, and both are seen by looking again.
void Manager::run(const std::stop_token& stop, Keeper keeper) {
  while (!stop.stop_requested()) {
    take_inbox(keeper);
    const WallTime now = now_wall();
    const WallTime next = keeper.step(now);
    publish(keeper);
    const Duration pause = std::clamp(next - now, Duration{}, Duration(limits::renewal_look_pause));
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, pause, [this] { return documents_.has_value() || !commands_.empty(); });
  }
}

void Manager::take_inbox(Keeper& keeper) {
  std::optional<Documents> documents;
  std::deque<Ordered> commands;
  {
    const std::lock_guard lock(mutex_);
    documents = std::exchange(documents_, std::nullopt);
    commands = std::exchange(commands_, {});
  }
  if (documents) keeper.follow(std::move(documents->certificates), documents->possible, now_wall());
  if (commands.empty()) return;
  std::vector<Status> outcomes;
  for (const Ordered& each : commands)
    outcomes.push_back(keeper.command(each.command, each.certificate, now_wall(), each.reason));
  publish(keeper);  // whoever hears of the outcome sees it in the report
  for (size_t i = 0; i < commands.size(); ++i) commands[i].outcome.set_value(std::move(outcomes[i]));
}

void Manager::publish(Keeper& keeper) {
  auto report = std::make_shared<const Report>(keeper.report(now_wall()));
  {
    const std::lock_guard lock(mutex_);
    report_ = std::move(report);
  }
  const News news = keeper.take_news();
  if (news.has_certificates) has_certificates_ = true;
  if (news.needs_load) needs_load_ = true;
}

}  // namespace sluice::renewal

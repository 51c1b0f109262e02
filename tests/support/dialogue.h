// A gateway in the simulated world that the test talks to as client and as upstream, step by step: for unit
// tests of everything that needs both sides. The weather is fine unless the test asks for another one.
#pragma once

#include "route_tables.h"
#include "sim_gateway.h"
#include "sim_io/kernel.h"
#include "sim_io/network.h"
#include "sim_io/world.h"
#include "snapshot/snapshot.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::sim {

using namespace std::chrono_literals;

inline const SocketAddress dialogue_listen_address = *SocketAddress::parse("192.0.2.100:80");
inline const SocketAddress dialogue_upstream_address = *SocketAddress::parse("192.0.2.1:8000");

// Everything goes to one cluster of one endpoint.
inline std::unique_ptr<snapshot::Snapshot> one_upstream_snapshot() {
  auto made = std::make_unique<snapshot::Snapshot>();
  made->version = 1;
  snapshot::Cluster& cluster = made->clusters.emplace_back();
  cluster.name = "outbound|8000||one";
  cluster.connect_timeout = 3s;
  cluster.endpoints.push_back({.address = dialogue_upstream_address});
  snapshot::VirtualHost host;
  host.pattern = "*";
  host.route_list = test::add_route_list(*made, {{.route = {.destinations = {{.cluster = 0}}}}});
  snapshot::RouteTable& table = made->route_tables.emplace_back();
  table.hosts.add("*", 0);
  table.virtual_hosts.push_back(std::move(host));
  made->listeners.emplace_back().address = dialogue_listen_address;
  return made;
}

// The test's side of a connection, with what it has heard so far.
class Speaker {
 public:
  explicit Speaker(Endpoint& endpoint) noexcept : endpoint_(&endpoint) {}

  // Waits for nothing: what does not fit into the socket now is kept, and goes with listen().
  void say(std::string_view text) {
    unsaid_ += text;
    listen();
  }
  void finish() {
    finish_wanted_ = true;
    listen();
  }
  void close() {
    endpoint_->close();
    is_closed_ = true;
  }
  void reset() {
    endpoint_->reset();
    is_closed_ = true;
  }
  // Takes no more of what comes.
  void stop_listening() noexcept { is_listening_ = false; }
  void resume_listening() noexcept { is_listening_ = true; }

  // Takes only that much of what has come.
  void hear_some(size_t size) {
    std::string room(size, '\0');
    const long count = endpoint_->read({reinterpret_cast<std::byte*>(room.data()), room.size()});
    heard_ += room.substr(0, count > 0 ? static_cast<size_t>(count) : 0);
  }

  // Moves what can be moved.
  void listen();

  // What was said does not fit into the socket: the other side does not read it.
  [[nodiscard]] bool is_interrupted() const noexcept { return !unsaid_.empty(); }
  [[nodiscard]] const std::string& heard() const noexcept { return heard_; }
  // What was heard since the last call.
  [[nodiscard]] std::string take_heard() { return std::exchange(heard_, {}); }
  // The other side has ended, in order or not.
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }
  [[nodiscard]] bool has_ended_in_order() const noexcept { return has_ended_ && endpoint_->has_peer_finished(); }
  [[nodiscard]] bool was_reset() const noexcept { return endpoint_->is_dead(); }
  // What was said, without an answer to it.
  [[nodiscard]] bool was_acknowledged() const noexcept { return endpoint_->was_acknowledged(); }

 private:
  Endpoint* endpoint_;
  std::string unsaid_;
  std::string heard_;
  bool is_listening_ = true;
  bool finish_wanted_ = false;
  bool has_finished_ = false;
  bool has_ended_ = false;
  bool is_closed_ = false;
};

inline void Speaker::listen() {
  if (is_closed_) return;
  while (!unsaid_.empty()) {
    const long written = endpoint_->write(as_bytes(unsaid_));
    if (written <= 0) break;
    unsaid_.erase(0, static_cast<size_t>(written));
  }
  if (finish_wanted_ && unsaid_.empty() && !std::exchange(has_finished_, true)) endpoint_->shutdown_write();
  if (!is_listening_ || has_ended_) return;
  std::array<std::byte, 16 * 1024> room;
  long count = 0;
  while ((count = endpoint_->read(room)) > 0) heard_ += as_text(ConstBytes(room).first(static_cast<size_t>(count)));
  if (count == 0 || count == -ECONNRESET || count == -EPIPE) has_ended_ = true;
}

class Dialogue {
 public:
  explicit Dialogue(uint64_t seed = 1, const Weather& weather = fine_weather(), const io::LoopOptions& options = {},
                    std::unique_ptr<snapshot::Snapshot> snapshot = one_upstream_snapshot())
      : world_(seed, weather), gateway_(world_, keyed(*snapshot), seed, options) {
    snapshots_.push_back(std::move(snapshot));
    world_.network().serve(
        dialogue_upstream_address,
        {.answer = [this] { return Network::Answer{.error = connect_error, .delay = connect_delay}; },
         .on_connection = [this](Endpoint& endpoint) { upstreams_.emplace_back(endpoint); }});
  }
  // Ends everything and looks whether something is left.
  ~Dialogue() { gateway_.end(); }

  Speaker& connect(const SocketAddress& listener = dialogue_listen_address) {
    return clients_.emplace_back(*world_.network().connect(listener));
  }
  // The gateway runs on `next` from now on; snapshots that nobody uses any more are freed, as the control plane does.
  void reload(std::unique_ptr<snapshot::Snapshot> next) {
    next->version = snapshots_.back()->version + 1;
    next->cluster_keys = snapshot::key_clusters(*next, snapshots_.back().get());
    gateway_.adopt(*next);
    snapshots_.push_back(std::move(next));
    collect();
  }
  void collect() {
    const uint64_t oldest = gateway_.services().snapshots.oldest_version();
    std::erase_if(snapshots_, [oldest](const auto& each) { return each->version < oldest; });
  }
  // The `index`th connection that the gateway has made.
  [[nodiscard]] Speaker& upstream(size_t index = 0) { return upstreams_.at(index); }
  [[nodiscard]] size_t upstream_count() const noexcept { return upstreams_.size(); }

  // Lets the world go on until nobody has anything to say for a while.
  void settle(Duration quiet_for = 50ms) {
    for (const Instant end = world_.now() + quiet_for; world_.now() < end;) step();
  }
  // The same, until `is_done()`; false: an hour later it was still not.
  template <typename IsDone>
  bool until(IsDone is_done) {
    const Instant end = world_.now() + 1h;
    while (!is_done()) {
      if (world_.now() > end) return false;
      step(20s);
    }
    return true;
  }

  [[nodiscard]] World& world() noexcept { return world_; }
  [[nodiscard]] SimGateway& gateway() noexcept { return gateway_; }

  int connect_error = 0;  // what the gateway's next connects are told
  Duration connect_delay = 1ms;

 private:
  // As publication does.
  static const snapshot::Snapshot& keyed(snapshot::Snapshot& snapshot) {
    snapshot.cluster_keys = snapshot::key_clusters(snapshot, nullptr);
    return snapshot;
  }

  void step(Duration max_wait = 10ms) {
    // Speakers hear of nothing by themselves: short steps while something is under way.
    gateway_.turn(std::min<Duration>(max_wait, world_.next_event() - world_.now() < 1s ? 1ms : max_wait));
    for (Speaker& speaker : clients_) speaker.listen();
    for (Speaker& speaker : upstreams_) speaker.listen();
  }

  World world_;
  std::vector<std::unique_ptr<snapshot::Snapshot>> snapshots_;  // that the gateway may use
  SimGateway gateway_;
  std::deque<Speaker> clients_;
  std::deque<Speaker> upstreams_;
};

}  // namespace sluice::sim

#include "sim/run.h"

#include "sim/client_actor.h"
#include "sim/gateway_snapshot.h"
#include "sim/http2_client_actor.h"
#include "sim/http2_upstream_actor.h"
#include "sim/mirror_actor.h"
#include "sim/stream_actors.h"
#include "sim/upstream_actor.h"
#include "sim_gateway.h"
#include "sim_names.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

namespace sluice::sim {

namespace {

using namespace std::chrono_literals;

constexpr Duration kTurnWaitMax = 1s;
constexpr Duration kStandstillMax = 200s;  // longer than any timeout of the gateway that applies
constexpr uint64_t kTurnsMax = 3'000'000;

class Run {
 public:
  Run(uint64_t seed, bool verbose);
  Tally operator()();

 private:
  void serve_upstreams();
  Network::Answer answer_connect();
  void schedule_turning_points();
  void change_admission();
  void check_standstill();
  [[nodiscard]] bool is_over() const;

  RunPlan plan_;
  World world_;
  Judge judge_;
  // The gateway uses both until its end.
  std::unique_ptr<snapshot::Snapshot> first_snapshot_ = make_gateway_snapshot(1);
  std::unique_ptr<snapshot::Snapshot> second_snapshot_ = make_gateway_snapshot(2, first_snapshot_.get());
  SimNames names_{world_};
  SimGateway gateway_;
  std::vector<std::unique_ptr<ClientActor>> clients_;
  std::vector<std::unique_ptr<Http2ClientActor>> http2_clients_;
  std::vector<std::unique_ptr<Talker>> upstreams_;
  std::vector<std::unique_ptr<StreamClient>> stream_clients_;
  std::vector<std::unique_ptr<StreamUpstream>> stream_upstreams_;
  Instant drained_at_ = Instant::max();
  bool is_accepting_ = true;
  bool reload_due_ = false;
  bool drain_due_ = false;
  bool stop_due_ = false;
};

Run::Run(uint64_t seed, bool verbose)
    : plan_(make_plan(seed)),
      world_(seed, plan_.weather),
      judge_(world_, plan_),
      gateway_(world_, *first_snapshot_, seed, {.receive_buffers_max = plan_.receive_buffers_max}) {
  world_.verbose = verbose;
  gateway_.services().observer.access_log.set_enabled(plan_.logs_requests);
  names_.names = upstream_names();
  names_.lifetime = 1s;
  if (!plan_.is_calm) {
    names_.delay = world_.delay(2s);
    names_.failures = 20;
  }
  gateway_.services().upstreams.names.ask(names_, std::make_shared<NameAnswers>([](void*) {}, nullptr));
  serve_upstreams();
  schedule_turning_points();
  for (ClientPlan& client : plan_.clients) {
    if (client.http2) {
      http2_clients_.push_back(std::make_unique<Http2ClientActor>(judge_, plan_.is_calm, client));
    } else {
      clients_.push_back(std::make_unique<ClientActor>(judge_, plan_.is_calm, client));
    }
  }
  for (StreamPlan& stream : plan_.streams) stream_clients_.push_back(std::make_unique<StreamClient>(judge_, stream));
}

// Most connects succeed; in calm weather all of them.
Network::Answer Run::answer_connect() {
  if (plan_.is_calm || !world_.chance(50)) return {.delay = world_.delay(3ms)};
  switch (world_.random().below(3)) {
    case 0: return {.error = ECONNREFUSED, .delay = world_.delay(1ms)};
    case 1: return {.error = EHOSTUNREACH, .delay = world_.delay(2s)};
    default: return {.delay = -1s};
  }
}

void Run::serve_upstreams() {
  for (const SocketAddress& address : upstream_addresses()) {
    world_.network().serve(address,
                           {.answer = [this] { return answer_connect(); },
                            .on_connection =
                                [this, is_http2 = speaks_http2(address)](Endpoint& endpoint) {
                                  if (is_http2) {
                                    upstreams_.push_back(std::make_unique<Http2UpstreamActor>(judge_, plan_, endpoint));
                                  } else {
                                    upstreams_.push_back(std::make_unique<UpstreamActor>(judge_, plan_, endpoint));
                                  }
                                }});
  }
  for (const SocketAddress& address : deserted_addresses()) {
    world_.network().serve(address, {.answer = [this]() -> Network::Answer {
                             const bool is_silent = !plan_.is_calm && world_.chance(300);
                             return {.error = ECONNREFUSED, .delay = is_silent ? -1s : world_.delay(3ms)};
                           }});
  }
  world_.network().serve(mirror_address(),
                         {.answer = [this] { return answer_connect(); },
                          .on_connection =
                              [this](Endpoint& endpoint) {
                                upstreams_.push_back(std::make_unique<MirrorActor>(judge_, plan_, endpoint));
                              }});
  for (const SocketAddress& address : stream_addresses()) {
    world_.network().serve(
        address, {.answer = [this] { return answer_connect(); },
                  .on_connection =
                      [this](Endpoint& endpoint) {
                        stream_upstreams_.push_back(std::make_unique<StreamUpstream>(judge_, plan_, endpoint));
                      }});
  }
}

// Done between two turns, as the shard does.
void Run::schedule_turning_points() {
  if (plan_.reload_at) world_.after(*plan_.reload_at, [this] { reload_due_ = true; });
  if (plan_.drain_at) world_.after(*plan_.drain_at, [this] { drain_due_ = true; });
  if (plan_.stop_at) world_.after(*plan_.stop_at, [this] { stop_due_ = true; });
}

bool Run::is_over() const {
  const auto is_done = [](const auto& client) { return client->is_done(); };
  return stop_due_ || (std::ranges::all_of(clients_, is_done) && std::ranges::all_of(http2_clients_, is_done) &&
                       std::ranges::all_of(stream_clients_, is_done));
}

// Now and then there is room for one connection, or none, or many again.
void Run::change_admission() {
  if (!world_.chance(is_accepting_ ? 5 : 300)) return;
  std::optional<io::AcceptCount> count;
  switch (world_.random().below(3)) {
    case 0: break;
    case 1: count = io::AcceptCount::one; break;
    default: count = io::AcceptCount::many;
  }
  is_accepting_ = count.has_value();
  gateway_.admit(count);
}

void Run::check_standstill() {
  const auto check = [this](const auto& client) {
    // Idle ones wait for as long as they may, but not for longer than the gateway drains.
    const bool may_rest = client->is_resting() && world_.now() - drained_at_ < kStandstillMax;
    if (client->is_done() || may_rest || world_.now() - client->last_progress() < kStandstillMax) return;
    if (client->last_progress() == Instant{}) return;  // not connected yet
    if (client->is_rude()) return;                     // looks after itself
    world_.fail("a client waits for ever: {}", client->state());
  };
  std::ranges::for_each(clients_, check);
  std::ranges::for_each(http2_clients_, check);
  for (const auto& client : stream_clients_) {
    if (!client->is_done() && client->last_progress() != Instant{} &&
        world_.now() - client->last_progress() > kStandstillMax)
      world_.fail("a connection waits for ever: {}", client->state());
  }
}

Tally Run::operator()() {
  while (!is_over()) {
    gateway_.turn(kTurnWaitMax);
    check_standstill();
    if (gateway_.loop().statistics().turns > kTurnsMax)
      world_.fail("the loop has turned {} times: it spins", kTurnsMax);
    change_admission();
    if (std::exchange(reload_due_, false)) gateway_.adopt(*second_snapshot_);
    if (std::exchange(drain_due_, false)) {
      drained_at_ = world_.now();
      gateway_.drain();
    }
  }
  Tally& tally = judge_.tally();
  tally.turns = gateway_.loop().statistics().turns;
  tally.upstream_reuses = gateway_.services().upstreams.reuse_count;
  tally.spliced_bytes = gateway_.counters().spliced_bytes.value();
  tally.tls_handshakes = gateway_.counters().tls_handshakes.value();
  tally.retries = gateway_.counters().upstream_retries.value();
  gateway_.end();
  world_.advance_to(world_.now() + 10s);  // what clients and upstreams still make of the end
  return tally;
}

}  // namespace

Tally run_seed(uint64_t seed, bool verbose) { return Run(seed, verbose)(); }

}  // namespace sluice::sim

#include "sim_gateway.h"

#include "io/socket.h"
#include "proxy/client_connection.h"
#include "proxy/http2_exchanges.h"
#include "proxy/tcp_proxy.h"
#include "sim_io/instruction_count.h"

#include <algorithm>
#include <utility>

namespace sluice::sim {

namespace {
constexpr Duration kTurnWaitMax = std::chrono::seconds(1);
constexpr unsigned kTurnsToEndMax = 100'000;
constexpr unsigned kTurnsPerTidy = 20;
}  // namespace

SimGateway::SimGateway(World& world, const snapshot::Snapshot& snapshot, uint64_t seed, const io::LoopOptions& options)
    : world_(world),
      observer_(std::make_unique<observe::ShardObserver>()),
      loop_(std::move(*io::Loop::create(options))),
      services_(std::make_unique<proxy::Services>(*loop_, *observer_, seed)) {
  services_->handshakes.signing.begin_service(tls::RsaBatching::automatic, [](void*) {}, this);
  adopt(snapshot);
  for (const snapshot::Listener& listener : snapshot.listeners) {
    const Result<int> fd = io::open_listener(listener.address);
    auto& added = listeners_.emplace_back(std::make_unique<accept::Listener>(
        *loop_, *fd, listener.address,
        accept::Listener::Events{.on_accepted = on_accepted, .on_closed = on_listener_closed, .owner = this}));
    added->start(io::AcceptCount::many);
  }
}

SimGateway::~SimGateway() = default;

// In rough weather signatures take some turns, as with a signing thread.
void SimGateway::turn(Duration max_wait) {
  const ProgramRuns program;
  loop_->turn(max_wait);
  services_->upstreams.names.collect();
  services_->handshakes.end_turn();
  if (tidies && ++turns_ % kTurnsPerTidy == 0) services_->tidy();
  if (is_signing_late()) return;
  tls::SigningQueue& signing = services_->handshakes.signing;
  while (signing.serve_one_batch()) {
  }
  signing.collect();
}

bool SimGateway::is_signing_late() {
  const WorldRuns world;
  return world_.chance(world_.weather().delayed_completion);
}

void SimGateway::on_accepted(void* self, accept::Listener& listener, int fd) {
  proxy::Services& services = *static_cast<SimGateway*>(self)->services_;
  const auto& described = services.snapshots.current()->tables.listeners;
  const auto found = std::ranges::find(described, listener.address(), &snapshot::Listener::address);
  if (services.draining || found == described.end()) {  // accepted just before the listener was closed
    io::reset_on_close(fd);
    io::close_descriptor(fd);
    return;
  }
  services.client_connections.create(services, listener.address(), proxy::kind_of(*found)).on_accepted(fd);
}

void SimGateway::on_listener_closed(void* self, accept::Listener& listener) {
  std::erase_if(static_cast<SimGateway*>(self)->listeners_,
                [&listener](const auto& closed) { return closed.get() == &listener; });
}

void SimGateway::admit(std::optional<io::AcceptCount> count) {
  if (services_->draining) return;
  for (const auto& listener : listeners_) {
    if (count) {
      listener->start(*count);
    } else {
      listener->pause();
    }
  }
}

void SimGateway::drain() {
  if (std::exchange(services_->draining, true)) return;
  for (const auto& listener : listeners_) listener->close();
  services_->open_connections.for_each([](proxy::ClientConnection& connection) { connection.drain(); });
}

void SimGateway::end() {
  if (services_ == nullptr) return;
  drain();
  services_->terminate();
  unsigned turns = 0;
  const auto turn_once = [&] {
    loop_->turn(kTurnWaitMax);
    if (++turns > kTurnsToEndMax) {
      world_.fail("the gateway does not end: {} client connections, {} upstream connections, {} listeners",
                  services_->client_connections.count(), services_->upstreams.connection_count(), listeners_.size());
    }
  };
  while (services_->client_connections.count() > 0 || !listeners_.empty()) turn_once();
  if (services_->exchanges.count() > 0)
    world_.fail("{} exchanges are left without a client", services_->exchanges.count());
  if (services_->http2_exchanges.count() > 0 || services_->http2_connections.count() > 0) {
    world_.fail("{} exchanges of {} connections of HTTP/2 are left", services_->http2_exchanges.count(),
                services_->http2_connections.count());
  }
  if (services_->tcp_proxies.count() > 0)
    world_.fail("{} TCP proxies are left without a client", services_->tcp_proxies.count());
  if (services_->mirrored_requests.count() > 0)
    world_.fail("{} mirrored requests are left", services_->mirrored_requests.count());
  if (services_->kept_content.bytes_taken() > 0)
    world_.fail("{} bytes of content are still kept", services_->kept_content.bytes_taken());
  services_->snapshots.clear();
  while (services_->upstreams.connection_count() > 0) turn_once();
  for (int i = 0; i < 3; ++i) turn_once();  // late completions of cancellations

  services_.reset();
  world_.check_nothing_left();
  if (loop_->chunks().taken_count() > 0) world_.fail("{} chunks were not given back", loop_->chunks().taken_count());
  if (loop_->timers().armed_count() > 0) world_.fail("{} timers are still armed", loop_->timers().armed_count());
  const observe::ShardCounters& counters = observer_->counters;
  if (counters.connections_active.value() != 0 || counters.requests_active.value() != 0 ||
      counters.tunnels_active.value() != 0) {
    world_.fail("gauges do not return to zero: {} connections, {} requests, {} tunnels",
                counters.connections_active.value(), counters.requests_active.value(), counters.tunnels_active.value());
  }
  loop_.reset();
}

}  // namespace sluice::sim

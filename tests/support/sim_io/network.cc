#include "sim_io/network.h"

#include "sim_io/world.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::sim {

Endpoint::Endpoint(World& world, const SocketAddress& local)
    : world_(world),
      local_(local),
      received_max_(world.between(world.weather().socket_buffer_max / 8, world.weather().socket_buffer_max)),
      unsent_max_(world.between(world.weather().socket_buffer_max / 8, world.weather().socket_buffer_max)) {}

int Endpoint::take_error() noexcept { return std::exchange(error_, 0); }

// tcp_recvmsg: the queue first, then FIN, then the error, then what shutdown(2) has said.
long Endpoint::read(MutableBytes room) {
  if (!received_.empty()) {
    const size_t count = pop(received_, room);
    if (peer_ != nullptr) peer_->move_later();
    return static_cast<long>(count);
  }
  if (fin_received_) return 0;
  if (error_ != 0) return -take_error();
  if (receive_shut_ || dead_ || peer_ == nullptr) return 0;
  return -EAGAIN;
}

// tcp_sendmsg: a pending error is told instead of EPIPE, and then is gone.
long Endpoint::write(ConstBytes bytes) {
  if (error_ != 0) return -take_error();
  if (dead_ || fin_wanted_) return -EPIPE;
  if (peer_ == nullptr) return -ENOTCONN;
  const size_t count = std::min(bytes.size(), unsent_max_ - unsent_.size());
  if (count == 0) return -EAGAIN;
  unsent_.append(bytes.first(count));
  move_later();
  return static_cast<long>(count);
}

bool Endpoint::is_readable() const noexcept {
  return !received_.empty() || fin_received_ || error_ != 0 || receive_shut_ || dead_;
}

bool Endpoint::is_writable() const noexcept {
  return error_ != 0 || dead_ || fin_wanted_ || (peer_ != nullptr && unsent_max_ - unsent_.size() > unsent_max_ / 3);
}

void Endpoint::shutdown_write() {
  fin_wanted_ = true;
  move_later();
}

void Endpoint::shutdown_both() {
  receive_shut_ = true;
  shutdown_write();
  change();
}

void Endpoint::close() {
  closed_ = true;
  on_change = nullptr;
  if (dead_ || peer_ == nullptr) return;
  if (reset_on_close || !received_.empty()) {
    send_reset();
  } else {
    shutdown_write();
  }
}

void Endpoint::reset() {
  reset_on_close = true;
  close();
}

void Endpoint::send_reset() {
  if (std::exchange(dead_, true)) return;
  unsent_.clear();
  received_.clear();
  world_.after(world_.delay(world_.weather().latency_max), [peer = peer_] { peer->on_reset(); });
}

void Endpoint::on_reset() {
  if (std::exchange(dead_, true)) return;
  unsent_.clear();
  if (!received_.empty() && world_.chance(world_.weather().reset_drops_received)) {
    received_.clear();
    fin_received_ = false;  // it came after what is lost
  }
  error_ = fin_received_ ? EPIPE : ECONNRESET;
  change();
}

void Endpoint::move_later() {
  if (move_pending_ || dead_ || peer_ == nullptr) return;
  move_pending_ = true;
  world_.after(world_.delay(world_.weather().latency_max), [this] {
    move_pending_ = false;
    move();
  });
}

// One piece of what is unsent arrives at the peer, or FIN does.
void Endpoint::move() {
  if (dead_) return;
  if (!unsent_.empty()) {
    if (peer_->closed_) {  // nobody there to read it
      peer_->send_reset();
      return;
    }
    const size_t fits = std::min(unsent_.size(), peer_->received_max_ - peer_->received_.size());
    if (fits == 0) return;  // the peer's read() goes on
    const size_t count = world_.chance(world_.weather().short_transfer) ? world_.some_of(fits) : fits;
    peer_->received_.append(unsent_.bytes().first(count));
    unsent_.consume(count);
    peer_->change();
    change();
    if (!unsent_.empty() || fin_wanted_) move_later();
  } else if (fin_wanted_ && !std::exchange(fin_sent_, true)) {
    peer_->fin_received_ = true;
    peer_->change();
  }
}

std::string Endpoint::describe() const {
  const auto side = [](const Endpoint& endpoint) {
    return fmt::format("{} received {} unsent {}{}{}{}{}{}", endpoint.local_.to_string(), endpoint.received_.size(),
                       endpoint.unsent_.size(), endpoint.fin_wanted_ ? " finishing" : "",
                       endpoint.fin_sent_ ? " finished" : "", endpoint.receive_shut_ ? " shut" : "",
                       endpoint.closed_ ? " closed" : "", endpoint.dead_ ? " dead" : "");
  };
  return side(*this) + (peer_ == nullptr ? std::string(", not connected") : " <-> " + side(*peer_));
}

// --- Network ---------------------------------------------------------------------------------------

SocketAddress Network::new_address() {
  ++addresses_given_;
  const auto byte = [this](unsigned shift) { return static_cast<uint8_t>(addresses_given_ >> shift); };
  SocketAddress address;
  address.ip = {10, byte(16), byte(8), byte(0)};
  address.port = static_cast<uint16_t>(1024 + world_.random().below(60'000));
  return address;
}

Endpoint& Network::new_endpoint() {
  return *endpoints_.emplace_back(std::make_unique<Endpoint>(world_, new_address()));
}

void Network::join(Endpoint& a, Endpoint& b) {
  a.peer_ = &b;
  b.peer_ = &a;
  a.remote_ = b.local_;
  b.remote_ = a.local_;
}

Endpoint* Network::connect(const SocketAddress& address) {
  if (!listeners_.contains(address)) return nullptr;
  Endpoint& ours = new_endpoint();
  Endpoint& theirs = new_endpoint();
  theirs.local_ = address;
  join(ours, theirs);
  world_.after(world_.delay(world_.weather().latency_max), [this, address, &theirs] {
    const auto found = listeners_.find(address);
    if (found == listeners_.end()) {
      theirs.reset();
      return;
    }
    found->second->backlog.push_back(&theirs);
    if (found->second->on_change) found->second->on_change();
  });
  return &ours;
}

void Network::stop_listening(Listener& listener) {
  listeners_.erase(listener.address);
  for (Endpoint* endpoint : listener.backlog) endpoint->reset();
  listener.backlog.clear();
}

void Network::connect(Endpoint& endpoint, const SocketAddress& address, std::function<void(int)> done) {
  const auto found = servers_.find(address);
  const Answer answer = found == servers_.end() ? Answer{.error = ECONNREFUSED} : found->second.answer();
  if (answer.delay < Duration::zero()) return;
  world_.after(answer.delay, [this, &endpoint, address, error = answer.error, done = std::move(done)] {
    if (endpoint.closed_) return;  // given up meanwhile
    if (error == 0) {
      Endpoint& theirs = new_endpoint();
      theirs.local_ = address;
      join(endpoint, theirs);
      servers_.at(address).on_connection(theirs);
    }
    done(error);
  });
}

}  // namespace sluice::sim

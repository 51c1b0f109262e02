// io::Loop over the simulated kernel: takes the place of src/io/loop.cc.
#include "io/loop.h"
#include "io/socket.h"
#include "sim_io/instruction_count.h"
#include "sim_io/kernel.h"
#include "sim_io/world.h"

#include <sys/socket.h>

#include <optional>

namespace sluice::io {

using sim::Kernel;
using sim::WorldRuns;

struct Loop::Ring {
  sim::World& world = sim::World::current();

  void arm(Kernel::Entry entry) const { world.kernel().arm(std::move(entry)); }
  [[nodiscard]] std::optional<Kernel::Arrived> take() const {
    const WorldRuns its_kernel;
    return world.kernel().take();
  }
};

Result<std::unique_ptr<Loop>> Loop::create(const LoopOptions& options) {
  return std::unique_ptr<Loop>(new Loop(std::make_unique<Ring>(), options));
}

Loop::Loop(std::unique_ptr<Ring> ring, const LoopOptions& options)
    : ring_(std::move(ring)),
      now_(ring_->world.now()),
      timers_(now_),
      receive_buffers_(*this, options.receive_buffers_max) {
  receive_buffers_.grow();
}

Loop::~Loop() = default;

WallTime Loop::wall_now() const noexcept {
  const WorldRuns world;
  constexpr std::chrono::seconds kMidnight{1'795'564'800};  // 25 November 2026
  return WallTime(kMidnight + ring_->world.now().time_since_epoch());
}

void Loop::turn(Duration max_wait) {
  ++statistics_.turns;
  const Duration wait = bounded_wait(max_wait);
  {
    const WorldRuns world;
    ring_->world.kernel().enter(wait);
    now_ = ring_->world.now();
    ring_->world.kernel().collect();
  }
  while (const auto arrived = ring_->take()) run_completion(arrived->name, arrived->completion);
  finish_turn();
}

void Loop::tidy() noexcept {
  chunks_.trim();
  if (ring_->world.kernel().is_all_seen()) receive_buffers_.trim();
}

void Loop::accept(Op& op, int listener_fd, AcceptCount count) {
  const WorldRuns world;
  ring_->arm(
      {.kind = Kernel::Kind::accept, .name = arm(op), .fd = listener_fd, .is_multishot = count == AcceptCount::many});
}

void Loop::receive(Op& op, int fd) {
  const WorldRuns world;
  ring_->arm(
      {.kind = Kernel::Kind::receive, .name = arm(op), .fd = fd, .is_multishot = !receive_buffers_.are_scarce()});
}

void Loop::send(Op& op, int fd, const msghdr& message, AfterSend) {
  const WorldRuns world;
  ring_->arm({.kind = Kernel::Kind::send, .name = arm(op), .fd = fd, .message = &message});
}

void Loop::connect(Op& op, int fd, const sockaddr_storage& address, unsigned) {
  const WorldRuns world;
  ring_->arm({.kind = Kernel::Kind::connect, .name = arm(op), .fd = fd, .address = from_sockaddr(address)});
}

void Loop::poll(Op& op, int fd, PollFor what) {
  const WorldRuns world;
  ring_->arm(
      {.kind = what == PollFor::readable ? Kernel::Kind::poll_in : Kernel::Kind::poll_out, .name = arm(op), .fd = fd});
}

void Loop::read(Op& op, int fd, MutableBytes buffer) {
  const WorldRuns world;
  ring_->arm({.kind = Kernel::Kind::read, .name = arm(op), .fd = fd, .buffer = buffer});
}

void Loop::cancel(Op& op) {
  const WorldRuns world;
  CHECK(op.in_kernel_);
  ring_->arm({.kind = Kernel::Kind::cancel, .name = name_of(op)});
}

void Loop::provide_buffer(ReceiveBuffers::Id id) noexcept {
  const WorldRuns world;
  ring_->world.kernel().provide(id, {receive_buffers_.memory(id), limits::receive_buffer_bytes});
}

ReceiveBuffers::Id Loop::take_back_buffer() noexcept {
  const WorldRuns world;
  return ring_->world.kernel().take_back();
}

}  // namespace sluice::io

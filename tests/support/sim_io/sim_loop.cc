// io::Loop over the simulated kernel: takes the place of src/io/loop.cc.
#include "io/loop.h"
#include "io/socket.h"
#include "sim_io/kernel.h"
#include "sim_io/world.h"

#include <sys/socket.h>

namespace sluice::io {

using sim::Kernel;

struct Loop::Ring {
  sim::World& world = sim::World::current();

  void arm(Kernel::Entry entry) const { world.kernel().arm(std::move(entry)); }
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
  constexpr std::chrono::seconds kMidnight{1'795'564'800};  // 25 November 2026
  return WallTime(kMidnight + ring_->world.now().time_since_epoch());
}

void Loop::turn(Duration max_wait) {
  ++statistics_.turns;
  Kernel& kernel = ring_->world.kernel();
  kernel.enter(bounded_wait(max_wait));
  now_ = ring_->world.now();
  kernel.collect();
  while (const auto arrived = kernel.take()) run_completion(arrived->name, arrived->completion);
  finish_turn();
}

void Loop::tidy() noexcept {
  chunks_.trim();
  if (ring_->world.kernel().is_all_seen()) receive_buffers_.trim();
}

void Loop::accept(Op& op, int listener_fd, AcceptCount count) {
  ring_->arm(
      {.kind = Kernel::Kind::accept, .name = arm(op), .fd = listener_fd, .is_multishot = count == AcceptCount::many});
}

void Loop::receive(Op& op, int fd) {
  ring_->arm(
      {.kind = Kernel::Kind::receive, .name = arm(op), .fd = fd, .is_multishot = !receive_buffers_.are_scarce()});
}

void Loop::send(Op& op, int fd, const msghdr& message) {
  ring_->arm({.kind = Kernel::Kind::send, .name = arm(op), .fd = fd, .message = &message});
}

void Loop::connect(Op& op, int fd, const sockaddr_storage& address, unsigned) {
  ring_->arm({.kind = Kernel::Kind::connect, .name = arm(op), .fd = fd, .address = from_sockaddr(address)});
}

void Loop::poll(Op& op, int fd, PollFor what) {
  ring_->arm(
      {.kind = what == PollFor::readable ? Kernel::Kind::poll_in : Kernel::Kind::poll_out, .name = arm(op), .fd = fd});
}

void Loop::read(Op& op, int fd, MutableBytes buffer) {
  ring_->arm({.kind = Kernel::Kind::read, .name = arm(op), .fd = fd, .buffer = buffer});
}

void Loop::cancel(Op& op) {
  CHECK(op.in_kernel_);
  ring_->arm({.kind = Kernel::Kind::cancel, .name = name_of(op)});
}

void Loop::provide_buffer(ReceiveBuffers::Id id) noexcept {
  ring_->world.kernel().provide(id, {receive_buffers_.memory(id), limits::receive_buffer_bytes});
}

ReceiveBuffers::Id Loop::take_back_buffer() noexcept { return ring_->world.kernel().take_back(); }

}  // namespace sluice::io

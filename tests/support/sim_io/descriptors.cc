// The descriptor table of the simulated kernel, and the calls that do not go through the ring.
#include "sim_io/kernel.h"
#include "sim_io/world.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::sim {

namespace {
constexpr int kFirstNumber = 3;
constexpr size_t kPageBytes = 4096;
constexpr size_t kPipePagesMax = 256;
}  // namespace

// open(2): the lowest number that is free, so that a closed one comes again soon.
int Kernel::lowest_free_number() const noexcept {
  int fd = kFirstNumber;
  for (const auto& [taken, descriptor] : table_) {
    if (taken != fd) break;
    ++fd;
  }
  return fd;
}

int Kernel::add(Descriptor descriptor) {
  const int fd = lowest_free_number();
  watch(*table_.emplace(fd, std::make_unique<Descriptor>(std::move(descriptor))).first->second);
  return fd;
}

void Kernel::watch(Descriptor& descriptor) {
  const auto on_change = [this, &descriptor] { try_all_of(descriptor); };
  if (descriptor.socket != nullptr) descriptor.socket->on_change = on_change;
  if (descriptor.listener != nullptr) descriptor.listener->on_change = on_change;
}

Descriptor& Kernel::descriptor(int fd, const char* what) {
  const auto found = table_.find(fd);
  if (found == table_.end()) world_.fail("{} with descriptor {}, which is not open", what, fd);
  return *found->second;
}

Endpoint& Kernel::socket(int fd, const char* what) {
  Descriptor& found = descriptor(fd, what);
  if (found.socket == nullptr) world_.fail("{} with descriptor {}, which is no socket", what, fd);
  return *found.socket;
}

int Kernel::open_socket() {
  if (world_.chance(world_.weather().descriptors_out)) return -EMFILE;
  return add(Descriptor{.socket = &world_.network().new_endpoint()});
}

int Kernel::open_listener(const SocketAddress& address) {
  auto listener = std::make_unique<Listener>(Listener{.address = address});
  world_.network().listen(*listener);
  return add(Descriptor{.listener = std::move(listener)});
}

io::Pipe Kernel::open_pipe() {
  if (world_.chance(world_.weather().descriptors_out)) return {};
  auto pipe = std::make_shared<SimPipe>();
  pipe->slots_max = world_.chance(500) ? kPipePagesMax : world_.between(1, 16);
  io::Pipe opened;
  opened.read_fd = add(Descriptor{.pipe = pipe, .is_nonblocking = true});
  opened.write_fd = add(Descriptor{.pipe = pipe, .is_write_end = true, .is_nonblocking = true});
  opened.capacity = pipe->slots_max * kPageBytes;
  return opened;
}

void Kernel::refuse_close_of_busy(int fd, const Descriptor& closing) {
  const auto refuse = [this, fd](Kind kind) {
    world_.fail("descriptor {} was closed with an operation in the kernel (kind {})", fd, static_cast<int>(kind));
  };
  for (const auto& [number, operation] : operations_) {
    if (operation.descriptor == &closing) refuse(operation.entry.kind);
  }
  for (const Entry& entry : queue_) {
    if (entry.fd == fd && entry.kind != Kind::cancel) refuse(entry.kind);
  }
}

void Kernel::close(int fd) {
  Descriptor& closing = descriptor(fd, "close");
  refuse_close_of_busy(fd, closing);
  world_.trace("kernel: close {}", fd);
  if (closing.socket != nullptr) closing.socket->close();
  if (closing.listener != nullptr) world_.network().stop_listening(*closing.listener);
  if (closing.pipe != nullptr)
    (closing.is_write_end ? closing.pipe->is_write_open : closing.pipe->is_read_open) = false;
  table_.erase(fd);
}

void Kernel::set_nonblocking(int fd, bool nonblocking) { descriptor(fd, "fcntl").is_nonblocking = nonblocking; }

// --- splice(2) and read(2) of pipes ----------------------------------------------------------------

long Kernel::splice(int from_fd, int to_fd, size_t max) {
  Descriptor& from = descriptor(from_fd, "splice from");
  Descriptor& to = descriptor(to_fd, "splice to");
  if (!from.is_nonblocking || !to.is_nonblocking)
    world_.fail("splice({}, {}) with a blocking descriptor: the shard would stand still", from_fd, to_fd);
  const long result = splice_now(from, to, max);
  world_.trace("kernel: splice {} to {} -> {}", from_fd, to_fd, result);
  return result;
}

long Kernel::splice_now(Descriptor& from, Descriptor& to, size_t max) {
  if (world_.chance(world_.weather().spurious)) return world_.chance(500) ? -EAGAIN : -EINTR;
  if (max > 1 && world_.chance(world_.weather().short_transfer)) max = world_.some_of(max);
  if (from.socket != nullptr && to.pipe != nullptr) return splice_in(*from.socket, *to.pipe, max);
  if (from.pipe != nullptr && to.socket != nullptr) return splice_out(*from.pipe, *to.socket, max);
  world_.fail("splice of two sockets or two pipes");
}

long Kernel::splice_in(Endpoint& from, SimPipe& to, size_t max) {
  const size_t slots_free = to.slots_max - to.slots_used;
  if (slots_free == 0) return -EAGAIN;
  std::vector<std::byte> moving(std::min(max, slots_free * kPageBytes));
  const long count = from.read(moving);
  if (count <= 0) return count;
  to.bytes.append(ConstBytes(moving).first(static_cast<size_t>(count)));
  to.slots_used += (static_cast<size_t>(count) + kPageBytes - 1) / kPageBytes;
  return count;
}

long Kernel::splice_out(SimPipe& from, Endpoint& to, size_t max) {
  if (from.bytes.empty()) return from.is_write_open ? -EAGAIN : 0;
  const long count = to.write(from.bytes.bytes().first(std::min(max, from.bytes.size())));
  if (count <= 0) return count;
  from.bytes.consume(static_cast<size_t>(count));
  from.slots_used = std::min(from.slots_used, from.bytes.size());  // at most one byte to a slot
  return count;
}

long Kernel::read_pipe(int fd, MutableBytes buffer) {
  SimPipe& pipe = *descriptor(fd, "read").pipe;
  if (pipe.bytes.empty()) return pipe.is_write_open ? -EAGAIN : 0;
  const size_t count = pop(pipe.bytes, buffer);
  pipe.slots_used = std::min(pipe.slots_used, pipe.bytes.size());
  return static_cast<long>(count);
}

}  // namespace sluice::sim

#include "sim_io/kernel.h"

#include "sim_io/world.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace sluice::sim {

namespace {

using Kind = Kernel::Kind;

constexpr std::byte kPoison{0xdb};           // what a buffer holds while it is the kernel's
constexpr unsigned kMultishotRounds = 32;    // completions of one operation in a row, as the kernel's own bound
constexpr unsigned kIdleTurnsMax = 100'000;  // beyond it the program is spinning

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::accept: return "accept";
    case Kind::receive: return "receive";
    case Kind::send: return "send";
    case Kind::connect: return "connect";
    case Kind::poll_in: return "poll (readable)";
    case Kind::poll_out: return "poll (writable)";
    case Kind::read: return "read";
    case Kind::cancel: return "cancel";
  }
  return "?";
}

ConstBytes bytes_of(const iovec& vector) { return {static_cast<const std::byte*>(vector.iov_base), vector.iov_len}; }

uint64_t checksum_of(const std::vector<iovec>& vectors) {
  uint64_t sum = 0;
  for (const iovec& vector : vectors) sum = sum * 31 + std::hash<std::string_view>{}(as_text(bytes_of(vector)));
  return sum;
}

std::vector<iovec> vectors_of(const msghdr& message) { return {message.msg_iov, message.msg_iov + message.msg_iovlen}; }

}  // namespace

// --- the ring: submitting --------------------------------------------------------------------------

void Kernel::arm(Entry entry) {
  if (queue_.size() >= world_.weather().queue_entries) submit();
  if (entry.kind == Kind::send) entry.checksum = checksum_of(vectors_of(*entry.message));
  if (entry.kind != Kind::cancel) static_cast<void>(descriptor(entry.fd, name_of(entry.kind)));
  queue_.push_back(std::move(entry));
}

void Kernel::submit() {
  for (Entry& entry : std::exchange(queue_, {})) submit(std::move(entry));
}

void Kernel::submit(Entry entry) {
  if (entry.kind == Kind::cancel) {
    cancel(entry.name);
    return;
  }
  const uint64_t number = ++last_number_;
  if (!number_of_.emplace(entry.name, number).second)
    world_.fail("two operations have the same name: an op was armed twice");
  if (entry.kind == Kind::send) {
    ++send_count_;
    entry.vectors = vectors_of(*entry.message);
  }
  Descriptor& target = descriptor(entry.fd, name_of(entry.kind));
  operations_.emplace(number, Operation{.number = number,
                                        .entry = std::move(entry),
                                        .descriptor = &target,
                                        .is_nowait = target.is_nonblocking && world_.weather().nonblocking_is_nowait});
  if (world_.chance(world_.weather().late_start)) {
    world_.after(world_.delay(world_.weather().latency_max), [this, number] { start(number); });
  } else {
    start(number);
  }
}

Kernel::Operation* Kernel::running(uint64_t number) noexcept {
  const auto found = operations_.find(number);
  return found == operations_.end() || found->second.has_ended ? nullptr : &found->second;
}

void Kernel::start(uint64_t number) {
  Operation* operation = running(number);
  if (operation == nullptr || std::exchange(operation->has_started, true)) return;
  if (operation->entry.kind == Kind::connect) {
    start_connect(number, *operation);
  } else {
    attempt(*operation);
  }
}

// --- the ring: cancelling --------------------------------------------------------------------------

void Kernel::cancel(uint64_t target_name) {
  const auto found = number_of_.find(target_name);
  const uint64_t number = found == number_of_.end() ? 0 : found->second;
  Operation* target = running(number);
  if (target == nullptr) {
    // ENOENT is told; a success is not (IOSQE_CQE_SKIP_SUCCESS).
    posted_.push_back({.visible = world_.now(), .arrived = {.name = 0, .completion = {.result = -ENOENT}}});
    return;
  }
  switch (world_.random().below(4)) {
    case 0:  // the target is faster, if it can
      if (target->has_started) {
        attempt(*target);
      } else {
        start(number);
      }
      cancel_now(number);
      break;
    case 1: world_.after(world_.delay(world_.weather().latency_max), [this, number] { cancel_now(number); }); break;
    default: cancel_now(number);
  }
}

void Kernel::cancel_now(uint64_t number) {
  if (Operation* target = running(number)) post(*target, -ECANCELED);
}

// --- the ring: working -----------------------------------------------------------------------------

void Kernel::try_all_of(const Descriptor& changed) {
  for (auto& [number, operation] : operations_) {
    if (operation.descriptor == &changed && operation.has_started && !operation.has_ended) attempt(operation);
  }
}

void Kernel::attempt(Operation& operation) {
  switch (operation.entry.kind) {
    case Kind::accept: return attempt_accept(operation);
    case Kind::receive: return attempt_receive(operation);
    case Kind::send: return attempt_send(operation);
    case Kind::poll_in:
    case Kind::poll_out: return attempt_poll(operation);
    case Kind::read: return attempt_read(operation);
    case Kind::connect:
    case Kind::cancel: return;
  }
}

void Kernel::attempt_accept(Operation& operation) {
  Listener& listener = *operation.descriptor->listener;
  while (!listener.backlog.empty() && !operation.has_ended) {
    if (world_.chance(world_.weather().descriptors_out)) return post(operation, -EMFILE);
    Endpoint& accepted = *listener.backlog.front();
    listener.backlog.pop_front();
    if (accepted.is_dead() && world_.chance(500)) {
      accepted.close();
      return post(operation, -ECONNABORTED);
    }
    const int fd = add(Descriptor{.socket = &accepted});
    post(operation, fd, operation.entry.is_multishot && !world_.chance(world_.weather().multishot_ends));
  }
}

void Kernel::attempt_receive(Operation& operation) {
  for (unsigned round = 0; round < kMultishotRounds && !operation.has_ended; ++round) {
    Endpoint& socket = *operation.descriptor->socket;
    if (!socket.is_connected()) return post(operation, -ENOTCONN);
    if (socket.readable_bytes() > 0) {
      fill_buffer(operation);
      continue;
    }
    const long end = socket.read({});
    if (end == 0 && !buffers_.empty() && world_.chance(100)) return end_with_buffer(operation);
    if (end != -EAGAIN) return post(operation, static_cast<int>(end));
    if (operation.is_nowait || world_.chance(world_.weather().spurious))
      return post(operation, operation.is_nowait ? -EAGAIN : -EINTR);
    return;
  }
  if (operation.has_ended) return;
  world_.after(Duration::zero(), [this, number = operation.number] {  // others have their turn before
    if (Operation* receiving = running(number)) attempt(*receiving);
  });
}

void Kernel::fill_buffer(Operation& operation) {
  if (buffers_.empty() || world_.chance(world_.weather().no_buffers)) return post(operation, -ENOBUFS);
  const auto [id, memory] = buffers_.front();
  buffers_.pop_front();
  if (std::ranges::any_of(memory, [](std::byte byte) { return byte != kPoison; })) {
    world_.fail("receive buffer {} was written to after it had been given to the kernel", id);
  }
  holders_[id] = Holder::program;
  const size_t size = world_.chance(world_.weather().short_transfer) ? world_.some_of(memory.size()) : memory.size();
  const long count = operation.descriptor->socket->read(memory.first(size));
  post(operation, static_cast<int>(count),
       operation.entry.is_multishot && !world_.chance(world_.weather().multishot_ends), id);
}

// Some kernels hand over the buffer that they had chosen although nothing came into it.
void Kernel::end_with_buffer(Operation& operation) {
  const uint16_t id = buffers_.front().id;
  buffers_.pop_front();
  holders_[id] = Holder::program;
  post(operation, 0, /*more=*/false, id);
}

void Kernel::attempt_send(Operation& operation) {
  const std::vector<iovec>& vectors = operation.entry.vectors;
  if (checksum_of(vectors) != operation.entry.checksum)
    world_.fail("bytes were changed while they were being sent (descriptor {})", operation.entry.fd);
  size_t most = 0;
  for (const iovec& vector : vectors) most += vector.iov_len;
  if (world_.chance(world_.weather().short_transfer)) most = world_.some_of(most);

  long sent = 0;
  for (const iovec& vector : vectors) {
    const ConstBytes bytes = bytes_of(vector).first(std::min(vector.iov_len, most - static_cast<size_t>(sent)));
    if (bytes.empty()) break;
    const long result = operation.descriptor->socket->write(bytes);
    if (result < 0 && sent == 0) sent = result;
    if (result < 0) break;
    sent += result;
    if (static_cast<size_t>(result) < bytes.size()) break;
  }
  if (sent == -EAGAIN && !operation.is_nowait) return;
  post(operation, static_cast<int>(sent));
}

void Kernel::attempt_poll(Operation& operation) {
  const Endpoint& socket = *operation.descriptor->socket;
  const bool is_ready = operation.entry.kind == Kind::poll_in ? socket.is_readable() : socket.is_writable();
  if (is_ready || socket.is_dead() || world_.chance(world_.weather().spurious)) post(operation, 1);
}

void Kernel::attempt_read(Operation& operation) {
  SimPipe& pipe = *operation.descriptor->pipe;
  if (!pipe.bytes.empty()) {
    post(operation, static_cast<int>(pop(pipe.bytes, operation.entry.buffer)));
  } else if (!pipe.is_write_open) {
    post(operation, 0);
  } else if (operation.is_nowait) {
    post(operation, -EAGAIN);
  }
}

void Kernel::start_connect(uint64_t number, const Operation& operation) {
  world_.network().connect(*operation.descriptor->socket, operation.entry.address, [this, number](int error) {
    if (Operation* connecting = running(number)) post(*connecting, -error);
  });
}

// --- the ring: completing --------------------------------------------------------------------------

// The completion queue is in the order in which operations completed. What a receive finds after a send
// has taken the error of a reset is the one case in which that matters: FIN and nothing look the same then.
uint64_t Kernel::queue_of(const Operation& operation, int result) {
  Descriptor& descriptor = *operation.descriptor;
  if (operation.entry.kind == Kind::send && result == -ECONNRESET) descriptor.reset_told_by = operation.number;
  return descriptor.reset_told_by != 0 ? descriptor.reset_told_by : operation.number;
}

void Kernel::post(Operation& operation, int result, bool more, std::optional<uint16_t> buffer) {
  const uint64_t queue = queue_of(operation, result);
  Instant visible = world_.now();
  if (world_.chance(world_.weather().delayed_completion)) visible += world_.delay(world_.weather().latency_max);
  // Not before what this operation has posted, nor before the rest of its queue.
  visible = std::max({visible, last_visible_[queue], last_visible_[operation.number]});
  last_visible_[queue] = last_visible_[operation.number] = visible;
  operation.has_ended = !more;
  posted_.push_back({.visible = visible,
                     .arrived = {.name = operation.entry.name,
                                 .completion = {.result = result,
                                                .more = more,
                                                .has_buffer = buffer.has_value(),
                                                .buffer = buffer.value_or(0)}},
                     .queue = queue,
                     .is_last = !more});
  world_.trace("kernel: {} on {} -> {}{}", name_of(operation.entry.kind), operation.entry.fd, result,
               more ? " (more)" : "");
}

bool Kernel::has_visible() const noexcept {
  return std::ranges::any_of(posted_, [this](const Posted& posted) { return posted.visible <= world_.now(); });
}

void Kernel::enter(Duration max_wait) {
  submit();
  const Instant begin = world_.now();
  world_.advance_to(begin + world_.delay(std::chrono::microseconds(20)));  // what the program itself has taken
  const Instant deadline = begin + max_wait;
  while (!has_visible() && world_.now() < deadline) {
    Instant next = std::min(deadline, world_.next_event());
    for (const Posted& posted : posted_) next = std::min(next, posted.visible);
    world_.advance_to(next);
  }
  idle_turns_ = has_visible() || max_wait > Duration::zero() ? 0 : idle_turns_ + 1;
  if (idle_turns_ > kIdleTurnsMax)
    world_.fail("the loop spins: {} turns in a row did nothing and did not wait", idle_turns_);
}

void Kernel::collect() {
  std::vector<size_t> visible;  // into posted_
  for (size_t i = 0; i < posted_.size(); ++i) {
    if (posted_[i].visible <= world_.now()) visible.push_back(i);
  }
  if (!world_.weather().mixes_completions) {
    for (const size_t index : visible) batch_.push_back(posted_[index]);
    std::erase_if(posted_, [this](const Posted& posted) { return posted.visible <= world_.now(); });
    return;
  }
  const size_t batch_max = world_.chance(500) ? visible.size() : std::min<size_t>(visible.size(), world_.between(1, 8));
  std::vector<bool> is_taken(posted_.size());
  while (batch_.size() < batch_max) {
    // Any, but nothing overtakes what is before it in its queue or of its operation.
    auto first = visible.begin() + static_cast<std::ptrdiff_t>(world_.between(0, visible.size() - 1));
    for (auto before = first; before != visible.begin();) {
      const Posted& later = posted_[*first];
      const Posted& earlier = posted_[*--before];
      if (earlier.queue == later.queue || earlier.arrived.name == later.arrived.name) first = before;
    }
    batch_.push_back(posted_[*first]);
    is_taken[*first] = true;
    visible.erase(first);
  }
  std::erase_if(posted_, [&](const Posted& posted) { return is_taken[static_cast<size_t>(&posted - posted_.data())]; });
}

std::optional<Kernel::Arrived> Kernel::take() {
  if (batch_.empty()) return std::nullopt;
  const Posted posted = batch_.front();
  batch_.pop_front();
  if (posted.is_last) {
    const auto found = number_of_.find(posted.arrived.name);
    last_visible_.erase(found->second);
    operations_.erase(found->second);
    number_of_.erase(found);
  }
  return posted.arrived;
}

void Kernel::provide(uint16_t id, MutableBytes memory) {
  if (holders_.size() <= id) holders_.resize(id + size_t{1});
  if (holders_[id] == Holder::kernel) world_.fail("receive buffer {} was given to the kernel twice", id);
  holders_[id] = Holder::kernel;
  std::ranges::fill(memory, kPoison);
  buffers_.push_back({.id = id, .memory = memory});
}

uint16_t Kernel::take_back() {
  if (buffers_.empty()) world_.fail("a receive buffer was taken back that the kernel had not");
  const uint16_t id = buffers_.back().id;
  buffers_.pop_back();
  holders_[id] = Holder::nobody;
  return id;
}

std::string Kernel::describe() const {
  std::string text;
  for (const auto& [fd, descriptor] : table_) {
    if (descriptor->socket != nullptr)
      text += fmt::format("descriptor {}{}: {}\n", fd, descriptor->is_nonblocking ? " (non-blocking)" : "",
                          descriptor->socket->describe());
  }
  for (const auto& [number, operation] : operations_) {
    text += fmt::format("{} on {}{}{}\n", name_of(operation.entry.kind), operation.entry.fd,
                        operation.has_started ? "" : ", not begun", operation.has_ended ? ", ended" : "");
  }
  return text;
}

// --- the end ---------------------------------------------------------------------------------------

void Kernel::check_nothing_left() {
  for (const auto& [number, operation] : operations_)
    world_.fail("left in the kernel: {} on descriptor {}", name_of(operation.entry.kind), operation.entry.fd);
  for (const Entry& entry : queue_)
    world_.fail("left in the submission queue: {} on descriptor {}", name_of(entry.kind), entry.fd);
  for (const auto& [fd, left] : table_) {
    world_.fail("descriptor {} was left open: {}", fd,
                left->socket != nullptr     ? "a socket"
                : left->listener != nullptr ? "a listener"
                                            : "a pipe");
  }
  const auto held = std::ranges::count(holders_, Holder::program);
  if (held > 0) world_.fail("{} receive buffers were not released", held);
}

}  // namespace sluice::sim

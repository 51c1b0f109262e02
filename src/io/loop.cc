#include "io/loop.h"

#include "io/socket.h"

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <string>
#include <utility>

namespace sluice::io {

namespace {

constexpr int kBufferGroup = 0;
constexpr unsigned kBatchMax = 256;  // completions collected before their handlers run

Instant read_monotonic_clock() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return Instant(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

std::string ring_failure(int error) {
  utsname kernel{};
  uname(&kernel);
  const std::string what = "cannot create an io_uring: " + errno_text(error) + "; ";
  switch (error) {
    case EPERM:
      return what +
             "io_uring is forbidden here: sysctl kernel.io_uring_disabled must be 0 (or the process in "
             "kernel.io_uring_group), and a "
             "container's seccomp profile must allow io_uring_setup, io_uring_enter and io_uring_register";
    case EACCES: return what + "a security module forbids io_uring: allow it for this process";
    case ENOSYS:
      return what + "this kernel (" + kernel.release +
             ") has no io_uring, or a seccomp profile hides it: allow io_uring_setup, io_uring_enter and "
             "io_uring_register";
    case EINVAL: return what + "this kernel (" + kernel.release + ") is too old: Linux 6.1 or later is needed";
    case ENOMEM:
      return what + "the limit of locked memory is too low: raise it (LimitMEMLOCK=infinity of the service, ulimit -l)";
    case EMFILE:
    case ENFILE:
      return what + "the limit of open descriptors is too low: raise it (LimitNOFILE= of the service, ulimit -n)";
    default: return what + "is this kernel (" + kernel.release + ") 6.1 or later?";
  }
}

// Multishot, and ends with the buffer that reaches `bytes_max`; 0: no bound.
void prepare_receive(io_uring_sqe& sqe, int fd, uint32_t bytes_max) noexcept {
  io_uring_prep_recv_multishot(&sqe, fd, nullptr, 0, 0);
  sqe.optlen = bytes_max;
  sqe.flags |= IOSQE_BUFFER_SELECT;
  sqe.buf_group = kBufferGroup;
}

// Whether the kernel takes that bound (Linux 6.17). Older ones say EINVAL; this one says ENOBUFS: there are none yet.
bool takes_bounded_receives(io_uring& ring) noexcept {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
  const char byte = 0;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_cqe* cqe = nullptr;
  bool result = false;
  if (sqe != nullptr && ::write(ends[1], &byte, 1) == 1) {
    prepare_receive(*sqe, ends[0], 1);
    io_uring_sqe_set_data64(sqe, 0);  // nobody's, should it be seen later
    if (io_uring_submit_and_wait(&ring, 1) == 1 && io_uring_peek_cqe(&ring, &cqe) == 0) {
      result = cqe->res == -ENOBUFS;
      io_uring_cqe_seen(&ring, cqe);
    }
  }
  close_descriptor(ends[0]);
  close_descriptor(ends[1]);
  return result;
}

}  // namespace

struct Loop::Ring {
  io_uring ring{};
  io_uring_buf_ring* buffers = nullptr;
  unsigned buffer_mask = 0;
  uint32_t received_max = 0;  // by one multishot receive; 0: the kernel knows no bound
  unsigned seen_overflow = 0;
  Op timeout{[](void*, const Completion&) {}, nullptr};
  Instant timeout_at;          // while it is in the kernel
  __kernel_timespec moment{};  // the same, until it is submitted

  struct Arrived {
    uint64_t name;
    Completion completion;
  };
  std::array<Arrived, kBatchMax> batch;

  ~Ring() {
    if (buffers != nullptr) io_uring_free_buf_ring(&ring, buffers, buffer_mask + 1, kBufferGroup);
    if (ring.ring_fd > 0) io_uring_queue_exit(&ring);
    timeout.in_kernel_ = false;  // it went with the ring
  }

  // One timeout stays in the kernel over many waits: to start and to stop one for each costs more. It may end a wait
  // too early, for a turn that finds nothing to do; it is moved when it would be too late.
  void end_wait_at(Instant deadline) noexcept {
    if (!timeout.is_idle() && timeout_at <= deadline) return;
    const int64_t nanoseconds = deadline.time_since_epoch().count();
    moment = {.tv_sec = nanoseconds / 1'000'000'000, .tv_nsec = nanoseconds % 1'000'000'000};
    timeout_at = deadline;
    io_uring_sqe& sqe = entry();
    if (timeout.is_idle()) {
      io_uring_prep_timeout(&sqe, &moment, 0, IORING_TIMEOUT_ABS);
      io_uring_sqe_set_data64(&sqe, arm(timeout));
    } else {
      io_uring_prep_timeout_update(&sqe, &moment, name_of(timeout), IORING_TIMEOUT_ABS);
      io_uring_sqe_set_data64(&sqe, 0);
      io_uring_sqe_set_flags(&sqe, IOSQE_CQE_SKIP_SUCCESS);  // it fails when the other has just ended: so does the wait
    }
  }

  // A free submission entry. A full queue is submitted first, which is safe since sluice uses no link
  // chains (docs/kernel_contract.md 11).
  io_uring_sqe& entry() noexcept {
    io_uring_sqe* entry = io_uring_get_sqe(&ring);
    if (entry == nullptr) {
      io_uring_submit(&ring);
      entry = io_uring_get_sqe(&ring);
      CHECK(entry != nullptr);
    }
    return *entry;
  }
};

Result<std::unique_ptr<Loop>> Loop::create(const LoopOptions& options) {
  auto ring = std::make_unique<Ring>();
  io_uring_params params{};
  params.flags =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL;
  params.cq_entries = options.completion_entries;
  if (const int result = io_uring_queue_init_params(options.ring_entries, &ring->ring, &params); result < 0) {
    ring->ring.ring_fd = -1;
    return failure(ring_failure(-result));
  }
  constexpr unsigned kNeeded = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL;
  if ((params.features & kNeeded) != kNeeded) return failure(ring_failure(EINVAL));
  io_uring_register_ring_fd(&ring->ring);  // saves a descriptor look-up per turn; works without

  int result = 0;
  ring->buffers = io_uring_setup_buf_ring(&ring->ring, options.receive_buffers_max, kBufferGroup, 0, &result);
  if (ring->buffers == nullptr) return failure(ring_failure(-result));
  ring->buffer_mask = static_cast<unsigned>(io_uring_buf_ring_mask(options.receive_buffers_max));
  if (takes_bounded_receives(ring->ring)) ring->received_max = limits::receive_bytes_max;

  return std::unique_ptr<Loop>(new Loop(std::move(ring), options));
}

Loop::Loop(std::unique_ptr<Ring> ring, const LoopOptions& options)
    : ring_(std::move(ring)),
      now_(read_monotonic_clock()),
      timers_(now_),
      receive_buffers_(*this, options.receive_buffers_max) {
  receive_buffers_.grow();
}

Loop::~Loop() = default;

WallTime Loop::wall_now() const noexcept {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return WallTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

void Loop::turn(Duration max_wait) {
  ++statistics_.turns;
  max_wait = bounded_wait(max_wait);
  io_uring& ring = ring_->ring;
  if (max_wait > Duration::zero() && io_uring_cq_ready(&ring) == 0) {
    ring_->end_wait_at(now_ + max_wait);
    io_uring_submit_and_wait(&ring, 1);
  } else {
    io_uring_submit_and_get_events(&ring);
  }
  now_ = read_monotonic_clock();

  // All that is there now, and no more: what handlers cause comes in the next turn.
  for (unsigned left = io_uring_cq_ready(&ring); left > 0;) {
    unsigned count = 0;
    unsigned head = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring, head, cqe) {
      if (count == std::min(left, kBatchMax)) break;
      ring_->batch[count++] = {.name = cqe->user_data,
                               .completion = {.result = cqe->res,
                                              .more = (cqe->flags & IORING_CQE_F_MORE) != 0,
                                              .has_buffer = (cqe->flags & IORING_CQE_F_BUFFER) != 0,
                                              .buffer = static_cast<uint16_t>(cqe->flags >> IORING_CQE_BUFFER_SHIFT)}};
    }
    io_uring_cq_advance(&ring, count);
    left -= count;
    for (unsigned i = 0; i < count; ++i) run_completion(ring_->batch[i].name, ring_->batch[i].completion);
  }
  if (const unsigned overflow = *ring.cq.koverflow; overflow != ring_->seen_overflow) {
    statistics_.completion_overflows += overflow - ring_->seen_overflow;
    ring_->seen_overflow = overflow;
  }

  finish_turn();
}

void Loop::tidy() noexcept {
  chunks_.trim();
  const bool is_all_seen = io_uring_cq_ready(&ring_->ring) == 0 && !io_uring_cq_has_overflow(&ring_->ring);
  if (is_all_seen) receive_buffers_.trim();
}

void Loop::accept(Op& op, int listener_fd, AcceptCount count) {
  io_uring_sqe& sqe = ring_->entry();
  if (count == AcceptCount::many) {
    io_uring_prep_multishot_accept(&sqe, listener_fd, nullptr, nullptr, SOCK_CLOEXEC);
  } else {
    io_uring_prep_accept(&sqe, listener_fd, nullptr, nullptr, SOCK_CLOEXEC);
  }
  io_uring_sqe_set_data64(&sqe, arm(op));
}

void Loop::receive(Op& op, int fd) {
  io_uring_sqe& sqe = ring_->entry();
  if (receive_buffers_.are_scarce()) {
    io_uring_prep_recv(&sqe, fd, nullptr, 0, 0);
    sqe.flags |= IOSQE_BUFFER_SELECT;
    sqe.buf_group = kBufferGroup;
  } else {
    prepare_receive(sqe, fd, ring_->received_max);
  }
  io_uring_sqe_set_data64(&sqe, arm(op));
}

void Loop::send(Op& op, int fd, const msghdr& message, AfterSend then) {
  io_uring_sqe& sqe = ring_->entry();
  const int flags = MSG_NOSIGNAL | (then == AfterSend::shutdown ? MSG_MORE : 0);
  if (message.msg_iovlen == 1) {
    io_uring_prep_send(&sqe, fd, message.msg_iov[0].iov_base, message.msg_iov[0].iov_len, flags);
  } else {
    io_uring_prep_sendmsg(&sqe, fd, &message, static_cast<unsigned>(flags));
  }
  io_uring_sqe_set_data64(&sqe, arm(op));
}

void Loop::connect(Op& op, int fd, const sockaddr_storage& address, unsigned length) {
  io_uring_sqe& sqe = ring_->entry();
  io_uring_prep_connect(&sqe, fd, reinterpret_cast<const sockaddr*>(&address), length);
  io_uring_sqe_set_data64(&sqe, arm(op));
}

void Loop::poll(Op& op, int fd, PollFor what) {
  io_uring_sqe& sqe = ring_->entry();
  io_uring_prep_poll_add(&sqe, fd, what == PollFor::readable ? POLLIN | POLLRDHUP : POLLOUT);
  io_uring_sqe_set_data64(&sqe, arm(op));
}

void Loop::read(Op& op, int fd, MutableBytes buffer) {
  io_uring_sqe& sqe = ring_->entry();
  io_uring_prep_read(&sqe, fd, buffer.data(), static_cast<unsigned>(buffer.size()), 0);
  io_uring_sqe_set_data64(&sqe, arm(op));
}

void Loop::cancel(Op& op) {
  CHECK(op.in_kernel_);
  io_uring_sqe& sqe = ring_->entry();
  io_uring_prep_cancel64(&sqe, name_of(op), 0);
  io_uring_sqe_set_data64(&sqe, 0);
  io_uring_sqe_set_flags(&sqe, IOSQE_CQE_SKIP_SUCCESS);
}

void Loop::provide_buffer(ReceiveBuffers::Id id) noexcept {
  io_uring_buf_ring_add(ring_->buffers, receive_buffers_.memory(id), limits::receive_buffer_bytes, id,
                        static_cast<int>(ring_->buffer_mask), 0);
  io_uring_buf_ring_advance(ring_->buffers, 1);
}

// The kernel takes buffers from the other end, and reads the tail each time (docs/kernel_contract.md 17).
ReceiveBuffers::Id Loop::take_back_buffer() noexcept {
  const unsigned last = ring_->buffers->tail - 1U;
  io_uring_buf_ring_advance(ring_->buffers, -1);
  return ring_->buffers->bufs[last & ring_->buffer_mask].bid;
}

}  // namespace sluice::io

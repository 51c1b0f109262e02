// What a turn of the loop does beside talking to the kernel: loop.cc does that, and the simulator in its
// place. Everything here is the same in both.
#include "io/loop.h"

#include <algorithm>

namespace sluice::io {

// Not at all while work is left over; not beyond the next timer.
Duration Loop::bounded_wait(Duration max_wait) const noexcept {
  if (!tasks_.empty() || !changed_.empty()) return Duration::zero();
  if (!starved_.empty() && receive_buffers_.held_count() < receive_buffers_.count()) return Duration::zero();
  if (const auto deadline = timers_.next_deadline())
    return std::min(max_wait, std::max(*deadline - now_, Duration::zero()));
  return max_wait;
}

void Loop::finish_turn() {
  run_tasks(changed_);
  timers_.advance(now_);
  run_tasks(tasks_);
  feed_starved();
  run_tasks(changed_);  // of streams that tasks have closed
  while (!retired_.empty()) run_tasks(retired_);
}

// The name of an arming is the op's address with its generation in the 16 bits that user addresses
// leave free; 0 names nothing (cancellations, whose own result does not matter).
uint64_t Loop::arm(Op& op) noexcept {
  CHECK(op.is_idle());
  op.in_kernel_ = true;
  ++op.generation_;
  return name_of(op);
}

uint64_t Loop::name_of(const Op& op) noexcept {
  return reinterpret_cast<uint64_t>(&op) | (static_cast<uint64_t>(op.generation_) << 48);
}

void Loop::run_completion(uint64_t name, const Completion& completion) {
  if (name == 0) return;
  auto& op = *reinterpret_cast<Op*>(name & 0xffff'ffff'ffff);
  CHECK(op.in_kernel_ && op.generation_ == name >> 48);
  if (completion.has_buffer) receive_buffers_.on_filled();
  op.in_kernel_ = completion.more;
  op.handler_(op.owner_, completion);
}

void Loop::run_tasks(List<Task>& tasks) {
  List<Task> running;
  running.append(tasks);
  while (!running.empty()) {
    const Task& task = running.pop_front();
    task.handler_(task.owner_);
  }
}

// A free buffer for each, in the order in which they came.
void Loop::feed_starved() {
  if (starved_.empty()) return;
  bool are_exhausted = false;
  List<Task> fed;
  for (unsigned promised = 0; !starved_.empty(); ++promised) {
    const bool has_free = receive_buffers_.held_count() + promised < receive_buffers_.count();
    if (!has_free && !receive_buffers_.grow()) {
      are_exhausted = true;
      if (!receive_buffers_.reclaim()) break;
    }
    fed.push_back(starved_.pop_front());
  }
  if (are_exhausted) ++statistics_.buffers_exhausted;
  run_tasks(fed);
}

}  // namespace sluice::io

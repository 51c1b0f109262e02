// Threads for work of the control plane that takes long. When the system gives none, the caller does the work.
//
// The heap gives back what a thread has taken from it when the thread ends, and only what is free by then
// (base/heap.h): threads that take much should end, and after it is free.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <latch>
#include <thread>
#include <vector>

namespace sluice {

// Calls work() on a thread of its own and waits for its end.
void run_apart(const std::function<void()>& work);

// Threads that help the caller with one piece of work, and end with this object.
class Helpers {
 public:
  // By default as many as there are processors, but on few, the caller's among them.
  Helpers() noexcept;
  explicit Helpers(size_t threads_max) noexcept : threads_max_(threads_max) {}
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;
  ~Helpers() { may_end_.count_down(); }

  // Calls work(i) for every i below `count`, on the caller's thread and others, which leave the processors to the
  // shards, and returns when all calls have. Once.
  void for_each(size_t count, const std::function<void(size_t)>& work);

 private:
  const size_t threads_max_;  // with the caller's
  std::latch may_end_{1};
  std::atomic<size_t> finished_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace sluice

#include "base/parallel.h"

#include <algorithm>
#include <system_error>

namespace sluice {

void run_apart(const std::function<void()>& work) {
  std::jthread thread;
  try {
    thread = std::jthread(work);
  } catch (const std::system_error&) {  // RLIMIT_NPROC, pids.max
    work();
  }
}

void Helpers::for_each(size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  const auto work_on = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  const auto help = [&work_on, this] {
    work_on();
    ++finished_;
    finished_.notify_one();
    may_end_.wait();
  };
  const size_t wanted = std::min<size_t>(count, std::thread::hardware_concurrency());
  try {
    while (threads_.size() + 1 < wanted) threads_.emplace_back(help);
  } catch (const std::system_error&) {  // those that are there do it all
  }
  work_on();
  for (size_t finished = finished_; finished < threads_.size(); finished = finished_) finished_.wait(finished);
}

}  // namespace sluice

#include "base/parallel.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace sluice {

namespace {
constexpr int kNice = 10;          // a tenth of a shard's weight (sched(7))
constexpr size_t kThreadsMax = 4;  // more would use up the time that a container may have
}  // namespace

void run_apart(const std::function<void()>& work) {
  std::jthread thread;
  try {
    thread = std::jthread(work);
  } catch (const std::system_error&) {  // RLIMIT_NPROC, pids.max
    work();
  }
}

Helpers::Helpers() noexcept : Helpers(std::min<size_t>(std::thread::hardware_concurrency(), kThreadsMax)) {}

void Helpers::for_each(size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  const auto work_on = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  const auto help = [&work_on, this] {
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);  // refused: no harm but in latency
    work_on();
    ++finished_;
    finished_.notify_one();
    may_end_.wait();
  };
  const size_t wanted = std::min(count, threads_max_);
  try {
    while (threads_.size() + 1 < wanted) threads_.emplace_back(help);
  } catch (const std::system_error&) {  // those that are there do it all
  }
  work_on();
  for (size_t finished = finished_; finished < threads_.size(); finished = finished_) finished_.wait(finished);
}

}  // namespace sluice

#include "control/process_facts.h"

#include "base/limits.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace sluice::control {

namespace {

double boot_time_seconds() {
  std::ifstream stat("/proc/stat");
  for (std::string line; std::getline(stat, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return 0;
}

// proc(5), /proc/PID/stat: the second field is the program's name in parentheses, which may hold anything.
void read_stat(ProcessFacts& facts) {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return;
  std::istringstream rest(line.substr(name_end + 1));
  std::string skipped;
  double user_ticks = 0;
  double system_ticks = 0;
  double start_ticks = 0;
  for (int field = 3; field <= 13; ++field) rest >> skipped;
  rest >> user_ticks >> system_ticks;  // 14 and 15
  for (int field = 16; field <= 21; ++field) rest >> skipped;
  uint64_t resident_pages = 0;
  rest >> start_ticks >> facts.virtual_bytes >> resident_pages;  // 22 to 24
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  facts.cpu_seconds = (user_ticks + system_ticks) / ticks_per_second;
  facts.start_time_seconds = boot_time_seconds() + start_ticks / ticks_per_second;
  facts.resident_bytes = resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

ProcessFacts read_process_facts() {
  ProcessFacts facts;
  read_stat(facts);
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    ++facts.open_descriptors;
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.descriptors_max = limit.rlim_cur;
  return facts;
}

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? limit.rlim_max : limit.rlim_cur;
}

unsigned usable_cpu_count() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;  // more CPUs than the set has room for
  return std::clamp(static_cast<unsigned>(CPU_COUNT(&cpus)), 1U, limits::shards_max);
}

}  // namespace sluice::control

#include "control/process_facts.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>

namespace sluice::control {
namespace {

TEST(ProcessFacts, AreThoseOfThisProcess) {
  const ProcessFacts facts = read_process_facts();
  EXPECT_GT(facts.resident_bytes, 500'000U);
  EXPECT_GE(facts.virtual_bytes, facts.resident_bytes);
  EXPECT_GE(facts.cpu_seconds, 0);
  EXPECT_NEAR(facts.start_time_seconds, static_cast<double>(time(nullptr)), 600);
  EXPECT_GE(facts.open_descriptors, 3U);

  const int fd = open("/dev/null", O_RDONLY);
  EXPECT_EQ(read_process_facts().open_descriptors, facts.open_descriptors + 1);
  close(fd);
}

TEST(ProcessFacts, RaiseTheDescriptorLimitToWhatIsAllowed) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit low{.rlim_cur = 64, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(read_process_facts().descriptors_max, 64U);
  EXPECT_EQ(raise_descriptor_limit(), before.rlim_max);
  EXPECT_EQ(read_process_facts().descriptors_max, before.rlim_max);
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(ProcessFacts, KnowHowManyCpusMayBeUsed) {
  cpu_set_t all;
  sched_getaffinity(0, sizeof all, &all);
  EXPECT_EQ(usable_cpu_count(), static_cast<unsigned>(CPU_COUNT(&all)));
  int first = 0;
  while (!CPU_ISSET(first, &all)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_cpu_count(), 1U);
  sched_setaffinity(0, sizeof all, &all);
}

}  // namespace
}  // namespace sluice::control

#include "io/pipe_pool.h"

#include "real_ring.h"

#include <sys/resource.h>

#include <array>

namespace sluice::io {
namespace {

TEST(PipePool, KeepsAnEmptyPipeForTheNext) {
  PipePool pool;
  const Pipe first = pool.take();
  ASSERT_GE(first.read_fd, 0);
  EXPECT_GT(first.capacity, 0U);
  pool.give(first, /*is_empty=*/true);
  EXPECT_TRUE(test::is_open(first.read_fd));
  const Pipe second = pool.take();
  EXPECT_EQ(second.read_fd, first.read_fd);
  pool.give(second, true);
}

// One client's bytes must never reach another.
TEST(PipePool, ClosesAPipeThatHoldsBytes) {
  PipePool pool;
  const Pipe dirty = pool.take();
  ASSERT_EQ(write(dirty.write_fd, "secret", 6), 6);
  pool.give(dirty, /*is_empty=*/false);
  EXPECT_FALSE(test::is_open(dirty.read_fd));
  EXPECT_FALSE(test::is_open(dirty.write_fd));
  const Pipe next = pool.take();
  std::array<std::byte, 16> room;
  EXPECT_EQ(read_pipe(next, room), -EAGAIN);
  pool.give(next, true);
}

TEST(PipePool, KeepsABoundedNumberAndClosesThemAtItsEnd) {
  std::vector<Pipe> pipes;
  {
    PipePool pool;
    for (unsigned i = 0; i < limits::idle_pipes_max + 3; ++i) pipes.push_back(pool.take());
    for (const Pipe& pipe : pipes) pool.give(pipe, true);
    size_t open = 0;
    for (const Pipe& pipe : pipes) open += test::is_open(pipe.read_fd) ? 1 : 0;
    EXPECT_EQ(open, limits::idle_pipes_max);
  }
  for (const Pipe& pipe : pipes) EXPECT_FALSE(test::is_open(pipe.read_fd) || test::is_open(pipe.write_fd));
}

TEST(PipePool, SaysWhenTheProcessHasNoDescriptorsLeft) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  PipePool pool;
  const Pipe pipe = pool.take();
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_LT(pipe.read_fd, 0);
}

}  // namespace
}  // namespace sluice::io

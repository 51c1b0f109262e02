#include "io/mailbox.h"

#include "real_ring.h"

#include <atomic>
#include <thread>

namespace sluice::io {
namespace {

using test::turn_until;
using namespace std::chrono_literals;

struct Woken {
  static void on_wake(void* self) { ++static_cast<Woken*>(self)->count; }
  unsigned count = 0;
};

TEST(Mailbox, WakesTheLoopOfAnotherThread) {
  const auto loop = test::small_loop();
  Woken woken;
  Mailbox mailbox(*loop, Woken::on_wake, &woken);
  ASSERT_TRUE(mailbox.start());
  std::thread sender([&] {
    std::this_thread::sleep_for(20ms);
    mailbox.wake();
  });
  const auto before = std::chrono::steady_clock::now();
  while (woken.count == 0 && std::chrono::steady_clock::now() - before < 5s) loop->turn(5s);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s);
  sender.join();
  EXPECT_GE(woken.count, 1U);
  mailbox.stop();
  EXPECT_TRUE(turn_until(*loop, [&] { return mailbox.is_idle(); }));
}

TEST(Mailbox, LosesNoWakeUpWhateverTheMoment) {
  const auto loop = test::small_loop();
  struct Seen {
    std::atomic<unsigned> written{0};
    unsigned read = 0;
  } seen;
  Mailbox mailbox(
      *loop, [](void* self) { static_cast<Seen*>(self)->read = static_cast<Seen*>(self)->written.load(); }, &seen);
  ASSERT_TRUE(mailbox.start());
  constexpr unsigned kMessages = 2000;
  std::thread sender([&] {
    for (unsigned i = 1; i <= kMessages; ++i) {
      seen.written.store(i);
      mailbox.wake();
    }
  });
  EXPECT_TRUE(turn_until(*loop, [&] { return seen.read == kMessages; }));
  sender.join();
  mailbox.stop();
  EXPECT_TRUE(turn_until(*loop, [&] { return mailbox.is_idle(); }));
}

TEST(Mailbox, StopsWithoutHavingBeenWoken) {
  const auto loop = test::small_loop();
  Woken woken;
  Mailbox mailbox(*loop, Woken::on_wake, &woken);
  ASSERT_TRUE(mailbox.start());
  loop->turn(0ms);
  mailbox.stop();
  EXPECT_TRUE(turn_until(*loop, [&] { return mailbox.is_idle(); }));
  EXPECT_EQ(woken.count, 0U);
}

}  // namespace
}  // namespace sluice::io

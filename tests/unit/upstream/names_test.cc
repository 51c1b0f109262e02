#include "upstream/names.h"

#include "base/limits.h"
#include "sim_io/world.h"
#include "sim_names.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice::upstream {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

Strings texts_of(std::span<const SocketAddress> addresses) {
  Strings texts;
  for (const SocketAddress& address : addresses) texts.push_back(address.ip_text());
  return texts;
}

struct Asker {
  NameWaiter waiter{
      [](void* self, std::span<const SocketAddress> found) { static_cast<Asker*>(self)->answer = texts_of(found); },
      this};
  std::optional<Strings> answer;
};

class NamesTest : public testing::Test {
 protected:
  NamesTest() {
    names_->ask(lookup_, std::make_shared<NameAnswers>([](void*) {}, nullptr));
  }

  void pass(Duration duration) {
    for (const Instant end = loop_->now() + duration; loop_->now() < end;) loop_->turn(end - loop_->now());
    names_->collect();
  }

  sim::World world_{1, sim::fine_weather()};
  std::unique_ptr<io::Loop> loop_{std::move(*io::Loop::create())};
  sim::SimNames lookup_{world_};
  std::unique_ptr<Names> names_ = std::make_unique<Names>(*loop_);
  Asker asker_;
};

TEST_F(NamesTest, WaitsForTheFirstAnswerAndRemembersIt) {
  lookup_.set("a.test", {"192.0.2.1", "192.0.2.2"});
  EXPECT_EQ(names_->find("a.test", asker_.waiter).status, Names::Status::waiting);
  EXPECT_FALSE(asker_.answer);
  pass(10ms);
  EXPECT_EQ(asker_.answer, (Strings{"192.0.2.1", "192.0.2.2"}));
  const Names::Found again = names_->find("a.test", asker_.waiter);
  EXPECT_EQ(again.status, Names::Status::found);
  EXPECT_EQ(texts_of(again.addresses), (Strings{"192.0.2.1", "192.0.2.2"}));
  EXPECT_EQ(lookup_.questions, Strings{"a.test"});
}

TEST_F(NamesTest, AsksOnceForManyThatWait) {
  lookup_.set("a.test", {"192.0.2.1"});
  std::deque<Asker> askers(5);
  for (Asker& asker : askers) EXPECT_EQ(names_->find("a.test", asker.waiter).status, Names::Status::waiting);
  pass(10ms);
  for (const Asker& asker : askers) EXPECT_EQ(asker.answer, Strings{"192.0.2.1"});
  EXPECT_EQ(lookup_.questions, Strings{"a.test"});
}

TEST_F(NamesTest, RemembersAFailureAsLongAsTheAnswerSays) {
  lookup_.lifetime = 5s;
  EXPECT_EQ(names_->find("missing.test", asker_.waiter).status, Names::Status::waiting);
  pass(10ms);
  EXPECT_EQ(asker_.answer, Strings{});
  EXPECT_EQ(names_->find("missing.test", asker_.waiter).status, Names::Status::failed);
  EXPECT_EQ(lookup_.questions.size(), 1U);
  pass(5s);
  EXPECT_EQ(names_->find("missing.test", asker_.waiter).status, Names::Status::waiting);
  EXPECT_EQ(lookup_.questions.size(), 2U);
  pass(10ms);
}

TEST_F(NamesTest, UsesAnAnswerThatHasJustRunOutWhileItAsksAnew) {
  lookup_.set("a.test", {"192.0.2.1"});
  static_cast<void>(names_->find("a.test", asker_.waiter));
  pass(10ms);
  lookup_.set("a.test", {"192.0.2.9"});
  pass(61s);
  EXPECT_EQ(texts_of(names_->find("a.test", asker_.waiter).addresses), Strings{"192.0.2.1"});
  EXPECT_EQ(texts_of(names_->find("a.test", asker_.waiter).addresses), Strings{"192.0.2.1"});
  EXPECT_EQ(lookup_.questions.size(), 2U);
  pass(10ms);
  EXPECT_EQ(texts_of(names_->find("a.test", asker_.waiter).addresses), Strings{"192.0.2.9"});
}

// Nobody has asked for hours: the address may be anybody's by now.
TEST_F(NamesTest, UsesNoAnswerThatHasRunOutLongAgo) {
  lookup_.set("a.test", {"192.0.2.1"});
  static_cast<void>(names_->find("a.test", asker_.waiter));
  pass(10ms);
  pass(60s + limits::dns_refresh_time_max);
  EXPECT_EQ(names_->find("a.test", asker_.waiter).status, Names::Status::waiting);
  pass(10ms);
}

TEST_F(NamesTest, TellsAFailureThatHoldsForNobodyElseOnceAndAsksForTheNextOne) {
  lookup_.lifetime = 0s;
  static_cast<void>(names_->find("a.test", asker_.waiter));
  pass(10ms);
  EXPECT_EQ(asker_.answer, Strings{});
  lookup_.set("a.test", {"192.0.2.1"});
  lookup_.lifetime = 60s;
  EXPECT_EQ(names_->find("a.test", asker_.waiter).status, Names::Status::waiting);
  pass(10ms);
  EXPECT_EQ(asker_.answer, Strings{"192.0.2.1"});
}

TEST_F(NamesTest, TellsNobodyWhoHasGone) {
  lookup_.set("a.test", {"192.0.2.1"});
  auto gone = std::make_unique<Asker>();
  static_cast<void>(names_->find("a.test", gone->waiter));
  static_cast<void>(names_->find("a.test", asker_.waiter));
  gone.reset();
  pass(10ms);
  EXPECT_TRUE(asker_.answer);
}

TEST_F(NamesTest, AnAnswerMayEndTheWaitingOfAnother) {
  lookup_.set("a.test", {"192.0.2.1"});
  auto other = std::make_unique<Asker>();
  NameWaiter ends_other(
      [](void* call, std::span<const SocketAddress>) { static_cast<std::unique_ptr<Asker>*>(call)->reset(); }, &other);
  static_cast<void>(names_->find("a.test", ends_other));
  static_cast<void>(names_->find("a.test", other->waiter));
  pass(10ms);
  EXPECT_EQ(other, nullptr);
}

TEST_F(NamesTest, IsBoundedAndForgetsWhatWasUsedLongestAgo) {
  for (size_t i = 0; i < limits::dns_names_per_shard_max; ++i) {
    lookup_.set("n" + std::to_string(i) + ".test", {"192.0.2.1"});
    Asker asker;
    static_cast<void>(names_->find("n" + std::to_string(i) + ".test", asker.waiter));
  }
  EXPECT_EQ(names_->find("one-more.test", asker_.waiter).status, Names::Status::failed) << "all are being looked up";
  pass(10ms);
  EXPECT_EQ(names_->find("n0.test", asker_.waiter).status, Names::Status::found);
  EXPECT_EQ(names_->find("one-more.test", asker_.waiter).status, Names::Status::waiting);
  pass(10ms);
  EXPECT_EQ(names_->count(), limits::dns_names_per_shard_max);
  EXPECT_EQ(names_->find("n0.test", asker_.waiter).status, Names::Status::found);
  EXPECT_EQ(names_->find("n1.test", asker_.waiter).status, Names::Status::waiting) << "it has made room";
  pass(10ms);
}

TEST_F(NamesTest, ForgetsAnswersThatServeNobodyAnyMore) {
  for (int i = 0; i < 10; ++i) {
    Asker asker;
    static_cast<void>(names_->find("n" + std::to_string(i) + ".test", asker.waiter));
  }
  names_->tidy();
  EXPECT_EQ(names_->count(), 10U) << "an answer is owed";
  pass(10ms);
  pass(60s);
  names_->tidy();
  EXPECT_EQ(names_->count(), 10U);
  pass(limits::dns_refresh_time_max);
  names_->tidy();
  EXPECT_EQ(names_->count(), 0U);
}

TEST_F(NamesTest, WithoutAnybodyToAskNoNameHasAddresses) {
  Names alone(*loop_);
  EXPECT_EQ(alone.find("a.test", asker_.waiter).status, Names::Status::failed);
  alone.collect();
}

TEST_F(NamesTest, AnswersThatComeTooLateReachNobody) {
  lookup_.set("a.test", {"192.0.2.1"});
  {
    Asker asker;
    static_cast<void>(names_->find("a.test", asker.waiter));
  }
  names_.reset();
  loop_->turn(10ms);
}

}  // namespace
}  // namespace sluice::upstream

// Connections to an endpoint that is a name, in the simulated world: its addresses are looked up, those that the guard
// refuses are left out, and the others are tried until one answers.
#include "upstream/address_choice.h"
#include "upstream/connection_pool.h"

#include "base/limits.h"
#include "sim_io/kernel.h"
#include "sim_io/network.h"
#include "sim_io/world.h"
#include "sim_names.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice::upstream {
namespace {

using namespace std::chrono_literals;
using snapshot::AddressGuard;
using Strings = std::vector<std::string>;

const AddressGuard only_global{.named = AddressScope::global, .original = AddressScope::global, .registered = {}};

class NamedConnection : public testing::Test {
 protected:
  NamedConnection() {
    pool_->names.ask(lookup_, std::make_shared<NameAnswers>([](void*) {}, nullptr));
    use_guard(only_global);
  }
  ~NamedConnection() override {
    endpoint_.reset();
    EXPECT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
    for (int i = 0; i < 3; ++i) loop_->turn(10ms);
    pool_.reset();
    world_.check_nothing_left();
    EXPECT_EQ(loop_->timers().armed_count(), 0U);
  }

  void use_guard(const AddressGuard& guard) {
    endpoint_ = std::make_unique<Endpoint>("a.test", 443, std::make_shared<const AddressGuard>(guard));
  }
  template <typename IsDone>
  bool turn_until(IsDone is_done) {
    for (int i = 0; i < 100'000 && !is_done(); ++i) {
      loop_->turn(1ms);
      pool_->names.collect();
    }
    return is_done();
  }
  // Somebody is there, or answers like that.
  void serve(const std::string& ip, sim::Network::Answer answer = {}) {
    answers_[ip] = answer;
    world_.network().serve(*SocketAddress::from_ip(ip, 443), {.answer =
                                                                  [this, ip] {
                                                                    tried_.push_back(ip);
                                                                    tried_at_.push_back(world_.now());
                                                                    return answers_[ip];
                                                                  },
                                                              .on_connection =
                                                                  [this, ip](sim::Endpoint& peer) {
                                                                    connected_.push_back(ip);
                                                                    peers_.push_back(&peer);
                                                                  }});
  }
  Connection& borrow(Duration timeout = 10s) {
    return *pool_->borrow(
        *endpoint_, timeout, {}, /*fresh=*/false,
        {.on_change = [](void* self) { ++static_cast<NamedConnection*>(self)->changes_; }, .owner = this},
        /*waiter=*/nullptr);
  }
  bool has_outcome(const Connection& connection) {
    return turn_until([&] { return changes_ > 0 && (connection.is_ready() || connection.connect_error() != 0); });
  }
  int error_of(Duration timeout = 10s) {
    changes_ = 0;
    Connection& connection = borrow(timeout);
    EXPECT_TRUE(has_outcome(connection));
    const int error = connection.connect_error();
    connection.discard();
    return error;
  }

  sim::World world_{1, sim::fine_weather()};
  std::unique_ptr<io::Loop> loop_{std::move(*io::Loop::create())};
  tls::HandshakePool handshakes_;
  sim::SimNames lookup_{world_};
  std::unique_ptr<ConnectionPool> pool_ = std::make_unique<ConnectionPool>(*loop_, handshakes_);
  std::unique_ptr<Endpoint> endpoint_;
  std::map<std::string, sim::Network::Answer> answers_;
  Strings tried_;
  std::vector<Instant> tried_at_;
  Strings connected_;
  std::vector<sim::Endpoint*> peers_;
  unsigned changes_ = 0;
};

TEST_F(NamedConnection, IsToAnAddressOfTheName) {
  lookup_.set("a.test", {"8.8.8.8"});
  serve("8.8.8.8");
  Connection& connection = borrow();
  EXPECT_FALSE(connection.is_ready());
  EXPECT_FALSE(connection.remote_address().is_known());
  ASSERT_TRUE(has_outcome(connection));
  EXPECT_TRUE(connection.is_ready());
  EXPECT_EQ(connection.remote_address().to_string(), "8.8.8.8:443");
  connection.give_back();
  Connection& again = borrow();
  EXPECT_EQ(&again, &connection) << "it is kept as any other";
  again.discard();
}

TEST_F(NamedConnection, TellsOfANameWithoutAddresses) {
  EXPECT_EQ(error_of(), name_unresolved);
  EXPECT_EQ(error_of(), name_unresolved) << "also when that is known already";
  EXPECT_EQ(lookup_.questions.size(), 1U);
}

TEST_F(NamedConnection, WaitsNoLongerForTheNameThanForTheConnection) {
  lookup_.is_silent = true;
  const Instant begin = world_.now();
  EXPECT_EQ(error_of(2s), name_unresolved);
  EXPECT_LT(world_.now() - begin, 2100ms);
}

TEST_F(NamedConnection, MayBeGivenUpWhileTheNameIsLookedUp) {
  lookup_.set("a.test", {"8.8.8.8"});
  serve("8.8.8.8");
  borrow().discard();
  EXPECT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
  loop_->turn(100ms);
  pool_->names.collect();
  EXPECT_EQ(changes_, 0U);
  EXPECT_TRUE(tried_.empty());
}

TEST_F(NamedConnection, MayBeGivenUpBeforeItHasToldOfItsFailure) {
  static_cast<void>(error_of());
  changes_ = 0;
  borrow().discard();
  EXPECT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
  EXPECT_EQ(changes_, 0U);
}

TEST_F(NamedConnection, IsNeverToAnAddressThatTheGuardRefuses) {
  const Strings refused = {"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "64:ff9b::a00:1"};
  for (const std::string& ip : refused) serve(ip);
  lookup_.set("a.test", refused);
  EXPECT_EQ(error_of(), addresses_forbidden);
  EXPECT_TRUE(tried_.empty());
}

TEST_F(NamedConnection, LeavesOutTheAddressesThatTheGuardRefuses) {
  lookup_.set("a.test", {"127.0.0.1", "8.8.8.8", "::1"});
  for (const char* ip : {"127.0.0.1", "8.8.8.8", "::1"}) serve(ip);
  EXPECT_EQ(error_of(), 0);
  EXPECT_EQ(tried_, Strings{"8.8.8.8"});
}

// DNS rebinding: the name had a public address when it was looked at first.
TEST_F(NamedConnection, IsGuardedAnewWheneverTheNameHasOtherAddresses) {
  lookup_.set("a.test", {"8.8.8.8"});
  lookup_.lifetime = 1s;
  serve("8.8.8.8");
  serve("127.0.0.1");
  EXPECT_EQ(error_of(), 0);
  lookup_.set("a.test", {"127.0.0.1"});
  for (int i = 0; i < 40; ++i) loop_->turn(1s);
  EXPECT_EQ(error_of(), addresses_forbidden);
  EXPECT_EQ(tried_, Strings{"8.8.8.8"});
}

TEST_F(NamedConnection, ReachesWhatIsRegistered) {
  AddressGuard guard = only_global;
  guard.registered.push_back(*AddressRange::parse("10.0.0.0/24"));
  use_guard(guard);
  lookup_.set("a.test", {"10.0.1.1", "10.0.0.1"});
  serve("10.0.0.1");
  serve("10.0.1.1");
  EXPECT_EQ(error_of(), 0);
  EXPECT_EQ(tried_, Strings{"10.0.0.1"});
}

// --- several addresses (RFC 8305) ------------------------------------------------------------------

TEST_F(NamedConnection, TriesIPv6FirstAndTheFamiliesInTurn) {
  lookup_.set("a.test", {"8.8.8.1", "8.8.8.2", "8.8.8.3", "2606::1", "2606::2"});
  for (const char* ip : {"8.8.8.1", "8.8.8.2", "8.8.8.3", "2606::1", "2606::2"}) serve(ip, {.error = ECONNREFUSED});
  EXPECT_EQ(error_of(), ECONNREFUSED);
  EXPECT_EQ(tried_, (Strings{"2606::1", "8.8.8.1", "2606::2", "8.8.8.2", "8.8.8.3"}));
}

TEST_F(NamedConnection, TriesTheNextAddressAfterAQuarterOfASecond) {
  lookup_.set("a.test", {"2606::1", "8.8.8.1", "8.8.8.2"});
  serve("2606::1", {.delay = -1s});
  serve("8.8.8.1", {.delay = -1s});
  serve("8.8.8.2");
  Connection& connection = borrow();
  ASSERT_TRUE(has_outcome(connection));
  EXPECT_TRUE(connection.is_ready());
  EXPECT_EQ(connection.remote_address().ip_text(), "8.8.8.2");
  ASSERT_EQ(tried_at_.size(), 3U);
  for (size_t i = 1; i < 3; ++i) {
    EXPECT_GE(tried_at_[i] - tried_at_[i - 1], limits::connect_attempt_delay);
    EXPECT_LT(tried_at_[i] - tried_at_[i - 1], limits::connect_attempt_delay + 20ms);
  }
  connection.discard();
}

TEST_F(NamedConnection, TriesTheNextAddressAtOnceWhenOneHasFailed) {
  lookup_.set("a.test", {"2606::1", "8.8.8.1"});
  serve("2606::1", {.error = ENETUNREACH});
  serve("8.8.8.1");
  Connection& connection = borrow();
  ASSERT_TRUE(has_outcome(connection));
  EXPECT_EQ(connection.remote_address().ip_text(), "8.8.8.1");
  EXPECT_LT(tried_at_[1] - tried_at_[0], 20ms);
  connection.discard();
}

TEST_F(NamedConnection, IsTheFirstThatSucceedsAndTheOthersEnd) {
  lookup_.set("a.test", {"2606::1", "8.8.8.1"});
  serve("2606::1", {.delay = 300ms});
  serve("8.8.8.1", {.delay = 100ms});  // would be there after 350 ms
  Connection& connection = borrow();
  ASSERT_TRUE(has_outcome(connection));
  EXPECT_EQ(connection.remote_address().ip_text(), "2606::1");
  for (int i = 0; i < 20; ++i) loop_->turn(100ms);
  EXPECT_TRUE(connection.is_ready());
  EXPECT_EQ(world_.kernel().open_descriptor_count(), 1U);
  peers_[0]->write(as_bytes("hello"));
  EXPECT_TRUE(turn_until([&] { return connection.transport().stream().receive_queue().size() == 5; }));
  connection.discard();
}

TEST_F(NamedConnection, TellsWhichAddressWasTriedLastWhenNoneAnswers) {
  lookup_.set("a.test", {"2606::1", "8.8.8.1"});
  serve("2606::1", {.error = ENETUNREACH});
  serve("8.8.8.1", {.error = ECONNREFUSED});
  Connection& connection = borrow();
  ASSERT_TRUE(has_outcome(connection));
  EXPECT_EQ(connection.connect_error(), ECONNREFUSED);
  EXPECT_EQ(connection.remote_address().to_string(), "8.8.8.1:443");
  connection.discard();
}

TEST_F(NamedConnection, TriesOnlySomeOfVeryManyAddresses) {
  Strings many;
  for (unsigned i = 0; i < 200; ++i) many.push_back("8.8.4." + std::to_string(i));
  lookup_.set("a.test", many);
  for (const std::string& ip : many) serve(ip, {.error = ECONNREFUSED});
  EXPECT_EQ(error_of(), ECONNREFUSED);
  EXPECT_EQ(tried_.size(), limits::connect_race_max);
}

TEST_F(NamedConnection, EndsAllAttemptsWhenItsTimeIsUp) {
  lookup_.set("a.test", {"2606::1", "8.8.8.1", "8.8.8.2"});
  for (const char* ip : {"2606::1", "8.8.8.1", "8.8.8.2"}) serve(ip, {.delay = -1s});
  EXPECT_EQ(error_of(600ms), ETIMEDOUT);
  EXPECT_EQ(tried_.size(), 3U);
  EXPECT_TRUE(turn_until([&] { return pool_->connection_count() == 0; }));
  EXPECT_EQ(world_.kernel().open_descriptor_count(), 0U);
}

TEST_F(NamedConnection, TakesASocketThatCannotBeMadeForAnAttemptThatHasFailed) {
  lookup_.set("a.test", {"2606::1", "8.8.8.1"});
  serve("2606::1");
  serve("8.8.8.1");
  world_.set_descriptors_out(1000);
  EXPECT_EQ(error_of(), EMFILE);
  world_.set_descriptors_out(0);
  EXPECT_EQ(error_of(), 0);
}

TEST(AddressChoice, GivesEachFamilyItsTurnHoweverManyTheOtherHas) {
  std::vector<SocketAddress> found;
  for (int i = 0; i < 100; ++i) found.push_back(*SocketAddress::from_ip("2606::" + std::to_string(i), 0));
  found.push_back(*SocketAddress::from_ip("8.8.8.8", 0));
  const AddressChoice choice(found, 80, only_global);
  ASSERT_EQ(choice.chosen().size(), limits::connect_race_max);
  EXPECT_EQ(choice.chosen()[0].to_string(), "[2606::]:80");
  EXPECT_EQ(choice.chosen()[1].to_string(), "8.8.8.8:80");
  EXPECT_EQ(choice.chosen()[2].to_string(), "[2606::1]:80");
}

}  // namespace
}  // namespace sluice::upstream

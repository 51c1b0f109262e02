#include "dns/resolver.h"

#include "base/limits.h"
#include "name_server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sluice::dns {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

// As a shard: asks, is woken, takes what has come.
class Asker {
 public:
  explicit Asker(NameLookup& lookup) : lookup_(lookup) {}
  ~Asker() { answers_->close(); }

  void ask(std::string_view name) { lookup_.look_up(name, answers_); }
  // The next answer; a test failure when none comes.
  NameAnswer next(std::chrono::milliseconds patience = 20s) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (taken_.empty()) {
      if (!wait_for_wake(deadline)) {
        ADD_FAILURE() << "no answer";
        return {};
      }
      taken_ = answers_->take();
    }
    NameAnswer answer = std::move(taken_.front());
    taken_.erase(taken_.begin());
    return answer;
  }
  NameAnswer ask_and_wait(std::string_view name) {
    ask(name);
    return next();
  }

 private:
  bool wait_for_wake(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    if (!condition_.wait_until(lock, deadline, [&] { return is_woken_; })) return false;
    is_woken_ = false;
    return true;
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
    condition_.notify_all();
  }

  NameLookup& lookup_;
  std::mutex mutex_;
  std::condition_variable condition_;
  bool is_woken_ = false;
  std::vector<NameAnswer> taken_;
  std::shared_ptr<NameAnswers> answers_ =
      std::make_shared<NameAnswers>([](void* self) { static_cast<Asker*>(self)->wake(); }, this);
};

Strings texts_of(const NameAnswer& answer) {
  Strings texts;
  for (const SocketAddress& address : answer.addresses) texts.push_back(address.ip_text());
  return texts;
}
Strings sorted_texts_of(const NameAnswer& answer) {
  Strings texts = texts_of(answer);
  std::ranges::sort(texts);
  return texts;
}

class ResolverTest : public testing::Test {
 protected:
  NameServer server_{{{"a.test", kTypeA, "192.0.2.2", 90},
                      {"a.test", kTypeA, "192.0.2.1", 90},
                      {"a.test", kTypeA, "192.0.2.2", 90},
                      {"a.test", kTypeAaaa, "2001:db8::1", 60},
                      {"short.test", kTypeA, "192.0.2.3", 0},
                      {"long.test", kTypeA, "192.0.2.4", 1'000'000}}};
  std::unique_ptr<Resolver> resolver_ = std::move(*Resolver::start(server_.place()));
  Asker asker_{*resolver_};
};

TEST_F(ResolverTest, FindsTheAddressesOfBothFamiliesEachOnceInTheOrderOfTheAnswer) {
  const NameAnswer answer = asker_.ask_and_wait("a.test");
  EXPECT_EQ(answer.name, "a.test");
  EXPECT_EQ(answer.error, "");
  EXPECT_EQ(sorted_texts_of(answer), (Strings{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
  const Strings texts = texts_of(answer);
  EXPECT_LT(std::ranges::find(texts, "192.0.2.2"), std::ranges::find(texts, "192.0.2.1"));
  EXPECT_GT(answer.lifetime, 58s);
  EXPECT_LE(answer.lifetime, 60s);
}

TEST_F(ResolverTest, RemembersAnAnswer) {
  static_cast<void>(asker_.ask_and_wait("a.test"));
  Asker other(*resolver_);
  EXPECT_EQ(other.ask_and_wait("a.test").addresses.size(), 3U);
  EXPECT_EQ(server_.query_count(), 2U) << "one for each family";
}

TEST_F(ResolverTest, KeepsLifetimesWithinBounds) {
  EXPECT_GT(asker_.ask_and_wait("short.test").lifetime, limits::dns_ttl_min - 1s);
  EXPECT_LE(asker_.ask_and_wait("long.test").lifetime, limits::dns_ttl_max);
}

TEST_F(ResolverTest, AsksOnceForAllWhoWaitForTheSameName) {
  Asker other(*resolver_);
  for (int i = 0; i < 10; ++i) {
    asker_.ask("a.test");
    other.ask("a.test");
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(asker_.next().addresses.size(), 3U);
    EXPECT_EQ(other.next().addresses.size(), 3U);
  }
  EXPECT_EQ(server_.query_count(), 2U);
}

TEST_F(ResolverTest, TellsOfANameThatDoesNotExistAndRemembersThatForAMoment) {
  const NameAnswer answer = asker_.ask_and_wait("missing.test");
  EXPECT_TRUE(answer.addresses.empty());
  EXPECT_NE(answer.error, "");
  EXPECT_GT(answer.lifetime, 0s);
  EXPECT_LE(answer.lifetime, limits::dns_failure_lifetime);
  const unsigned queries = server_.query_count();
  EXPECT_NE(asker_.ask_and_wait("missing.test").error, "");
  EXPECT_EQ(server_.query_count(), queries);
}

TEST_F(ResolverTest, AsksNobodyForWhatIsNoName) {
  for (const std::string_view name : {"127.0.0.1", "127.1", "2130706433", "0x7f000001", "::1", "a..test", "",
                                      "a b.test", "a.test.", "a/../test", "x.1", "\xc3\xa4.test"})
    EXPECT_NE(asker_.ask_and_wait(name).error, "") << name;
  EXPECT_EQ(server_.query_count(), 0U);
}

TEST_F(ResolverTest, ReadsEtcHostsFirst) {
  const Strings found = texts_of(asker_.ask_and_wait("localhost"));
  EXPECT_NE(std::ranges::find(found, "127.0.0.1"), found.end());
  EXPECT_EQ(server_.query_count(), 0U);
}

TEST_F(ResolverTest, TellsWhoHasWaitedLongEnoughAndUsesTheAnswerThatComesLater) {
  server_.is_silent = true;
  const auto begin = std::chrono::steady_clock::now();
  const NameAnswer answer = asker_.ask_and_wait("a.test");
  const auto waited = std::chrono::steady_clock::now() - begin;
  EXPECT_NE(answer.error, "");
  EXPECT_GT(waited, limits::dns_lookup_time_max - 500ms);
  EXPECT_LT(waited, limits::dns_lookup_time_max + 2s);
}

TEST_F(ResolverTest, ASilentNameHoldsUpNoOther) {
  asker_.ask("silent.test");
  Asker other(*resolver_);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(other.ask_and_wait("a.test").addresses.size(), 3U);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

// RFC 8767: the last answer serves while there is no newer one, but for a name that is said not to exist.
TEST_F(ResolverTest, KeepsTheLastAnswerOfANameWhoseServersFail) {
  EXPECT_EQ(texts_of(asker_.ask_and_wait("short.test")), Strings{"192.0.2.3"});
  server_.is_broken = true;
  std::this_thread::sleep_for(limits::dns_ttl_min + 200ms);
  const NameAnswer kept = asker_.ask_and_wait("short.test");
  EXPECT_EQ(texts_of(kept), Strings{"192.0.2.3"});
  EXPECT_LE(kept.lifetime, limits::dns_failure_lifetime);
  server_.is_broken = false;
  server_.set_records({});
  std::this_thread::sleep_for(limits::dns_failure_lifetime + 200ms);
  EXPECT_TRUE(asker_.ask_and_wait("short.test").addresses.empty());
}

TEST_F(ResolverTest, LooksUpMoreNamesThanItAsksForAtATimeWithoutHarm) {
  std::vector<HostRecord> records;
  for (unsigned i = 0; i < 600; ++i) records.push_back({"n" + std::to_string(i) + ".test", kTypeA, "192.0.2.7", 30});
  server_.set_records(records);
  for (const HostRecord& record : records) asker_.ask(record.name);
  for (size_t i = 0; i < records.size(); ++i) EXPECT_EQ(texts_of(asker_.next()), Strings{"192.0.2.7"});
}

TEST_F(ResolverTest, FailsAtOnceWhatIsBeyondItsBounds) {
  server_.is_silent = true;
  const size_t room = limits::dns_lookups_under_way_max + limits::dns_lookups_waiting_max;
  const size_t asked = room + 500;
  const auto begin = std::chrono::steady_clock::now();
  for (size_t i = 0; i < asked; ++i) asker_.ask("n" + std::to_string(i) + ".test");
  size_t refused = 0;
  while (refused < 400) {
    const NameAnswer answer = asker_.next();
    EXPECT_EQ(answer.lifetime, 0s) << answer.error;
    ++refused;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, limits::dns_lookup_time_max);
}

TEST_F(ResolverTest, EndsWhileItIsAsked) {
  server_.is_silent = true;
  for (int i = 0; i < 500; ++i) asker_.ask("n" + std::to_string(i) + ".test");
  const auto begin = std::chrono::steady_clock::now();
  resolver_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

TEST_F(ResolverTest, AnswersNobodyWhoHasGone) {
  {
    Asker gone(*resolver_);
    gone.ask("a.test");
  }
  EXPECT_EQ(asker_.ask_and_wait("a.test").addresses.size(), 3U);
}

TEST_F(ResolverTest, IsAskedByManyThreads) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this] {
      Asker asker(*resolver_);
      for (int round = 0; round < 200; ++round) {
        EXPECT_EQ(asker.ask_and_wait("a.test").addresses.size(), 3U);
        EXPECT_NE(asker.ask_and_wait("missing.test").error, "");
      }
    });
  }
}

TEST(Resolver, FailsEveryNameWhenTheServersAreNonsense) {
  const auto resolver = std::move(*Resolver::start("not an address"));
  Asker asker(*resolver);
  EXPECT_NE(asker.ask_and_wait("a.test").error, "");
}

// --- what a hostile name server says ---------------------------------------------------------------

std::string question_of(const std::string& query) { return query.substr(12); }
std::string header(const std::string& query, uint16_t answers) {
  return query.substr(0, 2) + std::string("\x81\x80\0\1", 4) + static_cast<char>(answers >> 8) +
         static_cast<char>(answers & 0xff) + std::string(4, '\0');
}
bool asks_for_a(const std::string& query) { return query[query.size() - 3] == 1; }

TEST_F(ResolverTest, IsNotLedAroundByAliasesThatGoInACircle) {
  server_.reply_with([](const std::string& query) {
    // a.test is an alias of b.test, which is one of a.test.
    const std::string b = std::string("\1b\4test\0", 8);
    const std::string a = std::string("\1a\4test\0", 8);
    const std::string middle = std::string("\0\5\0\1\0\0\0\x1e\0\x08", 10);
    return header(query, 2) + question_of(query) + std::string("\xc0\x0c", 2) + middle + b + b + middle + a;
  });
  EXPECT_NE(asker_.ask_and_wait("a.test").error, "");
}

// The same port by TCP (RFC 7766): answers that are too long for UDP.
class TcpServer {
 public:
  TcpServer(uint16_t port, std::function<std::string(const std::string&)> reply_to)
      : reply_to_(std::move(reply_to)), fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd_, 8), 0);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  ~TcpServer() {
    thread_.request_stop();
    thread_.join();
    close(fd_);
  }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd item{.fd = fd_, .events = POLLIN, .revents = 0};
      if (poll(&item, 1, 20) <= 0) continue;
      const int client = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      const timeval patience{.tv_sec = 1, .tv_usec = 0};
      setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      std::array<unsigned char, 2> size{};
      while (recv(client, size.data(), size.size(), MSG_WAITALL) == 2) {
        std::string query(size_t{size[0]} * 256 + size[1], '\0');
        if (recv(client, query.data(), query.size(), MSG_WAITALL) != static_cast<ssize_t>(query.size())) break;
        std::string reply = reply_to_(query);
        reply.insert(0, {static_cast<char>(reply.size() >> 8), static_cast<char>(reply.size() & 0xff)});
        send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
      }
      close(client);
    }
  }

  std::function<std::string(const std::string&)> reply_to_;
  int fd_;
  std::jthread thread_;
};

TEST_F(ResolverTest, TakesOnlySomeOfVeryManyAddresses) {
  server_.reply_with([](const std::string& query) {
    std::string reply = header(query, 0) + question_of(query);
    reply[2] = static_cast<char>(reply[2] | 2);  // truncated
    return reply;
  });
  const TcpServer tcp(server_.port(), [](const std::string& query) {
    constexpr uint16_t kMany = 4000;  // as many as a message can have
    if (!asks_for_a(query)) return header(query, 0) + question_of(query);
    std::string reply = header(query, kMany) + question_of(query);
    for (int i = 0; i < kMany; ++i)
      reply +=
          std::string("\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\xc0\0", 14) + static_cast<char>(i >> 8) + static_cast<char>(i);
    return reply;
  });
  EXPECT_EQ(asker_.ask_and_wait("a.test").addresses.size(), limits::dns_requested_addresses_max);
}

TEST_F(ResolverTest, TakesNoRubbishForAnAnswer) {
  server_.reply_with([](const std::string& query) {
    std::string reply = header(query, 3) + question_of(query);
    return reply + std::string("\xc0\x0c\0\1\0\1\0\0\0\x1e\xff\xff\1\2", 14);  // a record longer than the message
  });
  EXPECT_NE(asker_.ask_and_wait("a.test").error, "");
}

}  // namespace
}  // namespace sluice::dns

#include "control/dns.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace sluice::control {
namespace {

using namespace std::chrono_literals;

constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeAaaa = 28;

struct Record {
  std::string name;
  uint16_t type;
  std::string ip;
  uint32_t ttl;
};

// A name server on the loopback address (RFC 1035 4.1) that knows a few names, says that it does not know
// others, and is silent about "silent.test".
class NameServer {
 public:
  explicit NameServer(std::vector<Record> records)
      : records_(std::move(records)), fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    socklen_t length = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    place_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  ~NameServer() {
    thread_.request_stop();
    thread_.join();
    close(fd_);
  }

  const std::string& place() const { return place_; }
  unsigned query_count() const { return query_count_; }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd item{.fd = fd_, .events = POLLIN, .revents = 0};
      if (poll(&item, 1, 20) <= 0) continue;
      std::array<char, 512> query;
      sockaddr_in client{};
      socklen_t length = sizeof client;
      const ssize_t size = recvfrom(fd_, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&client), &length);
      if (size < 17) continue;
      ++query_count_;
      const std::string reply = reply_to({query.data(), static_cast<size_t>(size)});
      if (!reply.empty())
        sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&client), length);
    }
  }

  std::string reply_to(const std::string& query) const {
    std::string name;
    size_t at = 12;
    for (size_t label; (label = static_cast<unsigned char>(query[at])) != 0; at += label + 1) {
      name += (name.empty() ? "" : ".") + query.substr(at + 1, label);
    }
    if (name == "silent.test") return "";
    const auto type = static_cast<uint16_t>(query[at + 2]);
    std::string answers;
    uint8_t count = 0;
    bool is_known = false;
    for (const Record& record : records_) {
      is_known = is_known || record.name == name;
      if (record.name != name || record.type != type) continue;
      ++count;
      char ip[16];
      const size_t ip_bytes = record.type == kTypeA ? 4 : 16;
      inet_pton(record.type == kTypeA ? AF_INET : AF_INET6, record.ip.c_str(), ip);
      const uint32_t ttl = htonl(record.ttl);
      answers += std::string("\xc0\x0c\0", 3) + static_cast<char>(record.type) + std::string("\0\1", 2) +
                 std::string(reinterpret_cast<const char*>(&ttl), 4) + '\0' + static_cast<char>(ip_bytes) +
                 std::string(ip, ip_bytes);
    }
    std::string reply = query.substr(0, 2);
    reply += std::string("\x81", 1) + static_cast<char>(is_known ? 0x80 : 0x83);
    reply += std::string("\0\1\0", 3) + static_cast<char>(count) + std::string(4, '\0');
    return reply + query.substr(12, at + 5 - 12) + answers;
  }

  std::vector<Record> records_;
  int fd_;
  std::string place_;
  std::atomic<unsigned> query_count_{0};
  std::jthread thread_;
};

std::vector<std::string> texts_of(const DnsAnswer& answer) {
  std::vector<std::string> texts;
  for (const SocketAddress& address : answer.addresses) texts.push_back(address.ip_text());
  return texts;
}

using Strings = std::vector<std::string>;

TEST(Dns, FindsAllAddressesOfBothFamiliesSortedWithTheShortestTtl) {
  const NameServer server({{"a.test", kTypeA, "10.0.0.2", 90},
                           {"a.test", kTypeA, "10.0.0.1", 30},
                           {"a.test", kTypeA, "10.0.0.2", 90},
                           {"a.test", kTypeAaaa, "2001:db8::1", 60}});
  const Strings names{"a.test"};
  const auto answers = look_up(names, server.place(), 5s);
  EXPECT_EQ(answers.at("a.test").error, "");
  Strings found = texts_of(answers.at("a.test"));
  std::ranges::sort(found);
  EXPECT_EQ(found, (Strings{"10.0.0.1", "10.0.0.2", "2001:db8::1"}));
  EXPECT_TRUE(std::ranges::is_sorted(answers.at("a.test").addresses));
  EXPECT_EQ(answers.at("a.test").ttl, 30s);
}

TEST(Dns, TellsOfANameThatDoesNotExistWithoutHarmToOthers) {
  const NameServer server({{"a.test", kTypeA, "10.0.0.1", 30}});
  const Strings names{"a.test", "missing.test"};
  const auto answers = look_up(names, server.place(), 5s);
  EXPECT_EQ(texts_of(answers.at("a.test")), Strings{"10.0.0.1"});
  EXPECT_NE(answers.at("missing.test").error, "");
  EXPECT_TRUE(answers.at("missing.test").addresses.empty());
}

TEST(Dns, GivesUpAfterTheTimeThatItHas) {
  const NameServer server({{"a.test", kTypeA, "10.0.0.1", 30}});
  const Strings names{"silent.test", "a.test"};
  const auto started = std::chrono::steady_clock::now();
  const auto answers = look_up(names, server.place(), 400ms);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 3s);
  EXPECT_NE(answers.at("silent.test").error, "");
  EXPECT_EQ(texts_of(answers.at("a.test")), Strings{"10.0.0.1"});
}

TEST(Dns, GivesUpEarlyForWhatIsMoreUrgentAndSaysNothingOfTheRest) {
  const NameServer server({{"a.test", kTypeA, "10.0.0.1", 30}});
  const Strings names{"silent.test", "a.test"};
  const auto started = std::chrono::steady_clock::now();
  const auto is_wanted_elsewhere = [started] { return std::chrono::steady_clock::now() - started > 300ms; };
  const auto answers = look_up(names, server.place(), 60s, is_wanted_elsewhere);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 3s);
  EXPECT_FALSE(answers.contains("silent.test")) << "it has not failed: nobody waited for it";
  EXPECT_EQ(texts_of(answers.at("a.test")), Strings{"10.0.0.1"});
}

TEST(Dns, LooksUpMoreNamesThanItAsksForAtATime) {
  std::vector<Record> records;
  Strings names;
  for (unsigned i = 0; i < 3 * limits::dns_lookups_max; ++i) {
    names.push_back("n" + std::to_string(i) + ".test");
    records.push_back({names.back(), kTypeA, "10.0.0." + std::to_string(i % 250), 30});
  }
  const NameServer server(records);
  const auto answers = look_up(names, server.place(), 20s);
  ASSERT_EQ(answers.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i)
    EXPECT_EQ(texts_of(answers.at(names[i])), Strings{records[i].ip}) << names[i];
}

TEST(Dns, ReadsEtcHostsFirst) {
  const NameServer server({});
  const Strings names{"localhost"};
  const auto answers = look_up(names, server.place(), 5s);
  EXPECT_EQ(answers.at("localhost").error, "");
  const Strings found = texts_of(answers.at("localhost"));
  EXPECT_NE(std::ranges::find(found, "127.0.0.1"), found.end());
  EXPECT_EQ(server.query_count(), 0U);
}

TEST(Dns, AsksNoDomainOfASearchList) {
  const NameServer server({});
  const Strings names{"single"};
  const auto answers = look_up(names, server.place(), 5s);
  EXPECT_NE(answers.at("single").error, "");
  EXPECT_LE(server.query_count(), 2U) << "one for each family";
}

TEST(Dns, FailsEveryNameWhenTheServersAreNonsense) {
  const Strings names{"a.test"};
  EXPECT_NE(look_up(names, "not an address", 1s).at("a.test").error, "");
}

TEST(Dns, HasNothingToDoWithoutNames) { EXPECT_TRUE(look_up({}, "", 1s).empty()); }

}  // namespace
}  // namespace sluice::control

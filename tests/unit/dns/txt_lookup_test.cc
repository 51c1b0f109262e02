#include "dns/txt_lookup.h"

#include "dns/message.h"
#include "udp_server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace sluice::dns {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Strings = std::vector<std::string>;

std::string record(std::string_view name, uint16_t type, std::string_view data) {
  std::string bytes(name);
  append_u16(bytes, type);
  append_u16(bytes, kClassIn);
  append_u32(bytes, 60);
  append_u16(bytes, static_cast<uint16_t>(data.size()));
  return bytes += data;
}

std::string reply(const std::string& query, Rcode rcode, const Strings& answers) {
  std::string bytes = query.substr(0, 2) + '\x81' + static_cast<char>(0x80 | rcode) + "\0\1"s;
  append_u16(bytes, static_cast<uint16_t>(answers.size()));
  bytes += "\0\0\0\0"s + query.substr(kHeaderBytes, query.find('\0', kHeaderBytes) + 5 - kHeaderBytes);
  for (const std::string& answer : answers) bytes += answer;
  return bytes;
}

Result<TxtAnswer> ask(const UdpServer& server, const std::stop_token& stop = {}) {
  const std::vector servers{Nameserver{.host = "127.0.0.1", .port = server.port()}};
  return look_up_txt("_acme-challenge.a.test.", servers, stop);
}

TEST(TxtLookup, FindsEveryTextOfTheName) {
  const UdpServer server([](const std::string& query) {
    return reply(query, kNoError,
                 {record("\xc0\x0c", kTypeTxt, "\3one"), record("\xc0\x0c", kTypeTxt, "\2tw\1o"),
                  record("\5other\0"s, kTypeTxt, "\5three")});
  });
  const Result<TxtAnswer> answer = ask(server);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->name, "_acme-challenge.a.test.");
  EXPECT_EQ(answer->texts, (Strings{"one", "two"}));
}

TEST(TxtLookup, TellsWhereAnAliasLeadsWhetherOrNotSomethingIsThere) {
  const std::string alias = record("\xc0\x0c", kTypeCname, "\1b\4test\0"s);
  const std::string text = record("\1b\4test\0"s, kTypeTxt, "\3one");
  const UdpServer with_text([&](const std::string& query) { return reply(query, kNoError, {alias, text}); });
  EXPECT_EQ(ask(with_text).value().name, "b.test.");
  EXPECT_EQ(ask(with_text).value().texts, Strings{"one"});
  for (const Rcode rcode : {kNoError, kNxDomain}) {
    const UdpServer without([&](const std::string& query) { return reply(query, rcode, {alias}); });
    EXPECT_EQ(ask(without).value().name, "b.test.");
    EXPECT_EQ(ask(without).value().texts, Strings{});
  }
}

TEST(TxtLookup, AliasesThatLeadInACircleEnd) {
  const UdpServer server([](const std::string& query) {
    return reply(query, kNoError,
                 {record("\xc0\x0c", kTypeCname, "\1b\4test\0"s), record("\1b\4test\0"s, kTypeCname, "\xc0\x0c")});
  });
  EXPECT_EQ(ask(server).value().texts, Strings{});
}

TEST(TxtLookup, ANameThatDoesNotExistHasNoTexts) {
  const UdpServer server([](const std::string& query) { return reply(query, kNxDomain, {}); });
  const Result<TxtAnswer> answer = ask(server);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->texts, Strings{});
}

TEST(TxtLookup, FailsWhenTheServerRefusesOrWhatItSaysIsWrong) {
  const UdpServer refusing([](const std::string& query) { return reply(query, kRefused, {}); });
  const Result<TxtAnswer> refused = ask(refusing);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("cannot look up the TXT records of _acme-challenge.a.test. at 127.0.0.1:"),
            std::string::npos);
  const UdpServer wrong(
      [](const std::string& query) { return reply(query, kNoError, {record("\xc0\x0c", kTypeTxt, "\7one")}); });
  ASSERT_FALSE(ask(wrong));
  EXPECT_NE(ask(wrong).error().message.find("wrong TXT record"), std::string::npos);
}

TEST(TxtLookup, AsksTheNextServerWhenOneRefuses) {
  const UdpServer refusing([](const std::string& query) { return reply(query, kRefused, {}); });
  const UdpServer good(
      [](const std::string& query) { return reply(query, kNoError, {record("\xc0\x0c", kTypeTxt, "\3one")}); });
  const std::vector servers{Nameserver{.host = "127.0.0.1", .port = refusing.port()},
                            Nameserver{.host = "localhost", .port = good.port()}};
  const Result<TxtAnswer> answer = look_up_txt("_acme-challenge.a.test.", servers, {});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->texts, Strings{"one"});
}

TEST(TxtLookup, IsGivenUpWhenTheProcessEnds) {
  const UdpServer silent([](const std::string&) { return ""s; });
  std::stop_source stop;
  std::jthread stopper([&stop] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  const auto started = std::chrono::steady_clock::now();
  const Result<TxtAnswer> answer = ask(silent, stop.get_token());
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("given up"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
}

}  // namespace
}  // namespace sluice::dns

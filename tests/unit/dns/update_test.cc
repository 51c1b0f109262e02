// What a server does that is none, or a broken one; tests/integration/test_dns_challenges.py has a real one.
#include "dns/update.h"

#include "io/blocking_socket.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

namespace sluice::dns {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

// Answers the first message of each connection as a test says; an answer without bytes is none, and the connection
// is closed.
class TcpServer {
 public:
  explicit TcpServer(std::function<std::string(std::string)> reply_to)
      : reply_to_(std::move(reply_to)),
        listener_(io::BlockingSocket::listen(*SocketAddress::parse("127.0.0.1:0")).value()),
        thread_([this](const std::stop_token& stop) { serve(stop); }) {}
  ~TcpServer() {
    thread_.request_stop();
    listener_.shutdown();
    thread_.join();
  }

  UpdateServer place() const {
    return {.nameserver = {.host = "127.0.0.1", .port = listener_.local_address().port},
            .key = read_tsig_key("key", "", "c2VjcmV0").value()};
  }

 private:
  void serve(const std::stop_token& stop) const {
    while (!stop.stop_requested()) {
      auto connection = listener_.accept(io::deadline_in(100ms));
      if (!connection || !*connection) continue;
      std::string bytes(4096, '\0');
      const auto room = MutableBytes(reinterpret_cast<std::byte*>(bytes.data()), bytes.size());
      const auto count = (*connection)->read(room, io::deadline_in(5s));  // one segment of the loopback interface
      if (!count || *count < 2) continue;
      const std::string answer = reply_to_(bytes.substr(2, *count - 2));
      if (answer.empty()) continue;
      std::string framed;
      append_u16(framed, static_cast<uint16_t>(answer.size()));
      (void)(*connection)->write_all(as_bytes(framed + answer), io::deadline_in(5s));
    }
  }

  std::function<std::string(std::string)> reply_to_;
  io::BlockingSocket listener_;
  std::jthread thread_;
};

std::string fault(const UpdateServer& server, const std::stop_token& stop = {}) {
  const Status status = update_txt(server, Change::add, "_acme-challenge.a.test.", "value", stop);
  return status ? "" : status.error().message;
}

std::string fault_of_answer(std::function<std::string(std::string)> reply_to) {
  const TcpServer server(std::move(reply_to));
  return fault(server.place());
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Update, SaysThatNobodyListens) {
  UpdateServer server;
  {
    const TcpServer closed([](const std::string&) { return ""s; });
    server = closed.place();
  }
  const std::string text = fault(server);
  EXPECT_TRUE(text.starts_with("cannot add the TXT record of _acme-challenge.a.test. by an update at 127.0.0.1:"))
      << text;
  EXPECT_TRUE(has(text, "ECONNREFUSED")) << text;
}

TEST(Update, RefusesWhatIsNoAnswerToItsMessage) {
  EXPECT_TRUE(has(fault_of_answer([](const std::string&) { return ""s; }), "closed the connection without an answer"));
  EXPECT_TRUE(has(fault_of_answer([](const std::string&) { return "\0"s; }), "no DNS message"));
  EXPECT_TRUE(has(fault_of_answer([](const std::string& query) { return query; }), "one to something else"));
  EXPECT_TRUE(has(fault_of_answer([](std::string query) {
                    query[2] = static_cast<char>(query[2] | 0x80);
                    query[1] = static_cast<char>(query[1] ^ 1);
                    return query;
                  }),
                  "one to something else"));
}

// The header of an answer, and the question again.
std::string reply(const std::string& query, uint8_t rcode, const std::string& answer_count = "\0\0"s) {
  const size_t question_end = query.find('\0', kHeaderBytes) + 5;
  return query.substr(0, 2) + static_cast<char>(query[2] | 0x84) + static_cast<char>(rcode) + "\0\1"s + answer_count +
         "\0\0\0\0"s + query.substr(kHeaderBytes, question_end - kHeaderBytes);
}

bool is_update(const std::string& query) { return (query[2] >> 3 & 0xf) == kOpcodeUpdate; }

TEST(Update, AsksForEveryNameUpwardsAndSaysThatTheServerHasNoZone) {
  std::string asked;
  const std::string text = fault_of_answer([&asked](const std::string& query) {
    asked += name_text(query.substr(kHeaderBytes, query.find('\0', kHeaderBytes) + 1 - kHeaderBytes)) + " ";
    return reply(query, kRefused);
  });
  EXPECT_EQ(asked, "_acme-challenge.a.test. a.test. test. ");
  EXPECT_TRUE(has(text, "it has no zone for it (REFUSED); name the primary server of the zone")) << text;
}

TEST(Update, RefusesAnAnswerWithoutARightSignature) {
  const std::string soa = "\xc0\x0c\0\6\0\1\0\0\0\0\0\0"s;
  const auto without = [&soa](const std::string& query) {
    return is_update(query) ? reply(query, kNoError) : reply(query, kNoError, "\0\1"s) + soa;
  };
  EXPECT_TRUE(has(fault_of_answer(without), "its answer (NOERROR) is not signed"));
  // The query itself as the answer: it has a signature, of something else.
  EXPECT_TRUE(has(fault_of_answer([](std::string query) {
                    query[2] = static_cast<char>(query[2] | 0x80);
                    return query;
                  }),
                  "wrong signature"));
}

TEST(Update, IsGivenUpWhenTheProcessEnds) {
  const TcpServer silent([](const std::string&) {
    std::this_thread::sleep_for(1s);
    return ""s;
  });
  std::stop_source stop;
  std::jthread stopper([&stop] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  const auto started = std::chrono::steady_clock::now();
  EXPECT_TRUE(has(fault(silent.place(), stop.get_token()), "given up"));
  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
}

TEST(Update, RefusesAValueThatIsNoOneText) {
  const Status status = update_txt({}, Change::add, "a.test.", std::string(256, 'x'), {});
  ASSERT_FALSE(status);
  EXPECT_TRUE(has(status.error().message, "longer than 255 bytes"));
}

}  // namespace
}  // namespace sluice::dns

// What is written for SSLKEYLOGFILE, compared with what OpenSSL on the other side writes.
#include "tls/key_log.h"

#include "connection.h"
#include "openssl_server.h"

#include "tls/client_context.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <vector>

namespace sluice::tls {
namespace {

#ifdef NDEBUG

TEST(KeyLog, IsInDebugBuildsOnly) { GTEST_SKIP() << "a release build writes no secrets: there is nothing to test"; }

#else

class KeyLog : public testing::TestWithParam<int> {
 protected:
  KeyLog() {
    CHECK(initialize().has_value());
    CHECK(open_key_log(path_.c_str()).has_value());
  }
  ~KeyLog() override {
    CHECK(open_key_log("/dev/null").has_value());
    unlink(path_.c_str());
  }

  // In any order.
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    std::ranges::sort(lines);
    return lines;
  }
  void expect_lines_of(const test::OpensslPeer& peer) {
    std::vector<std::string> expected = peer.key_log();
    std::erase_if(expected, [](const std::string& line) { return line.starts_with("EXPORTER_SECRET "); });
    std::ranges::sort(expected);
    EXPECT_EQ(expected.size(), GetParam() == TLS1_2_VERSION ? 1U : 4U);
    EXPECT_EQ(lines(), expected);
    ASSERT_EQ(truncate(path_.c_str(), 0), 0);
  }

  const std::string path_ = testing::TempDir() + "key_log_test." + std::to_string(getpid());
};

TEST_P(KeyLog, HasTheSecretsOfAServersFullAndResumedSessions) {
  const auto server = test::server(test::five_suites(), test::rsa_2048().certificate, test::rsa_2048().key);
  const auto context = *ServerContext::create(server, *TicketKeyring::create(std::chrono::system_clock::now()));
  test::ClientOptions options{.max_version = GetParam()};
  for (const bool resumes : {false, true}) {
    test::Connection connection(context, options);
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    EXPECT_EQ(connection.session->is_resumed(), resumes);
    expect_lines_of(connection.client);
    ASSERT_TRUE(connection.session->write(as_bytes("!"), connection.output.sink()));
    connection.client.feed(as_bytes(connection.output.take()));
    EXPECT_EQ(connection.client.read(), "!");
    connection.client.send_close_notify();
    options.session = connection.client.sessions().at(0);
  }
}

TEST_P(KeyLog, HasTheSecretsOfAClientsSessions) {
  const auto context = *ClientContext::create({.verifies = false});
  test::OpensslServer server(
      {.max_version = GetParam(), .certificate_pem = test::rsa_2048().certificate, .key_pem = test::rsa_2048().key});
  const auto session = Session::connect(*context, "localhost");
  test::StringSink output;
  std::string from_server;
  SessionStatus status = SessionStatus::need_input;
  for (int i = 0; i < 10 && status == SessionStatus::need_input; ++i) {
    ConstBytes input = as_bytes(from_server);
    status = session->handshake(input, output.sink());
    from_server.erase(0, from_server.size() - input.size());
    server.feed(as_bytes(output.take()));
    (void)server.handshake();
    from_server += server.take_output();
  }
  ASSERT_EQ(status, SessionStatus::ok) << session->error_text();
  expect_lines_of(server);
}

INSTANTIATE_TEST_SUITE_P(, KeyLog, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& version) { return version.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

TEST(OpeningAKeyLog, MakesAFileForItsOwnerAndKeepsWhatIsThere) {
  const std::string path = testing::TempDir() + "key_log_test.mode." + std::to_string(getpid());
  ASSERT_TRUE(open_key_log(path.c_str()));
  struct stat about{};
  ASSERT_EQ(stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
  std::ofstream(path) << "# a comment\n";
  ASSERT_TRUE(open_key_log(path.c_str()));
  ASSERT_EQ(stat(path.c_str(), &about), 0);
  EXPECT_GT(about.st_size, 0);
  ASSERT_TRUE(open_key_log("/dev/null"));
  unlink(path.c_str());
}

TEST(OpeningAKeyLog, SaysWhyItFails) {
  const Status status = open_key_log("/nowhere/at/all");
  ASSERT_FALSE(status);
  EXPECT_TRUE(status.error().message.contains("/nowhere/at/all: No such file or directory")) << status.error().message;
}

#endif

}  // namespace
}  // namespace sluice::tls

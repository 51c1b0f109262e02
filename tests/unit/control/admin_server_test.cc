#include "control/admin_server.h"

#include "io/blocking_socket.h"
#include "sample_state.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace sluice::control {
namespace {

using namespace std::chrono_literals;

std::string answer_to(const web::Server& server, const std::string& request) {
  const auto socket = io::BlockingSocket::connect(server.address(), io::deadline_in(5s));
  EXPECT_TRUE(socket->write_all(as_bytes(request), io::deadline_in(5s)));
  std::string all;
  std::byte room[4096];
  while (true) {
    const auto count = socket->read(room, io::deadline_in(5s));
    if (!count || *count == 0) return all;
    all += as_text(ConstBytes(room).first(*count));
  }
}

std::string get(const web::Server& server, const std::string& path, const std::string& method = "GET") {
  return answer_to(server, method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

class AdminServer : public testing::Test {
 protected:
  SampleState state_;
  const SocketAddress any_ = *SocketAddress::parse("127.0.0.1:0");
  std::unique_ptr<web::Server> status_ = std::move(*start_status_server(any_, *state_));
  std::unique_ptr<web::Server> admin_ = std::move(*start_admin_server(any_, *state_));
};

TEST_F(AdminServer, IsReadyExactlyWhileRequestsAreServed) {
  for (const auto& [phase, expected] :
       {std::pair{Phase::starting, "HTTP/1.1 503 "}, std::pair{Phase::serving, "HTTP/1.1 200 "},
        std::pair{Phase::draining, "HTTP/1.1 503 "}}) {
    state_->set_phase(phase);
    EXPECT_TRUE(get(*status_, "/healthz/ready").starts_with(expected));
    EXPECT_TRUE(get(*admin_, "/ready").starts_with(expected));
  }
}

TEST_F(AdminServer, HasItsPages) {
  EXPECT_TRUE(get(*admin_, "/").contains("/stats/prometheus"));
  EXPECT_TRUE(get(*admin_, "/stats/prometheus").contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_TRUE(get(*admin_, "/stats/prometheus").contains("\nsluice_build_info{"));
  EXPECT_TRUE(get(*admin_, "/config_dump").contains("\"hash\": \"abc123\""));
  EXPECT_TRUE(get(*admin_, "/config_dump?x=1").contains("content-type: application/json\r\n"));
  EXPECT_TRUE(get(*admin_, "/certs").contains("\"secret\": \"istio-system/kyma-gateway-certs\""));
}

TEST_F(AdminServer, ShowsTheRoutes) {
  const std::string json = get(*admin_, "/routes");
  EXPECT_TRUE(json.contains("content-type: application/json\r\n") && json.contains("\"routeLists\": ["));
  const std::string text = get(*admin_, "/routes?format=text");
  EXPECT_TRUE(text.contains("content-type: text/plain") && text.contains("    host httpbin.local.kyma.dev\n")) << text;
  const std::string accepted =
      answer_to(*admin_, "GET /routes HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(accepted.contains("    host httpbin.local.kyma.dev\n"));
}

TEST_F(AdminServer, ExplainsRequests) {
  const std::string url = "/explain?url=https%3A%2F%2Fhttpbin.local.kyma.dev%2Fget";
  EXPECT_TRUE(get(*admin_, url).contains("\"outcome\": \"forward\""));
  EXPECT_TRUE(get(*admin_, url + "&method=PUT&header=X-A:+1&client=2001:db8::1&format=text")
                  .contains("PUT https://httpbin.local.kyma.dev/get from 2001:db8::1\n"));
}

TEST_F(AdminServer, RefusesWhatItCannotExplain) {
  for (const char* page : {"/explain", "/explain?url=", "/explain?url=x", "/explain?url=https://a&url=https://b",
                           "/explain?url=https://a&header=x", "/explain?url=https://a&client=x",
                           "/explain?url=https://a&method=a%20b", "/explain?url=https://a&format=xml", "/explain?url=%",
                           "/explain?url=https://a/%250d&header=a:%0d%0ab:", "/explain?nothing=1",
                           "/routes?format=yaml", "/routes?url=a"}) {
    EXPECT_TRUE(get(*admin_, page).starts_with("HTTP/1.1 400 ")) << page;
  }
  EXPECT_TRUE(get(*status_, "/routes").starts_with("HTTP/1.1 404 "));
  ProcessState empty;
  const auto server = std::move(*start_admin_server(any_, empty));
  EXPECT_TRUE(get(*server, "/routes").starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(get(*server, "/explain?url=https://a/").starts_with("HTTP/1.1 503 "));
}

TEST_F(AdminServer, ShowsNothingOfTheAdminPortOnTheStatusPort) {
  for (const char* path : {"/", "/config_dump", "/stats/prometheus", "/certs", "/healthz/ready/", "/healthz"}) {
    EXPECT_TRUE(get(*status_, path).starts_with("HTTP/1.1 404 ")) << path;
  }
}

TEST_F(AdminServer, AnswersHeadWithoutContentAndRefusesOtherMethods) {
  const std::string head = get(*admin_, "/certs", "HEAD");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n")) << head;
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    const std::string answer = get(*admin_, "/certs", method);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 ")) << method;
    EXPECT_TRUE(answer.contains("allow: GET, HEAD\r\n")) << method;
  }
}

// A page of a browser on this machine can send a POST, but not with a field of its own choice.
TEST_F(AdminServer, TakesCommandsFromProgramsAlone) {
  const auto command = [](const std::string& host, const std::string& more) {
    return "POST /certs/renew?certificate=a/b HTTP/1.1\r\nhost: " + host +
           "\r\ncontent-length: 0\r\nconnection: close\r\n" + more + "\r\n";
  };
  const std::string field = "x-sluice-command: 1\r\n";
  EXPECT_TRUE(answer_to(*admin_, command("127.0.0.1:15000", "")).starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(answer_to(*admin_, command("rebound.example", field)).starts_with("HTTP/1.1 403 ")) << "DNS rebinding";
  for (const char* host : {"127.0.0.1:15000", "[::1]:15000", "127.0.0.1", "localhost:15000"}) {
    EXPECT_TRUE(answer_to(*admin_, command(host, field)).starts_with("HTTP/1.1 409 ")) << "nothing is managed";
  }
  EXPECT_TRUE(answer_to(*status_, command("127.0.0.1", field)).starts_with("HTTP/1.1 405 "));
}

TEST_F(AdminServer, BoundsARequest) {
  EXPECT_TRUE(answer_to(*status_, "GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n")
                  .starts_with("HTTP/1.1 4"));
}

TEST_F(AdminServer, AnswersManyAtOnce) {
  std::vector<std::jthread> clients;
  std::atomic<int> good{0};
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([&] { good += get(*admin_, "/config_dump").starts_with("HTTP/1.1 200 ") ? 1 : 0; });
  }
  clients.clear();
  EXPECT_EQ(good, 16);
}

}  // namespace
}  // namespace sluice::control

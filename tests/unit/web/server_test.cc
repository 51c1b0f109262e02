#include "web/server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace sluice::web {
namespace {

using namespace std::chrono_literals;

// What a raw client gets for what it sends, until the server closes.
class Client {
 public:
  explicit Client(const Server& server)
      : socket_(*io::BlockingSocket::connect(server.address(), io::deadline_in(5s))) {}

  void send(std::string_view text) { ASSERT_TRUE(socket_.write_all(as_bytes(text), io::deadline_in(5s))); }

  // Until the end, or until `expected` has been read.
  std::string read_until(std::string_view expected = "\xff never \xff") {
    std::string all;
    std::byte room[4096];
    while (!all.contains(expected)) {
      const auto count = socket_.read(room, io::deadline_in(5s));
      if (!count) return all + "<" + count.error().message + ">";
      if (*count == 0) return all;
      all += as_text(ConstBytes(room).first(*count));
    }
    return all;
  }

  io::BlockingSocket& socket() { return socket_; }

 private:
  io::BlockingSocket socket_;
};

std::string answer_to(const Server& server, std::string_view request) {
  Client client(server);
  client.send(request);
  return client.read_until();
}

ServerOptions short_times() {
  ServerOptions options;
  options.connections_max = 4;
  options.connection = {.head_bytes_max = 4096, .idle = 300ms, .head = 300ms, .stall = 300ms};
  return options;
}

void echo(Connection& connection, const http::RequestHead& request) {
  std::string body;
  const auto take = [](void* owner, ConstBytes content) { static_cast<std::string*>(owner)->append(as_text(content)); };
  if (!connection.read_body({.write = take, .owner = &body})) return;
  connection.respond(200, "text/plain", std::string(request.method) + " " + std::string(request.target) + " " + body);
}

std::unique_ptr<Server> start(Server::Handler handler, const ServerOptions& options = short_times()) {
  auto server = Server::start(*SocketAddress::parse("127.0.0.1:0"), options, std::move(handler));
  EXPECT_TRUE(server.has_value());
  return std::move(*server);
}

TEST(WebServer, AnswersRequestsOfOneConnectionInOrder) {
  const auto server = start(echo);
  EXPECT_EQ(answer_to(*server,
                      "GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz"
                      "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\nGET /a "
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 11\r\n\r\nPOST /b xyz"
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\nconnection: close\r\n\r\nGET /c ");
}

TEST(WebServer, ShowsTheLengthAndSendsNoContentToHead) {
  const auto server = start(echo);
  const std::string response = answer_to(*server, "HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(response.contains("content-length: 8\r\n")) << response;
  EXPECT_TRUE(response.ends_with("\r\n\r\n")) << response;
}

TEST(WebServer, ReadsAChunkedBodyAndAsksForItWhenTheClientWaits) {
  const auto server = start(echo);
  Client client(*server);
  client.send(
      "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  EXPECT_TRUE(client.read_until().ends_with("POST /a abc"));
}

TEST(WebServer, ChunksForHttp11AndEndsTheConnectionForHttp10) {
  const auto server = start([](Connection& connection, const http::RequestHead&) {
    connection.begin_chunked(200, "text/plain");
    connection.write_content(as_bytes("ab"));
    connection.write_content(as_bytes("c"));
    connection.end_response();
  });
  EXPECT_TRUE(answer_to(*server, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                  .ends_with("\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"));
  const std::string old = answer_to(*server, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(old.ends_with("\r\n\r\nabc")) << old;
  EXPECT_TRUE(old.contains("connection: close\r\n")) << old;
}

TEST(WebServer, SkipsAContentThatTheHandlerDidNotWant) {
  const auto server =
      start([](Connection& connection, const http::RequestHead&) { connection.respond(200, "text/plain", "ok"); });
  const std::string body(200'000, 'x');
  const std::string response = answer_to(*server, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" +
                                                      body + "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(std::ranges::count(response, 'k'), 2) << response;
}

TEST(WebServer, HasNoContentIn204) {
  const auto server =
      start([](Connection& connection, const http::RequestHead&) { connection.respond(204, "", "not sent"); });
  EXPECT_EQ(answer_to(*server, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
}

// --- hostile clients ------------------------------------------------------------------------------------

TEST(WebServer, RefusesWhatIsNotHttp) {
  const auto server = start(echo);
  EXPECT_TRUE(answer_to(*server, "\x16\x03\x01 hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(answer_to(*server, "GET / HTTP/3.7\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 505 "));
}

TEST(WebServer, RefusesAHeadThatIsTooLarge) {
  const auto server = start(echo);
  const std::string response =
      answer_to(*server, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(100'000, 'x') + "\r\n\r\n");
  EXPECT_TRUE(response.starts_with("HTTP/1.1 431 ")) << response;
}

TEST(WebServer, AnswersAHeadThatJustFits) {
  const auto server = start(echo);
  for (size_t size = 3000; size < 4200; size += 50) {
    const std::string response = answer_to(
        *server, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: " + std::string(size, 'x') + "\r\n\r\n");
    EXPECT_TRUE(response.starts_with("HTTP/1.1 200 ") || response.starts_with("HTTP/1.1 431 "))
        << size << ": " << response;
  }
}

TEST(WebServer, ClosesOnAClientThatIsTooSlow) {
  const auto server = start(echo);
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(answer_to(*server, ""), "");
  Client slow(*server);
  slow.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_EQ(slow.read_until(), "");
  Client stalled(*server);
  stalled.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_EQ(stalled.read_until(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - started, 4s);
}

TEST(WebServer, GivesUpOnAClientThatReadsNothing) {
  std::atomic<bool> is_over{false};
  const auto server = start([&is_over](Connection& connection, const http::RequestHead&) {
    const std::vector<std::byte> piece(1'000'000);
    connection.begin_sized(200, "text/plain", uint64_t{1} << 40);
    while (!connection.is_broken()) connection.write_content(piece);
    is_over = true;
  });
  Client client(*server);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; i < 500 && !is_over; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(is_over);
}

TEST(WebServer, ClosesConnectionsBeyondItsBoundAndServesAgainAfterwards) {
  const auto server = start(echo);
  std::vector<Client> silent;
  for (int i = 0; i < 4; ++i) silent.emplace_back(*server);
  std::this_thread::sleep_for(50ms);
  Client fifth(*server);
  EXPECT_EQ(fifth.read_until(), "");
  silent.clear();
  // Threads of ended connections are joined within one wait of the acceptor.
  std::string response;
  for (int i = 0; i < 100 && response.empty(); ++i) {
    std::this_thread::sleep_for(20ms);
    response = answer_to(*server, "GET /a HTTP/1.0\r\n\r\n");
    if (response.starts_with("<")) response.clear();
  }
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 ")) << response;
}

TEST(WebServer, StopsWhileAHandlerWaits) {
  auto server = start([](Connection& connection, const http::RequestHead&) { connection.pause(60s); });
  Client client(*server);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  std::this_thread::sleep_for(50ms);
  const auto started = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
}

TEST(WebServer, SaysThatThePortIsTaken) {
  const auto server = start(echo);
  const auto second = Server::start(server->address(), short_times(), echo);
  ASSERT_FALSE(second.has_value());
  EXPECT_TRUE(second.error().message.contains(server->address().to_string())) << second.error().message;
  EXPECT_TRUE(second.error().message.contains("EADDRINUSE")) << second.error().message;
}

}  // namespace
}  // namespace sluice::web

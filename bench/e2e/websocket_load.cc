// WebSocket messages (RFC 6455): each connection sends one, waits for its echo (bench/e2e/upstream.cc), and sends the
// next.
//
//   websocket_load ADDRESS:PORT PATH CONNECTIONS SECONDS
//
// Prints how many echoes came and how many connections failed. An echo that differs is a failure.
#include "client.h"
#include "websocket.h"

#include <fmt/format.h>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

struct Load {
  std::string request;
  std::string message;  // a frame of a client
  std::string echo;     // the frame of the server that answers it
  uint64_t echo_count = 0;
  uint64_t failure_count = 0;
  bool ends = false;
};

class Client final : public Connection {
 public:
  Client(Target& target, Load& load) noexcept : Connection(target), load_(load) {}

 private:
  void on_open() override { send(load_.request); }

  void on_bytes(ConstBytes bytes) override {
    received_.append(as_text(bytes));
    if (!is_upgraded_) {
      const size_t end = received_.find("\r\n\r\n");
      if (end == std::string::npos) return;
      if (!received_.starts_with("HTTP/1.1 101") || received_.size() != end + 4) return Connection::end();
      is_upgraded_ = true;
    } else if (received_.size() < load_.echo.size()) {
      return;
    } else if (received_ != load_.echo) {
      return Connection::end();
    } else {
      ++load_.echo_count;
    }
    received_.clear();
    if (!load_.ends) send(load_.message);
  }

  void on_closed() override { ++load_.failure_count; }

  Load& load_;
  std::string received_;
  bool is_upgraded_ = false;
};

int run(std::span<char*> arguments) {
  unsigned connections = 0;
  unsigned seconds = 0;
  const auto address = arguments.size() == 5 ? SocketAddress::parse(arguments[1]) : std::nullopt;
  if (!address || !read_number(arguments[3], connections) || !read_number(arguments[4], seconds)) {
    fmt::print(stderr, "usage: websocket_load ADDRESS:PORT PATH CONNECTIONS SECONDS\n");
    return 2;
  }
  auto loop = io::Loop::create();
  if (!loop) {
    fmt::print(stderr, "websocket_load: {}\n", loop.error().message);
    return 1;
  }
  Target target{.loop = **loop, .address = *address, .context = nullptr};
  const std::string payload(64, 'm');
  Load load{
      .request = fmt::format("GET {} HTTP/1.1\r\nHost: ws.bench.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n\r\n",
                             arguments[2], kWebSocketKey),
      .message = client_frame(payload),
      .echo = server_frame(payload)};
  std::vector<std::unique_ptr<Client>> clients;
  for (unsigned i = 0; i < connections; ++i) clients.push_back(std::make_unique<Client>(target, load));
  for (const auto& client : clients) client->start();
  const Instant end = target.loop.now() + std::chrono::seconds(seconds);
  while (target.loop.now() < end && load.failure_count == 0) target.loop.turn(100ms);
  load.ends = true;
  fmt::print("{} requests, {} failed\n", load.echo_count, load.failure_count);
  std::fflush(stdout);
  std::_Exit(load.failure_count == 0 ? 0 : 1);  // connections are open
}

}  // namespace

}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::run({argv, static_cast<size_t>(argc)}); }

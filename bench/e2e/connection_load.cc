// A load of new connections: each request has a connection of its own and asks for it to be closed after the response.
// wrk, whose OpenSSL takes longer for the client's side of a full handshake than a good server for its own, cannot fill
// a server's time; this uses our own client's side, on one thread.
//
//   connection_load plain|full|resumed ADDRESS:PORT PATH CONNECTIONS SECONDS
//
// full: a full TLS handshake each. resumed: each of the CONNECTIONS that run at a time resumes the session of the one
// before it; a server that refuses to is a failure. Prints how many responses came, how many connections failed, and
// how long a connection took from connect to the end of its response (milliseconds: median, 99th percentile).
#include "client.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

struct Load {
  std::string request;
  std::vector<Duration> durations;  // of the connections that had their response
  uint64_t failure_count = 0;
  size_t running_count = 0;
  bool ends = false;
};

class Client final : public Connection {
 public:
  Client(Target& target, Load& load) noexcept : Connection(target), loop_(target.loop), load_(load) {}

  void begin() {
    began_ = loop_.now();
    is_answered_ = false;
    ++load_.running_count;
    start();
  }

 private:
  void on_open() override { send(load_.request); }

  void on_bytes(ConstBytes bytes) override {
    constexpr std::string_view kGood = "HTTP/1.1 200";
    if (is_answered_) return;
    is_answered_ = bytes.size() >= kGood.size() && std::ranges::equal(bytes.first(kGood.size()), as_bytes(kGood));
  }

  void on_closed() override {
    if (is_answered_ && !was_refused()) {
      load_.durations.push_back(loop_.now() - began_);
    } else {
      ++load_.failure_count;
    }
    --load_.running_count;
    if (!load_.ends) begin();
  }

  io::Loop& loop_;
  Load& load_;
  Instant began_{};
  bool is_answered_ = false;  // 200 was the status
};

int run(std::span<char*> arguments) {
  unsigned connections = 0;
  unsigned seconds = 0;
  const std::string_view kind = arguments.size() == 6 ? arguments[1] : "";
  const auto address = arguments.size() == 6 ? SocketAddress::parse(arguments[2]) : std::nullopt;
  if ((kind != "plain" && kind != "full" && kind != "resumed") || !address || !read_number(arguments[4], connections) ||
      !read_number(arguments[5], seconds)) {
    fmt::print(stderr, "usage: connection_load plain|full|resumed ADDRESS:PORT PATH CONNECTIONS SECONDS\n");
    return 2;
  }
  auto context = tls::ClientContext::create({.name = "bench", .verifies = false});
  auto loop = io::Loop::create();
  if (!context || !loop) {
    fmt::print(stderr, "connection_load: {}\n", (!context ? context.error() : loop.error()).message);
    return 1;
  }
  Target target{.loop = **loop,
                .address = *address,
                .context = kind == "plain" ? nullptr : *context,
                .resumes = kind == "resumed"};
  Load load{.request = fmt::format("GET {} HTTP/1.1\r\nHost: x.bench.test\r\nConnection: close\r\n\r\n", arguments[3])};

  std::vector<std::unique_ptr<Client>> clients;
  for (unsigned i = 0; i < connections; ++i) clients.push_back(std::make_unique<Client>(target, load));
  for (const auto& client : clients) client->begin();
  const Instant end = target.loop.now() + std::chrono::seconds(seconds);
  const Instant end_of_patience = end + 10s;
  while (load.running_count > 0 && target.loop.now() < end_of_patience) {
    load.ends = target.loop.now() >= end;
    target.loop.turn(100ms);
    target.handshakes.end_turn();
  }
  if (load.running_count > 0) {
    fmt::print(stderr, "connection_load: {} connections do not end\n", load.running_count);
    std::_Exit(1);
  }
  std::ranges::sort(load.durations);
  fmt::print("{} requests, {} failed, median {:.2f} ms, p99 {:.2f} ms\n", load.durations.size(), load.failure_count,
             milliseconds_at(load.durations, 0.5), milliseconds_at(load.durations, 0.99));
  return load.failure_count == 0 ? 0 : 1;
}

}  // namespace

}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::run({argv, static_cast<size_t>(argc)}); }

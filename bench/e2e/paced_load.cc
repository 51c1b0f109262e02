// An open loop: requests are due at a fixed rate, whatever became of those before. One that finds no idle connection
// waits for one, and its latency counts from when it was due: a server that stands still for a moment pays for
// everything that came meanwhile (a closed loop, as of wrk, would just have asked less: coordinated omission).
//
//   paced_load plain|tls ADDRESS:PORT PATH CONNECTIONS RATE SECONDS
//
// RATE 0 is a closed loop after all: each connection asks again when it is answered. Connections are kept alive, with
// one request at a time; they are opened some at a time, however many there are. When all of them are, it prints
// "open", and goes on with the next line, or the end, of its standard input. Prints how many requests were answered,
// how many failed, and percentiles of the latency in milliseconds, without those of the first tenth of the time, which
// warm up.
#include "client.h"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <algorithm>
#include <deque>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

constexpr size_t kOpenedAtOnce = 128;

class Client;

struct Load {
  std::string request;
  std::deque<Instant> due;   // of the requests that wait for a connection
  std::deque<Client*> idle;  // connections: the one that has been so for longest is asked
  std::vector<Duration> latencies;
  Instant counted_from{};
  uint64_t answer_count = 0;
  size_t asked_count = 0;      // requests that are on their way
  uint64_t failure_count = 0;  // connections that ended, and responses that were wrong
};

class Client final : public Connection {
 public:
  Client(Target& target, Load& load) noexcept : Connection(target), loop_(target.loop), load_(load) {}

  void ask(Instant due) {
    due_ = due;
    is_asked_ = true;
    ++load_.asked_count;
    send(load_.request);
  }

 private:
  void on_open() override { load_.idle.push_back(this); }

  void on_bytes(ConstBytes bytes) override {
    const Response::State state = is_asked_ ? response_.take(bytes) : Response::State::wrong;
    if (state == Response::State::wrong) return end();
    if (state == Response::State::incomplete) return;
    ++load_.answer_count;
    if (due_ >= load_.counted_from) load_.latencies.push_back(loop_.now() - due_);
    is_asked_ = false;
    --load_.asked_count;
    load_.idle.push_back(this);
  }

  void on_closed() override {
    ++load_.failure_count;
    if (is_asked_) --load_.asked_count;
    std::erase(load_.idle, this);
  }

  io::Loop& loop_;
  Load& load_;
  Response response_;
  Instant due_{};
  bool is_asked_ = false;
};

void hand_out(Load& load) {
  while (!load.due.empty() && !load.idle.empty()) {
    Client* client = load.idle.front();
    load.idle.pop_front();
    client->ask(load.due.front());
    load.due.pop_front();
  }
}

int run(std::span<char*> arguments) {
  unsigned connections = 0;
  unsigned rate = 0;
  unsigned seconds = 0;
  const std::string_view kind = arguments.size() == 7 ? arguments[1] : "";
  const auto address = arguments.size() == 7 ? SocketAddress::parse(arguments[2]) : std::nullopt;
  if ((kind != "plain" && kind != "tls") || !address || !read_number(arguments[4], connections) ||
      !read_number(arguments[5], rate) || !read_number(arguments[6], seconds)) {
    fmt::print(stderr, "usage: paced_load plain|tls ADDRESS:PORT PATH CONNECTIONS RATE SECONDS\n");
    return 2;
  }
  auto context = tls::ClientContext::create({.name = "bench", .verifies = false});
  auto loop_made = io::Loop::create();
  if (!context || !loop_made) {
    fmt::print(stderr, "paced_load: {}\n", (!context ? context.error() : loop_made.error()).message);
    return 1;
  }
  prctl(PR_SET_TIMERSLACK, 1UL);  // nanoseconds: requests begin when they are due
  io::Loop& loop = **loop_made;
  Target target{.loop = loop, .address = *address, .context = kind == "plain" ? nullptr : *context};
  Load load{.request = fmt::format("GET {} HTTP/1.1\r\nHost: x.bench.test\r\n\r\n", arguments[3])};

  std::vector<std::unique_ptr<Client>> clients;
  for (unsigned i = 0; i < connections; ++i) clients.push_back(std::make_unique<Client>(target, load));
  size_t started_count = 0;
  const Instant end_of_opening = loop.now() + 60s;
  while (load.idle.size() < connections && load.failure_count == 0 && loop.now() < end_of_opening) {
    while (started_count < connections && started_count < load.idle.size() + kOpenedAtOnce) {
      clients[started_count++]->start();
    }
    loop.turn(100ms);
    target.handshakes.end_turn();
  }
  if (load.idle.size() < connections) {
    fmt::print(stderr, "paced_load: {} of {} connections could be opened\n", load.idle.size(), connections);
    std::_Exit(1);
  }

  fmt::print("open\n");
  std::fflush(stdout);
  for (int c = std::getchar(); c != '\n' && c != EOF;) c = std::getchar();

  loop.turn(Duration::zero());
  const Instant began = loop.now();
  const Instant end = began + std::chrono::seconds(seconds);
  const Instant end_of_patience = end + 10s;
  const Duration gap = rate > 0 ? Duration(1s) / rate : Duration::zero();
  load.counted_from = began + (end - began) / 10;
  load.latencies.reserve(size_t{rate} * seconds);
  Instant next = rate > 0 ? began : end;
  while ((loop.now() < end || !load.due.empty() || load.asked_count > 0) && load.failure_count == 0 &&
         loop.now() < end_of_patience) {
    if (rate == 0 && loop.now() < end) load.due.assign(load.idle.size(), loop.now());
    for (; next <= loop.now() && next < end; next += gap) load.due.push_back(next);
    hand_out(load);
    loop.turn(next < end ? std::max(next - loop.now(), Duration::zero()) : Duration(100ms));
  }
  const size_t unanswered_count = load.due.size() + load.asked_count;
  std::ranges::sort(load.latencies);
  fmt::print("{} requests, {} failed, p50 {:.4f} ms, p99 {:.4f} ms, p99.9 {:.4f} ms\n", load.answer_count,
             load.failure_count + unanswered_count, milliseconds_at(load.latencies, 0.5),
             milliseconds_at(load.latencies, 0.99), milliseconds_at(load.latencies, 0.999));
  std::fflush(stdout);
  std::_Exit(load.failure_count + unanswered_count == 0 ? 0 : 1);  // connections are open
}

}  // namespace

}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::run({argv, static_cast<size_t>(argc)}); }

// A load of full TLS handshakes: each request has a connection of its own, resumes nothing and asks for the
// connection to be closed after the response. wrk, whose OpenSSL takes longer for the client's side than a good
// server for its own, cannot fill a server's time; this uses our own client's side, on one thread.
//
//   handshake_load ADDRESS:PORT PATH CONNECTIONS SECONDS
//
// Prints how many responses came, how many connections failed, and how long a connection took from connect to the
// end of its response (milliseconds: median, 99th percentile).
#include "base/address.h"
#include "io/loop.h"
#include "snapshot/snapshot.h"
#include "tls/client_context.h"
#include "tls/handshake_pool.h"
#include "tls/session.h"
#include "transport/transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

namespace {

using namespace std::chrono_literals;
using tls::SessionStatus;

struct Load {
  io::Loop& loop;
  SocketAddress address;
  std::shared_ptr<tls::ClientContext> context;
  std::string request;
  tls::HandshakePool handshakes;
  std::vector<Duration> durations;  // of the connections that had their response
  uint64_t failure_count = 0;
  size_t running_count = 0;
  bool ends = false;
};

// One connection after the other.
class Client {
 public:
  explicit Client(Load& load) noexcept : load_(load), retire_task_(on_retire, this) {}

  void start() {
    transport_ = std::make_unique<transport::Transport>(load_.loop, on_change, this);
    began_ = load_.loop.now();
    is_asked_ = is_answered_ = false;
    ++load_.running_count;
    transport_->stream().connect(load_.address);
  }

 private:
  static void on_change(void* self) { static_cast<Client*>(self)->advance(); }
  static void on_ready(void* self) { static_cast<Client*>(self)->advance(); }
  static void on_retire(void* self) { static_cast<Client*>(self)->on_closed(); }

  void advance() {
    io::Stream& stream = transport_->stream();
    if (stream.is_closed()) {
      if (!retire_task_.is_linked()) load_.loop.retire(retire_task_);
      return;
    }
    if (stream.is_terminating() || stream.is_connecting()) return;
    if (stream.connect_error() != 0) return stream.terminate();
    if (!transport_->is_tls()) {
      auto session = tls::Session::connect(*load_.context, "bench.test", nullptr, &load_.handshakes,
                                           {.on_ready = on_ready, .owner = this});
      if (session == nullptr) return stream.terminate();
      transport_->start_tls(std::move(session));
    }
    if (!transport_->session()->is_handshake_done() && !shake_hands()) return;
    if (!is_asked_) {
      is_asked_ = true;
      transport_->write(std::as_bytes(std::span(load_.request)));
      transport_->flush();
    }
    read();
  }

  bool shake_hands() {
    const SessionStatus status = transport_->drive_handshake();
    if (status == SessionStatus::ok) return true;
    if (status == SessionStatus::failed || status == SessionStatus::closed ||
        transport_->stream().has_receive_ended()) {
      transport_->stream().terminate();
    }
    return false;
  }

  void read() {
    for (ConstBytes bytes = transport_->readable(); !bytes.empty(); bytes = transport_->readable()) {
      constexpr std::string_view kGood = "HTTP/1.1 200";
      if (!is_answered_) {
        is_answered_ = bytes.size() >= kGood.size() &&
                       std::ranges::equal(bytes.first(kGood.size()), std::as_bytes(std::span(kGood)));
      }
      transport_->consume(bytes.size());
    }
    if (transport_->is_at_end()) transport_->stream().terminate();
  }

  void on_closed() {
    if (is_answered_) {
      load_.durations.push_back(load_.loop.now() - began_);
    } else {
      ++load_.failure_count;
    }
    transport_.reset();
    --load_.running_count;
    if (!load_.ends) start();
  }

  Load& load_;
  std::unique_ptr<transport::Transport> transport_;
  io::Task retire_task_;
  Instant began_{};
  bool is_asked_ = false;
  bool is_answered_ = false;  // 200 was the status
};

double milliseconds_at(std::vector<Duration>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<size_t>(share * static_cast<double>(sorted.size() - 1));
  return std::chrono::duration<double, std::milli>(sorted[index]).count();
}

template <typename T>
bool read_number(std::string_view text, T& number) {
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{};
}

int run(std::span<char*> arguments) {
  unsigned connections = 0;
  unsigned seconds = 0;
  const auto address = arguments.size() == 5 ? SocketAddress::parse(arguments[1]) : std::nullopt;
  if (!address || !read_number(arguments[3], connections) || !read_number(arguments[4], seconds)) {
    fmt::print(stderr, "usage: handshake_load ADDRESS:PORT PATH CONNECTIONS SECONDS\n");
    return 2;
  }
  auto context = tls::ClientContext::create({.name = "bench", .verifies = false});
  auto loop = io::Loop::create();
  if (!context || !loop) {
    fmt::print(stderr, "handshake_load: {}\n", (!context ? context.error() : loop.error()).message);
    return 1;
  }
  Load load{.loop = **loop,
            .address = *address,
            .context = *context,
            .request = fmt::format("GET {} HTTP/1.1\r\nHost: x.bench.test\r\nConnection: close\r\n\r\n", arguments[2])};

  std::vector<std::unique_ptr<Client>> clients;
  for (unsigned i = 0; i < connections; ++i) clients.push_back(std::make_unique<Client>(load));
  for (const auto& client : clients) client->start();
  const Instant end = load.loop.now() + std::chrono::seconds(seconds);
  const Instant end_of_patience = end + 10s;
  while (load.running_count > 0 && load.loop.now() < end_of_patience) {
    load.ends = load.loop.now() >= end;
    load.loop.turn(100ms);
    load.handshakes.end_turn();
  }
  if (load.running_count > 0) {
    fmt::print(stderr, "handshake_load: {} connections do not end\n", load.running_count);
    std::_Exit(1);
  }
  std::ranges::sort(load.durations);
  fmt::print("{} requests, {} failed, median {:.2f} ms, p99 {:.2f} ms\n", load.durations.size(), load.failure_count,
             milliseconds_at(load.durations, 0.5), milliseconds_at(load.durations, 0.99));
  return load.failure_count == 0 ? 0 : 1;
}

}  // namespace

}  // namespace sluice

int main(int argc, char** argv) { return sluice::run({argv, static_cast<size_t>(argc)}); }

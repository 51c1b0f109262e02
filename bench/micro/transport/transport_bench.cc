// What TLS costs from a response's plaintext to the kernel: gathering, records, sends over loopback. Each
// benchmark reports time per response and how many records and sends it took.
#include "openssl_client.h"
#include "require.h"
#include "test_pairs.h"

#include "base/limits.h"
#include "http/http1_writer.h"
#include "io/loop.h"
#include "tls/server_context.h"
#include "transport/transport.h"

#include <benchmark/benchmark.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace sluice::transport {
namespace {

using namespace std::chrono_literals;

using bench::require;

// Two ends of a TCP connection over loopback.
std::array<int, 2> make_connection() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{
      .sin_family = AF_INET, .sin_port = 0, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t length = sizeof address;
  require(bind(listener, reinterpret_cast<const sockaddr*>(&address), length) == 0 && listen(listener, 1) == 0);
  require(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  require(connect(client, reinterpret_cast<const sockaddr*>(&address), length) == 0);
  const int server = accept(listener, nullptr, nullptr);
  require(server >= 0);
  close(listener);
  const int one = 1;
  require(setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
  return {server, client};
}

// A transport that has shaken hands, and a client that throws away what it gets.
class Connection {
 public:
  explicit Connection(const char* suite) : loop_(std::move(*io::Loop::create())) {
    const auto [server, client] = make_connection();
    client_ = client;
    transport_ = std::make_unique<Transport>(*loop_, [](void*) {}, nullptr);
    transport_->stream().adopt(server);
    require(tls::initialize().has_value());
    const auto& pair = test::rsa_2048();
    auto context = tls::ServerContext::create(
        test::server({.cipher_suites = {"ECDHE-RSA-AES128-GCM-SHA256"}}, pair.certificate, pair.key));
    require(context.has_value());
    transport_->start_tls(tls::Session::accept(**context));
    test::OpensslClient peer({.tls13_ciphers = suite});
    std::array<std::byte, 16 * 1024> room;
    bool is_done = false;
    while (!is_done || !peer.handshake()) {
      static_cast<void>(peer.handshake());
      const std::string output = peer.take_output();
      require(send(client_, output.data(), output.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(output.size()));
      loop_->turn(1ms);
      if (!is_done) is_done = transport_->drive_handshake() == tls::SessionStatus::ok;
      loop_->turn(1ms);
      const ssize_t size = recv(client_, room.data(), room.size(), MSG_DONTWAIT);
      if (size > 0) peer.feed(ConstBytes(room).first(static_cast<size_t>(size)));
    }
    discard();
  }
  ~Connection() {
    transport_->stream().terminate();
    while (!transport_->stream().is_closed()) loop_->turn(1ms);
    loop_->turn(1ms);
    transport_.reset();
    close(client_);
  }

  // The client takes what is there without looking at it.
  void discard() {
    while (recv(client_, nullptr, 1024 * 1024, MSG_TRUNC | MSG_DONTWAIT) > 0) {
    }
  }
  // Until everything has gone, or there is room again.
  void flush(size_t room = limits::write_high_bytes) {
    transport_->flush();
    while (transport_->writable_bytes() < room) {
      loop_->turn(0ms);
      discard();
      ++turns;
    }
  }
  Transport& transport() { return *transport_; }

  uint64_t turns = 0;

 private:
  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<Transport> transport_;
  int client_ = -1;
};

// As the copying pump: pieces as large as a receive buffer, up to the high-water mark, then a flush.
void respond(benchmark::State& state, const char* suite, size_t body_bytes, bool is_chunked) {
  Connection connection(suite);
  Transport& transport = connection.transport();
  std::vector<std::string> buffers(8, std::string(limits::receive_buffer_bytes, 'x'));
  const std::string head(300, 'h');
  const uint64_t sent_before = transport.stream().bytes_sent();
  for (auto _ : state) {
    transport.write(as_bytes(head));
    size_t next = 0;
    for (size_t left = body_bytes; left > 0;) {
      const size_t size = std::min({left, limits::receive_buffer_bytes, transport.writable_bytes()});
      if (size == 0) {
        connection.flush();
        continue;
      }
      const ConstBytes piece = as_bytes(buffers[next++ % buffers.size()]).first(size);
      if (is_chunked) {
        http::write_chunk(transport.sink(), piece);
      } else {
        transport.write(piece);
      }
      left -= size;
    }
    connection.flush();
  }
  const auto sent = static_cast<double>(transport.stream().bytes_sent() - sent_before);
  state.counters["overhead"] =
      benchmark::Counter(sent - static_cast<double>(state.iterations()) * static_cast<double>(head.size() + body_bytes),
                         benchmark::Counter::kAvgIterations);
  state.counters["turns"] =
      benchmark::Counter(static_cast<double>(connection.turns), benchmark::Counter::kAvgIterations);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(head.size() + body_bytes));
}
BENCHMARK_CAPTURE(respond, aes_128_gcm_1k, "TLS_AES_128_GCM_SHA256", 1024, false);
BENCHMARK_CAPTURE(respond, aes_128_gcm_10k, "TLS_AES_128_GCM_SHA256", 10 * 1024, false);
BENCHMARK_CAPTURE(respond, aes_128_gcm_1m, "TLS_AES_128_GCM_SHA256", 1024 * 1024, false);
BENCHMARK_CAPTURE(respond, aes_128_gcm_1m_chunked, "TLS_AES_128_GCM_SHA256", 1024 * 1024, true);
BENCHMARK_CAPTURE(respond, chacha20_1m, "TLS_CHACHA20_POLY1305_SHA256", 1024 * 1024, false);

}  // namespace
}  // namespace sluice::transport

BENCHMARK_MAIN();

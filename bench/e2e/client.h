// What the load generators share: connections of a client, plain or with TLS (our own client's side), on one loop, and
// the numbers that they are told and tell. One thread.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "io/loop.h"
#include "tls/client_context.h"
#include "tls/handshake_pool.h"
#include "tls/resumable_session.h"
#include "transport/transport.h"

#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::bench {

// Where connections lead, and how.
struct Target {
  io::Loop& loop;
  SocketAddress address;
  std::shared_ptr<tls::ClientContext> context;  // null: plain
  bool resumes = false;                         // each connection resumes the session of the one before it
  tls::HandshakePool handshakes{};
};

// One connection after the other: start() may be called again once on_closed() was.
class Connection {
 public:
  explicit Connection(Target& target) noexcept : target_(target), retire_task_(on_retire, this) {}
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();

 protected:
  // The handshake, if any, is done.
  virtual void on_open() = 0;
  virtual void on_bytes(ConstBytes bytes) = 0;
  // Whoever has ended it.
  virtual void on_closed() = 0;

  void send(std::string_view bytes);
  void end() { transport_->stream().terminate(); }
  // The connection was to resume a session and did not.
  [[nodiscard]] bool was_refused() const noexcept { return was_refused_; }

 private:
  static void on_change(void* self) { static_cast<Connection*>(self)->advance(); }
  static void on_retire(void* self) { static_cast<Connection*>(self)->close(); }

  void advance();
  [[nodiscard]] bool shake_hands();
  void close();

  Target& target_;
  std::unique_ptr<transport::Transport> transport_;
  std::unique_ptr<tls::ResumableSession> resumable_;
  io::Task retire_task_;
  bool is_open_ = false;
  bool offers_resumption_ = false;
  bool was_refused_ = false;
};

// Reads responses with Content-Length, one after the other.
class Response {
 public:
  enum class State : uint8_t { incomplete, complete, wrong };
  // Bytes of one response. `complete` once, with its last byte; `wrong`: not 200, without a length, or more than it.
  [[nodiscard]] State take(ConstBytes bytes);

 private:
  std::string head_;  // empty while the body is read
  size_t body_left_ = 0;
  bool is_in_body_ = false;
};

[[nodiscard]] double milliseconds_at(const std::vector<Duration>& sorted, double share);

template <typename T>
[[nodiscard]] bool read_number(std::string_view text, T& number) {
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{};
}

}  // namespace sluice::bench

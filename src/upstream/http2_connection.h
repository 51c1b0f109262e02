// An HTTP/2 connection to an endpoint (RFC 9113), which the requests of many exchanges share, each on a stream of its
// own. The first ones wait until the upstream's SETTINGS are there, and with them how many it takes. Its endpoint keeps
// it while it can take requests; it ends when it has had none for a while (snapshot::ConnectionTerms), or when it can
// take no more (GOAWAY, no stream ids left, broken, too old) and the last one is over. One that begins with a PROXY
// header, which names a client, has a single request. Where the upstream chooses HTTP/1.1 in the TLS handshake (ALPN,
// RFC 7301), the connection becomes one of those and goes into the pool. Frames of all requests of a turn go out with
// one send. One thread.
//
// Its memory is ConnectionPool's, which it goes back to by itself.
#pragma once

#include "base/list.h"
#include "base/timer_wheel.h"
#include "http/http2_session.h"
#include "http/http2_stream.h"
#include "io/loop.h"
#include "snapshot/connection_terms.h"
#include "upstream/connection.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::upstream {

class ConnectionPool;
class Endpoint;
class Http2Request;

class Http2Connection : public ListNode<Http2Connection> {
 public:
  Http2Connection(ConnectionPool& pool, Endpoint& endpoint) noexcept;
  ~Http2Connection();

  void connect(Duration timeout, const Connection::Opening& opening);

  // Whether one more request, of any client, may have a place, now or once it is connected.
  [[nodiscard]] bool has_room() const noexcept;
  [[nodiscard]] uint32_t request_count() const noexcept { return request_count_; }
  // The endpoint is gone: no request is left.
  void close() noexcept;

  [[nodiscard]] std::string_view server_name() const noexcept { return connection_->server_name(); }
  // Requires that it is connected or connecting.
  [[nodiscard]] Connection& connection() const noexcept { return *connection_; }

 private:
  friend class Http2Request;

  enum class State : uint8_t {
    connecting,
    greeting,  // connected; the upstream's SETTINGS are awaited
    open,
    ended,  // no more requests; gone once the last one is
  };

  static void on_connection_change(void* self);
  static void on_stream_change(void* self, http::Http2Stream& stream);
  static void on_flush(void* self);
  static void on_timeout(void* self);
  static void on_keepalive(void* self);
  static void on_retire(void* self);

  void on_connected();
  void on_greeting();
  void lose();
  void end_connecting(int error);
  void tell_requests();
  void read();
  [[nodiscard]] bool is_spent() const noexcept;
  void flush_later() noexcept;
  void add(Http2Request& request) noexcept;
  void remove(Http2Request& request) noexcept;
  void rest_if_unused();
  void stop_taking_requests() noexcept;
  void end_if_unused() noexcept;

  ConnectionPool& pool_;
  Endpoint* endpoint_;                         // null once it takes no more requests
  Connection* connection_ = nullptr;           // lent to this; null once ended
  std::optional<http::Http2Session> session_;  // from greeting on
  List<Http2Request> requests_;
  uint32_t request_count_ = 0;
  uint32_t total_requests_ = 0;
  Timer timer_;  // greeting: the time it may take; open: the time it is kept without requests
  Timer keepalive_timer_;
  snapshot::Http2Keepalive keepalive_;  // while open; an interval of zero: none
  Duration connect_timeout_{};
  io::Task flush_task_;
  io::Task retire_task_;
  int connect_error_ = 0;
  State state_ = State::connecting;
  bool chose_http1_ = false;
  bool is_pinging_ = false;           // keepalive_timer_ is for the answer
  bool has_writers_waiting_ = false;  // for room on the connection
};

// One request's place on such a connection, from before that is open to the end of its response.
class Http2Request : public ListNode<Http2Request> {
 public:
  Http2Request(Http2Connection& connection, Connection::Borrower borrower) noexcept;
  ~Http2Request();  // what is not over is cancelled
  Http2Request(const Http2Request&) = delete;
  Http2Request& operator=(const Http2Request&) = delete;

  enum class Status : uint8_t {
    connecting,
    ready,     // stream() is there
    failed,    // error() says why
    full,      // it is open, and takes fewer requests than were waiting for it
    is_http1,  // the upstream has chosen HTTP/1.1
  };
  [[nodiscard]] Status status() const noexcept;
  // Of one that has failed: as Connection::connect_error(); EBADMSG: what the upstream said is no HTTP/2.
  [[nodiscard]] int error() const noexcept { return connection_.connect_error_; }
  // The first call after `ready` makes it.
  [[nodiscard]] http::Http2Stream& stream();
  // Once ready: the upstream takes an extended CONNECT (RFC 8441).
  [[nodiscard]] bool takes_extended_connect() const noexcept { return connection_.session_->takes_extended_connect(); }
  // What the stream takes of content now; a change tells when it is more.
  [[nodiscard]] size_t writable_bytes() noexcept;
  // What was written goes out at the end of the turn, together with that of others.
  void flush() noexcept { connection_.flush_later(); }
  [[nodiscard]] Connection& connection() const noexcept { return connection_.connection(); }

 private:
  friend class Http2Connection;

  struct Stream final : http::Http2Stream {
    Stream(http::Http2Session& session, Http2Request& its_request) noexcept
        : Http2Stream(session), request(its_request) {}
    Http2Request& request;
  };

  Http2Connection& connection_;
  Connection::Borrower borrower_;
  std::optional<Stream> stream_;
};

}  // namespace sluice::upstream

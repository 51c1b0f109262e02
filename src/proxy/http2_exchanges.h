// What a client's connection of HTTP/2 (RFC 9113) has instead of one exchange after the other: a session, and an
// exchange for each of its open streams. Frames of all of them go out with one send at the end of a turn. In the
// shard's slab, made and destroyed by its connection. One thread.
#pragma once

#include "base/list.h"
#include "base/timer_wheel.h"
#include "http/http2_session.h"
#include "io/loop.h"
#include "proxy/exchange.h"
#include "proxy/http2_client_side.h"
#include "proxy/services.h"

#include <cstdint>

namespace sluice::proxy {

class ClientConnection;
class Http2Exchanges;

// The exchange of one stream. The side first: it must be there before the exchange is, and outlive it.
class Http2Exchange final : private Http2ClientSide, public Exchange, public ListNode<Http2Exchange> {
 public:
  Http2Exchange(Http2Exchanges& all, Services& services, ClientConnection& connection) noexcept;
  ~Http2Exchange();

  // Moves on as far as it can. It may be gone afterwards.
  void move_on();
  // The connection ends. It is gone afterwards.
  void end();

 private:
  friend class Http2Exchanges;

  void wake() override { move_on(); }
  void leave();
  void set_deadline(Duration from_now);
  void on_expired();
  // Of the request: when it begins, all that was sent before it on its connection has been taken, too, and to ask the
  // kernel about that would cost a call for each request.
  enum class Count : uint8_t { sent, taken };
  [[nodiscard]] uint64_t moved(Count of_request) const noexcept;

  Http2Exchanges& all_;
  Timer timer_;          // how long nothing may move
  io::Task yield_task_;  // the turn's budget was used up
  uint64_t moved_at_last_look_ = 0;
  bool is_over_ = false;  // and stays until the end of its response has been sent: a window may be closed
};

class Http2Exchanges {
 public:
  Http2Exchanges(Services& services, ClientConnection& connection);
  Http2Exchanges(const Http2Exchanges&) = delete;
  Http2Exchanges& operator=(const Http2Exchanges&) = delete;
  ~Http2Exchanges();  // none is left

  // Reads what has come, and lets the exchanges look, whoever of them can go on. False: nothing is open, and nothing
  // will be; the connection is to be closed once what was written has gone.
  [[nodiscard]] bool serve();
  // No new requests. The client is told so a while before (RFC 9113 6.8): those that it has sent by then are served.
  void drain();
  // At once.
  void shut_down();
  // The connection ends, and with it all exchanges.
  void end();

  [[nodiscard]] bool has_none() const noexcept { return count_ == 0; }

 private:
  friend class Http2Exchange;

  static http::Http2Stream* on_request(void* self);
  static void on_stream_change(void* self, http::Http2Stream& stream);
  void read();
  void use_room();
  [[nodiscard]] bool may_begin() noexcept;
  void look_later() noexcept;
  void destroy(Http2Exchange& exchange);

  Services& services_;
  ClientConnection& connection_;
  http::Http2Session session_;
  List<Http2Exchange> exchanges_;
  uint32_t count_ = 0;
  uint32_t begun_count_ = 0;  // requests of the input that is being read
  bool has_no_room_ = false;  // the connection has taken no more: exchanges may wait for it
  bool is_draining_ = false;
  Timer drain_timer_;
  io::Task look_task_;
};

}  // namespace sluice::proxy

// A client's connection, from accept to close: the PROXY header of who is in front, the TLS handshake, then one
// exchange after the other, or a TCP proxy. Steps 1 to 3 of the way of a request (docs/life_of_a_request.md). Owned by
// the shard's slab; frees itself after its close. One thread. What comes before the first request stands in
// client_opening.cc, deadlines in client_deadlines.cc.
#pragma once

#include "base/address.h"
#include "base/list.h"
#include "base/timer_wheel.h"
#include "observe/request_record.h"
#include "proxy/listener_kind.h"
#include "proxy/services.h"
#include "route/choose_route.h"
#include "transport/transport.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::tls {
struct ClientHello;
}

namespace sluice::proxy {

class Http1Exchange;
class Http2Exchanges;
class TcpProxy;
class UpstreamSide;

class ClientConnection : public ListNode<ClientConnection> {
 public:
  enum class State : uint8_t {
    proxy_header,  // waiting for what names the client, where MeshConfig says that it comes
    accepted,      // TLS: waiting for the ClientHello; redirected: for the first bytes
    tls_handshake,
    open,        // requests; exchange_ is set while one is under way, or http2_ all the time
    tunnelling,  // no requests but bytes: tcp_proxy_ is set
    finishing,   // no more requests: what was written goes out
    lingering,   // FIN is out: the client's last bytes are read off, so that no RST overtakes the response
    closing,     // terminate() was called: the kernel's last completions are awaited
  };

  ClientConnection(Services& services, const SocketAddress& listen_address, ListenerKind kind) noexcept;
  ~ClientConnection();

  // 1: `fd` was accepted and is owned from now on.
  void on_accepted(int fd);

  // The shard drains: an idle connection ends, a busy one after its response, one without HTTP when its sides end.
  void drain();
  // The shard stops: ends at once.
  void terminate();

  // --- for its exchanges or TCP proxy ---
  // Something has changed elsewhere than at the client: they are to be advanced.
  void look() { advance(); }
  void on_http2_exchange_ended();
  [[nodiscard]] transport::Transport& transport() noexcept { return transport_; }
  // Among the routes of the server that this connection belongs to, in `snapshot`: of the listener, or of the TLS
  // server that its SNI chose (route/serving_server.h). Not found: a reload has taken the server away.
  [[nodiscard]] route::Decision choose_route(const AdoptedSnapshot& snapshot, const http::RequestHead& head,
                                             uint64_t random) const;
  // Without HTTP. Nullptr: a reload has taken the server away.
  [[nodiscard]] const snapshot::RouteTable* tcp_routes_in(const AdoptedSnapshot& snapshot) const;
  // gRPC-Web becomes gRPC: a plain server of that protocol.
  [[nodiscard]] bool translates_grpc_web_in(const AdoptedSnapshot& snapshot) const;
  // The port of that server as the Gateway says it, which clients use; 0: it was taken away.
  [[nodiscard]] uint16_t service_port_in(const AdoptedSnapshot& snapshot) const;
  // Encrypted by the client, whether we decrypt it or not.
  [[nodiscard]] bool is_tls() const noexcept { return proxy::is_tls(kind_); }
  // Traffic out of the cluster; the client knows us as its proxy, or was redirected here.
  [[nodiscard]] bool is_outbound() const noexcept { return proxy::is_outbound(kind_); }
  [[nodiscard]] bool is_redirected() const noexcept { return kind_ == ListenerKind::redirected; }
  // What a redirected client has connected to; else null.
  [[nodiscard]] const SocketAddress* original_destination() const noexcept {
    return is_redirected() ? proxied_local_address_.get() : nullptr;
  }
  // Outbound: where the request is to go.
  [[nodiscard]] snapshot::RequestedTarget requested_target(const http::RequestHead& head) const noexcept;
  [[nodiscard]] std::string_view server_name() const noexcept { return server_name_; }
  // Whether the client has shown a certificate, which was verified.
  [[nodiscard]] bool has_certificate() const noexcept;
  // The element of x-forwarded-client-cert for a client that has shown a certificate; else empty. As long as this.
  [[nodiscard]] std::string_view forwarded_certificate();
  // For formats; null without TLS that we terminate. As long as this.
  [[nodiscard]] const observe::ClientTls* client_tls();
  // The client, and what it has connected to: the ends of this connection, unless a PROXY header says others.
  [[nodiscard]] const SocketAddress& peer_address() const noexcept { return peer_address_; }
  [[nodiscard]] SocketAddress local_address() const noexcept;
  // Where connections without HTTP that are outbound are to go: what their first bytes have told.
  [[nodiscard]] snapshot::RequestedTarget requested_target() const noexcept;
  // Without HTTP: it is connected, and what its destination allows counts from here on.
  void watch_tunnel();
  // What is known of a connection without HTTP before it has a destination.
  [[nodiscard]] observe::RequestRecord connection_record();

 private:
  static void on_stream_change(void* self);
  static void on_timer(void* self);
  static void on_handshake_ready(void* self);
  static void on_yielded(void* self);
  static void on_retire(void* self);

  // This connection's, in `snapshot`; nullptr: a reload has taken it away, or made it another kind.
  [[nodiscard]] const snapshot::Listener* listener_in(const AdoptedSnapshot& snapshot) const;
  // The one that its SNI chooses; nullptr: none.
  [[nodiscard]] const snapshot::TlsServer* tls_server_of(const snapshot::Listener& listener) const;
  // What the client is connected to, in `snapshot`.
  struct Place {
    const snapshot::Listener* listener = nullptr;     // null: a reload has taken it away
    const snapshot::TlsServer* tls_server = nullptr;  // exactly with TLS
  };
  [[nodiscard]] Place place_in(const AdoptedSnapshot& snapshot) const;

  void on_change();
  void acknowledge() noexcept;
  void on_proxy_header_bytes();
  void on_bad_proxy_header(std::string_view fault);
  void begin();
  void on_hello_bytes();
  void on_redirected(int fd);
  void on_first_bytes();
  void on_first_bytes_missing();
  [[nodiscard]] tls::ServerContext* challenge_for(const tls::ClientHello& hello) const noexcept;
  void start_handshake(tls::ServerContext* context, const tls::ClientHello& hello);
  void on_handshake_bytes();
  void on_unknown_server();
  void on_handshake_failed();
  void advance();
  void serve();
  void start_http2();
  void serve_http2();
  [[nodiscard]] bool begins_with_http2();
  void yield();
  void rest();
  void end_exchange();
  void start_tunnelling();
  void hand_over_tunnel();
  void tunnel();
  void end_tcp_proxy();
  void finish();
  void linger();
  void close_at_once(io::Stream::Ending ending);
  void on_expired();
  void await_taking();
  void look_at_rest();
  void look_at_taking();
  void look_at_lingering();
  void set_state(State next) noexcept;
  void set_deadline(Duration from_now);
  void may_rest_for(Duration from_now);
  [[nodiscard]] uint64_t bytes_moved() const noexcept;
  [[nodiscard]] const UpstreamSide* upstream_to_read() const noexcept;
  [[nodiscard]] bool has_moved() noexcept;
  void count_bytes() noexcept;

  Services& services_;
  transport::Transport transport_;
  Http1Exchange* exchange_ = nullptr;  // exactly from a request's first byte to its end
  Http2Exchanges* http2_ = nullptr;    // from the choice of HTTP/2 to closing; then exchange_ is not used
  TcpProxy* tcp_proxy_ = nullptr;      // exactly while tunnelling
  Timer timer_;
  Instant rest_until_{};           // without a request
  Instant deadline_{};             // when on_expired() is due; the timer may be armed for earlier, never for later
  Instant armed_for_{};            // while timer_ is armed
  uint64_t counted_received_ = 0;  // of the stream's totals, what the shard's counters have
  uint64_t counted_sent_ = 0;
  uint64_t taken_at_last_look_ = 0;  // by whoever was to read, when the last deadline passed
  uint64_t moved_at_last_look_ = 0;  // bytes_moved() when the present deadline was set
  io::Task yield_task_;
  io::Task retire_task_;
  Instant accepted_at_;
  SocketAddress listen_address_;
  SocketAddress peer_address_;
  // Exactly when a PROXY header has named it, or the firewall knows it of a redirected connection.
  std::unique_ptr<const SocketAddress> proxied_local_address_;
  std::string server_name_;  // SNI, lower case
  std::unique_ptr<const std::string>
      forwarded_certificate_;                             // from the first request of a client with a certificate on
  std::unique_ptr<const observe::ClientTls> client_tls_;  // from the first format on that needs it
  uint32_t lingered_bytes_ = 0;
  State state_ = State::accepted;
  bool may_begin_http2_ : 1 = false;          // plain, and nothing has been read
  bool may_end_with_blank_line_ : 1 = false;  // a request has ended, and nothing has been read since
  bool client_has_said_all_ : 1 = false;      // nothing is to come that a close would answer with a reset
  bool is_acknowledged_ : 1 = false;          // see acknowledge()
  ListenerKind kind_;
  snapshot::ServerKind server_kind_ = snapshot::ServerKind::http;  // TLS: of the server that the SNI chose
};

}  // namespace sluice::proxy

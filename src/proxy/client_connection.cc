#include "proxy/client_connection.h"

#include "base/limits.h"
#include "io/socket.h"
#include "proxy/client_tls.h"
#include "proxy/http1_exchange.h"
#include "proxy/http2_exchanges.h"
#include "proxy/tcp_proxy.h"
#include "route/choose_route.h"
#include "tls/forwarded_certificate.h"

#include <array>
#include <utility>

namespace sluice::proxy {

namespace {

using State = ClientConnection::State;

constexpr unsigned bit(State state) { return 1U << static_cast<unsigned>(state); }

// Which states may follow which.
constexpr std::array<unsigned, 8> kNextStates = {
    /* proxy_header  */ bit(State::accepted) | bit(State::closing),
    /* accepted      */ bit(State::proxy_header) | bit(State::tls_handshake) | bit(State::open) |
        bit(State::tunnelling) | bit(State::closing),
    /* tls_handshake */ bit(State::open) | bit(State::tunnelling) | bit(State::finishing) | bit(State::closing),
    /* open          */ bit(State::tunnelling) | bit(State::finishing) | bit(State::closing),
    /* tunnelling    */ bit(State::finishing) | bit(State::closing),
    /* finishing     */ bit(State::lingering) | bit(State::closing),
    /* lingering     */ bit(State::closing),
    /* closing       */ 0,
};

}  // namespace

// Every idle connection costs this, and with TLS its session (tests/unit/tls/session_memory_test.cc).
static_assert(sizeof(ClientConnection) <= 640);

ClientConnection::ClientConnection(Services& services, const SocketAddress& listen_address, ListenerKind kind) noexcept
    : services_(services),
      transport_(services.loop, on_stream_change, this),
      timer_(on_timer, this),
      yield_task_(on_yielded, this),
      retire_task_(on_retire, this),
      accepted_at_(services.loop.now()),
      listen_address_(listen_address),
      kind_(kind) {}

ClientConnection::~ClientConnection() = default;

void ClientConnection::set_state(State next) noexcept {
  CHECK((kNextStates[static_cast<size_t>(state_)] & bit(next)) != 0);
  if (is_tls() && state_ <= State::tls_handshake && next > State::tls_handshake)
    services_.observer.counters.tls_handshakes_active.subtract();
  state_ = next;
}

SocketAddress ClientConnection::local_address() const noexcept {
  if (proxied_local_address_ != nullptr) return *proxied_local_address_;
  return listen_address_.is_any() && transport_.stream().is_open() ? io::local_address(transport_.stream().fd())
                                                                   : listen_address_;
}

const snapshot::Listener* ClientConnection::listener_in(const AdoptedSnapshot& snapshot) const {
  const auto found = snapshot.listeners.find(listen_address_);
  if (found == snapshot.listeners.end()) return nullptr;
  const snapshot::Listener& listener = snapshot.tables.listeners[found->second];
  return kind_of(listener) == kind_ ? &listener : nullptr;
}

const snapshot::TlsServer* ClientConnection::tls_server_of(const snapshot::Listener& listener) const {
  const auto server = listener.server_names.find(server_name_);
  return server ? &listener.tls_servers[*server] : nullptr;
}

ClientConnection::Place ClientConnection::place_in(const AdoptedSnapshot& snapshot) const {
  const snapshot::Listener* listener = listener_in(snapshot);
  if (listener == nullptr || !is_tls()) return {.listener = listener};
  const snapshot::TlsServer* server = tls_server_of(*listener);
  if (server == nullptr || server->kind != server_kind_) return {};
  return {.listener = listener, .tls_server = server};
}

route::Decision ClientConnection::choose_route(const AdoptedSnapshot& snapshot, const http::RequestHead& head,
                                               uint64_t random) const {
  const Place place = place_in(snapshot);
  if (place.listener == nullptr) return {};
  if (is_outbound()) {
    const uint32_t table = snapshot.tables.outbound->route_table(requested_target(head).port);
    return route::choose_route(snapshot.tables, snapshot.tables.route_tables[table], head, random);
  }
  return route::choose_route(snapshot.tables, *place.listener, place.tls_server, head, random);
}

snapshot::RequestedTarget ClientConnection::requested_target(const http::RequestHead& head) const noexcept {
  uint16_t port = head.port;
  if (const SocketAddress* original = original_destination()) {
    port = original->port;
  } else if (port == 0 && is_outbound()) {
    port = 80;
  }
  return {.host = head.host, .port = port, .original = original_destination()};
}

snapshot::RequestedTarget ClientConnection::requested_target() const noexcept {
  const SocketAddress* original = original_destination();
  return {.host = server_name_, .port = original == nullptr ? uint16_t{0} : original->port, .original = original};
}

const snapshot::RouteTable* ClientConnection::tcp_routes_in(const AdoptedSnapshot& snapshot) const {
  const Place place = place_in(snapshot);
  if (place.listener == nullptr) return nullptr;
  if (is_outbound())
    return &snapshot.tables.route_tables[snapshot.tables.outbound->route_table(requested_target().port)];
  const uint32_t table = place.tls_server == nullptr ? place.listener->route_table : place.tls_server->route_table;
  return &snapshot.tables.route_tables[table];
}

bool ClientConnection::translates_grpc_web_in(const AdoptedSnapshot& snapshot) const {
  const snapshot::Listener* listener = listener_in(snapshot);
  return listener != nullptr && listener->translates_grpc_web;
}

uint16_t ClientConnection::service_port_in(const AdoptedSnapshot& snapshot) const {
  const snapshot::Listener* listener = listener_in(snapshot);
  return listener == nullptr ? 0 : listener->service_port;
}

observe::RequestRecord ClientConnection::connection_record() {
  observe::RequestRecord record;
  record.is_tcp = true;
  record.duration = services_.loop.now() - accepted_at_;
  record.start = services_.loop.wall_now() - record.duration;
  record.downstream_remote = peer_address_;
  record.requested_server_name = server_name_;
  const snapshot::FormatNeeds needs = services_.observer.access_log.needs();
  if (needs.local_address) record.downstream_local = local_address();
  if (needs.client_tls) record.client_tls = client_tls();
  return record;
}

bool ClientConnection::has_certificate() const noexcept {
  const tls::Session* session = transport_.session();
  return session != nullptr && session->peer_certificate() != nullptr;
}

std::string_view ClientConnection::forwarded_certificate() {
  if (!has_certificate()) return {};
  const tls::Session* session = transport_.session();
  if (forwarded_certificate_ == nullptr) {
    forwarded_certificate_ = std::make_unique<const std::string>(
        tls::forwarded_certificate(*session->peer_certificate(), session->local_certificate()));
  }
  return *forwarded_certificate_;
}

const observe::ClientTls* ClientConnection::client_tls() {
  const tls::Session* session = transport_.session();
  if (session == nullptr || !session->is_handshake_done()) return nullptr;
  if (client_tls_ == nullptr) client_tls_ = std::make_unique<const observe::ClientTls>(describe_client_tls(*session));
  return client_tls_.get();
}

// --- 1. accepted -----------------------------------------------------------------------------------

void ClientConnection::on_accepted(int fd) {
  services_.open_connections.push_back(*this);
  services_.observer.counters.connections_accepted.add();
  services_.observer.counters.connections_active.add();
  peer_address_ = io::peer_address(fd);
  transport_.stream().adopt(fd);
  if (is_tls()) {
    services_.observer.counters.tls_handshakes_active.add();
    set_deadline(limits::handshake_timeout);
  }
  if (!peer_address_.is_known()) {  // gone before it was accepted
    close_at_once(io::Stream::Ending::orderly);
  } else if (is_redirected()) {
    on_redirected(fd);
  } else if (services_.snapshots.current()->tables.topology.expects_proxy_header && !is_outbound()) {
    set_state(State::proxy_header);
    set_deadline(limits::handshake_timeout);
  } else {
    begin();
  }
}

// Nothing of what the client says itself has been looked at.
void ClientConnection::begin() {
  if (kind_ == ListenerKind::http || kind_ == ListenerKind::proxy) {
    may_begin_http2_ = true;
    set_state(State::open);
    may_rest_for(limits::first_request_timeout);
  } else if (kind_ == ListenerKind::tcp) {
    start_tunnelling();
  }
}

void ClientConnection::on_stream_change(void* self) {
  auto& connection = *static_cast<ClientConnection*>(self);
  connection.on_change();
  connection.acknowledge();
}

void ClientConnection::on_change() {
  switch (state_) {
    case State::proxy_header: on_proxy_header_bytes(); break;
    case State::accepted: is_redirected() ? on_first_bytes() : on_hello_bytes(); break;
    case State::tls_handshake: on_handshake_bytes(); break;
    case State::open:
    case State::tunnelling: advance(); break;
    case State::finishing:
      if (transport_.has_sent_all() || transport_.has_send_failed()) linger();
      break;
    case State::lingering: linger(); break;
    case State::closing:
      if (transport_.stream().is_closed() && !retire_task_.is_linked()) services_.loop.retire(retire_task_);
      break;
  }
}

// A client may send no more until its first words are acknowledged (Nagle's algorithm), and the kernel does that with
// the answer (io::open_listener). Where there is none to come before the client has said more, it does not wait for
// one.
void ClientConnection::acknowledge() noexcept {
  const auto is_answer_due = [this] {
    switch (state_) {
      case State::proxy_header:
      case State::accepted:
      case State::tunnelling: return false;  // by whom, and when, nobody here knows
      case State::open: return exchange_ != nullptr && !exchange_->awaits_request();
      case State::tls_handshake:
      case State::finishing:
      case State::lingering:
      case State::closing: return true;
    }
    UNREACHABLE();
  };
  if (is_acknowledged_ || is_answer_due()) return;
  is_acknowledged_ = true;
  transport_.stream().acknowledge();
}

// --- 3. requests -----------------------------------------------------------------------------------

void ClientConnection::advance() { tcp_proxy_ == nullptr ? serve() : tunnel(); }

void ClientConnection::serve() {
  if (may_begin_http2_ && !begins_with_http2()) return;  // not enough has come to tell
  if (http2_ != nullptr) return serve_http2();
  for (unsigned requests = 0; state_ == State::open; ++requests) {
    const bool is_new = exchange_ == nullptr;
    if (is_new) {
      // Old clients end a body with an empty line that is not part of it (RFC 9112 2.2). Only one, and only there: how
      // many blank lines a request may have before it does not depend on how they were cut.
      if (may_end_with_blank_line_ && as_text(transport_.readable()) == "\r\n") {
        may_end_with_blank_line_ = false;
        transport_.consume(2);
      }
      if (transport_.readable().empty()) {
        rest();
        return;
      }
      // A client that asks and does not read: its next request waits until it has taken its answers.
      if (transport_.writable_bytes() == 0) {
        transport_.flush();
        await_taking();
        return;
      }
      if (requests == limits::requests_per_turn_max) {
        yield();
        return;
      }
      exchange_ = &services_.exchanges.create(services_, *this);
    }
    const bool was_reading_head = exchange_->is_reading_head();
    switch (exchange_->advance()) {
      case Exchange::Outcome::yield: yield(); [[fallthrough]];
      case Exchange::Outcome::pending:
        transport_.flush();
        if (exchange_->is_reading_head()) {
          if (is_new) set_deadline(limits::request_head_timeout);
        } else if (was_reading_head) {
          set_deadline(limits::body_progress_timeout);
        }
        return;
      case Exchange::Outcome::reuse_client: end_exchange(); break;
      case Exchange::Outcome::tunnel: hand_over_tunnel(); return;
      case Exchange::Outcome::close_client:
        client_has_said_all_ = exchange_->is_clients_last() && transport_.session() == nullptr;
        end_exchange();
        finish();
        return;
      case Exchange::Outcome::abort_client:
        end_exchange();
        close_at_once(io::Stream::Ending::reset);
        return;
    }
  }
}

// Prior knowledge on a plain connection (RFC 9113 3.3): a preface that no request of HTTP/1 can be. False: it may still
// become one.
bool ClientConnection::begins_with_http2() {
  constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  std::array<std::byte, preface.size()> room;
  const std::string_view come = as_text(ConstBytes(room).first(transport_.stream().receive_queue().peek(room)));
  if (come == preface) start_http2();
  if (come != preface && preface.starts_with(come) && !transport_.stream().has_receive_ended()) return false;
  may_begin_http2_ = false;
  return true;
}

void ClientConnection::start_http2() {
  http2_ = &services_.http2_connections.create(services_, *this);
  if (services_.draining) http2_->drain();
}

void ClientConnection::serve_http2() {
  if (state_ != State::open) return;
  if (!http2_->serve()) {
    http2_->end();
    finish();
  } else if (http2_->has_none() && transport_.writable_bytes() < limits::write_high_bytes) {
    await_taking();
  }
}

void ClientConnection::on_http2_exchange_ended() {
  count_bytes();
  if (state_ == State::open && http2_->has_none()) may_rest_for(limits::client_idle_timeout);
}

void ClientConnection::yield() {
  transport_.flush();
  if (!yield_task_.is_linked()) services_.loop.run_later(yield_task_);
}

// No request is under way and none has begun to arrive.
void ClientConnection::rest() {
  transport_.flush();
  if (transport_.is_at_end() || transport_.has_send_failed()) {
    // A close_notify is answered by one (RFC 8446 6.1), unless FIN came with it: then nobody reads it.
    const bool is_gone = transport_.stream().has_receive_ended() && transport_.has_sent_all();
    if (is_gone || transport_.has_send_failed()) {
      close_at_once(io::Stream::Ending::orderly);
    } else {
      finish();
    }
  } else if (services_.draining) {
    finish();
  } else if (transport_.writable_bytes() < limits::write_high_bytes) {
    await_taking();
  }
}

// Between two requests: the client is to take what is still unsent, or some of it, in time.
void ClientConnection::await_taking() {
  if (deadline_ > services_.loop.now() + limits::client_write_timeout) set_deadline(limits::client_write_timeout);
}

void ClientConnection::end_exchange() {
  services_.exchanges.destroy(*std::exchange(exchange_, nullptr));
  may_end_with_blank_line_ = true;
  count_bytes();
  may_rest_for(limits::client_idle_timeout);
}

// --- connections without HTTP ----------------------------------------------------------------------

void ClientConnection::start_tunnelling() {
  set_state(State::tunnelling);
  tcp_proxy_ = &services_.tcp_proxies.create(services_, *this);
  watch_tunnel();
  tunnel();
}

// A CONNECT was granted: its exchange has done all there is to do of HTTP.
void ClientConnection::hand_over_tunnel() {
  set_state(State::tunnelling);
  tcp_proxy_ = &services_.tcp_proxies.create(services_, *this);
  exchange_->hand_over(*tcp_proxy_);
  services_.exchanges.destroy(*std::exchange(exchange_, nullptr));
  count_bytes();
  watch_tunnel();
  tunnel();
}

void ClientConnection::tunnel() {
  switch (tcp_proxy_->advance()) {
    case TcpProxy::Outcome::yield: yield(); break;
    case TcpProxy::Outcome::pending: break;
    case TcpProxy::Outcome::close_client:
      end_tcp_proxy();
      finish();
      break;
    case TcpProxy::Outcome::abort_client:
      end_tcp_proxy();
      close_at_once(io::Stream::Ending::reset);
      break;
  }
}

void ClientConnection::end_tcp_proxy() {
  services_.tcp_proxies.destroy(*std::exchange(tcp_proxy_, nullptr));
  count_bytes();
}

// --- the end ---------------------------------------------------------------------------------------

void ClientConnection::drain() {
  if (state_ == State::open && http2_ != nullptr) return http2_->drain();
  if (state_ == State::open && exchange_ == nullptr && transport_.readable().empty()) finish();
}

void ClientConnection::finish() {
  set_state(State::finishing);
  set_deadline(limits::client_write_timeout);
  transport_.finish_writing();
  if (transport_.has_sent_all() || transport_.has_send_failed()) linger();
}

void ClientConnection::linger() {
  if (state_ == State::finishing) {
    if (client_has_said_all_ && transport_.stream().received().empty())
      return close_at_once(io::Stream::Ending::orderly);
    set_state(State::lingering);
    set_deadline(limits::lingering_close_timeout);
  }
  io::Stream& stream = transport_.stream();
  while (!stream.received().empty() && lingered_bytes_ < limits::lingering_close_bytes) {
    const size_t size = stream.received().size();
    lingered_bytes_ += static_cast<uint32_t>(size);
    stream.consume(size);
  }
  // No more is read then; but a close would cost the client what it has not taken yet, the reason for the end with it.
  const bool has_sent_enough =
      lingered_bytes_ >= limits::lingering_close_bytes && stream.bytes_taken() == stream.bytes_sent();
  if (stream.has_receive_ended() || transport_.has_send_failed() || has_sent_enough)
    close_at_once(io::Stream::Ending::orderly);
}

void ClientConnection::close_at_once(io::Stream::Ending ending) {
  if (state_ == State::closing) return;
  if (exchange_ != nullptr) {
    exchange_->cancel();
    end_exchange();
  }
  if (http2_ != nullptr) http2_->end();
  if (tcp_proxy_ != nullptr) {
    tcp_proxy_->cancel();
    end_tcp_proxy();
  }
  set_state(State::closing);
  timer_.cancel();
  yield_task_.unlink_if_linked();
  transport_.stream().terminate(ending);
}

// A client must not take what it has for complete when something is missing.
void ClientConnection::terminate() {
  const bool has_none = exchange_ == nullptr && tcp_proxy_ == nullptr && (http2_ == nullptr || http2_->has_none());
  const bool is_complete = has_none && transport_.has_sent_all();
  close_at_once(is_complete ? io::Stream::Ending::orderly : io::Stream::Ending::reset);
}

void ClientConnection::on_yielded(void* self) {
  auto& connection = *static_cast<ClientConnection*>(self);
  if (connection.state_ == State::open || connection.state_ == State::tunnelling) connection.advance();
}

void ClientConnection::on_retire(void* self) {
  auto& connection = *static_cast<ClientConnection*>(self);
  Services& services = connection.services_;
  static_cast<ListNode<ClientConnection>&>(connection).unlink();
  connection.count_bytes();
  if (connection.http2_ != nullptr) services.http2_connections.destroy(*connection.http2_);
  services.observer.counters.connections_active.subtract();
  services.client_connections.destroy(connection);
}

// At the end of each exchange, and at the end.
void ClientConnection::count_bytes() noexcept {
  const io::Stream& stream = transport_.stream();
  observe::ShardCounters& counters = services_.observer.counters;
  counters.downstream_bytes_received.add(stream.bytes_received() -
                                         std::exchange(counted_received_, stream.bytes_received()));
  counters.downstream_bytes_sent.add(stream.bytes_sent() - std::exchange(counted_sent_, stream.bytes_sent()));
}

}  // namespace sluice::proxy

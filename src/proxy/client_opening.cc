// The part of ClientConnection that comes before the first request: the PROXY header, the ClientHello, the handshake.
#include "base/counters.h"
#include "base/limits.h"
#include "io/socket.h"
#include "proxy/client_connection.h"
#include "proxy/first_words.h"
#include "route/choose_tcp_route.h"
#include "tls/client_hello.h"
#include "tls/session.h"
#include "transport/proxy_header.h"

#include <array>
#include <memory>
#include <utility>

namespace sluice::proxy {

// --- who the client is, as a proxy in front says it -------------------------------------------------

void ClientConnection::on_proxy_header_bytes() {
  io::Stream& stream = transport_.stream();
  const io::ReceiveQueue& queue = stream.receive_queue();
  std::array<std::byte, transport::proxy_header_first_bytes> room;
  const transport::ProxyHeader header = transport::read_proxy_header(ConstBytes(room).first(queue.peek(room)));
  if (header.status == transport::ProxyHeader::Status::malformed) return on_bad_proxy_header(header.fault);
  if (header.status == transport::ProxyHeader::Status::need_more || queue.size() < header.size) {
    if (!stream.has_receive_ended()) return;
    if (!queue.empty()) services_.observer.counters.proxy_header_failures.add();  // no probe of the port
    return close_at_once(io::Stream::Ending::orderly);
  }
  stream.consume(header.size);
  if (header.addresses) {
    peer_address_ = header.addresses->source;
    proxied_local_address_ = std::make_unique<const SocketAddress>(header.addresses->destination);
  }
  set_state(State::accepted);
  begin();
  // What the client says may have come with it.
  if (state_ == State::accepted) {
    on_hello_bytes();
  } else if (state_ == State::open) {
    serve();
  }
}

void ClientConnection::on_bad_proxy_header(std::string_view fault) {
  services_.observer.counters.proxy_header_failures.add();
  observe::RequestRecord record = connection_record();
  record.flags.set(observe::ResponseFlag::downstream_protocol_error);
  record.details = "proxy_header_failed";
  record.connection_termination_details = fault;
  services_.observer.log(record);
  close_at_once(io::Stream::Ending::orderly);
}

// --- clients that the firewall has redirected ----------------------------------------------------------

// What the client has connected to is the kernel's to know. One that has connected to this machine itself has not been
// redirected, or should not have been: where it wants to go nobody can say, or it would be a loop, or a way to what
// listens here for others.
void ClientConnection::on_redirected(int fd) {
  const SocketAddress original = io::original_destination(fd);
  if (!original.is_known() || io::leads_here(original)) {
    observe::RequestRecord record = connection_record();
    record.flags.set(observe::ResponseFlag::no_route_found);
    record.details = "not_redirected";
    services_.observer.log(record);
    return close_at_once(io::Stream::Ending::reset);
  }
  proxied_local_address_ = std::make_unique<const SocketAddress>(original);
  const AdoptedSnapshot& snapshot = *services_.snapshots.current();
  const snapshot::RouteTable* routes = tcp_routes_in(snapshot);
  const snapshot::TcpRoute* route =
      routes == nullptr ? nullptr : route::choose_tcp_route(*routes, {}, &original, /*random=*/0).route;
  if (route != nullptr && route->is_opaque) return start_tunnelling();  // whatever it looks like
  set_deadline(services_.snapshots.current()->tables.outbound.value().detection_time);
}

// TLS goes on undecrypted, to where its SNI says; requests go the way of requests; of everything else the address alone
// says where it is to go.
void ClientConnection::on_first_bytes() {
  const io::ReceiveQueue& queue = transport_.stream().receive_queue();
  ConstBytes bytes = queue.front();
  std::array<std::byte, limits::client_hello_bytes_max> whole;
  if (bytes.size() < queue.size()) bytes = ConstBytes(whole).first(queue.peek(whole));

  tls::ClientHello hello;
  switch (first_words(bytes, hello)) {
    case FirstWords::need_more:
      if (transport_.stream().has_receive_ended()) on_first_bytes_missing();
      return;
    case FirstWords::client_hello: server_name_ = hello.server_name; return start_tunnelling();
    case FirstWords::http:
      may_begin_http2_ = true;
      set_state(State::open);
      may_rest_for(limits::first_request_timeout);
      return serve();
    case FirstWords::other: return start_tunnelling();
  }
}

// It says nothing, or stops in the middle of something: perhaps its server is to speak first.
void ClientConnection::on_first_bytes_missing() {
  const io::Stream& stream = transport_.stream();
  if (stream.is_at_end() || stream.receive_error() != 0) return close_at_once(io::Stream::Ending::orderly);
  start_tunnelling();
}

// --- 2. TLS ----------------------------------------------------------------------------------------

void ClientConnection::on_hello_bytes() {
  const io::ReceiveQueue& queue = transport_.stream().receive_queue();
  ConstBytes bytes = queue.front();
  std::array<std::byte, limits::client_hello_bytes_max> whole;
  if (bytes.size() < queue.size()) bytes = ConstBytes(whole).first(queue.peek(whole));

  tls::ClientHello hello;
  switch (tls::read_client_hello(bytes, hello)) {
    case tls::HelloStatus::need_more:
      if (!transport_.stream().has_receive_ended()) return;
      if (!queue.empty()) services_.observer.counters.tls_handshake_failures.add();  // no probe of the port
      close_at_once(io::Stream::Ending::orderly);
      return;
    case tls::HelloStatus::not_tls:
    case tls::HelloStatus::malformed:
      services_.observer.counters.tls_handshake_failures.add();
      close_at_once(io::Stream::Ending::orderly);
      return;
    case tls::HelloStatus::complete: break;
  }

  server_name_ = hello.server_name;
  if (tls::ServerContext* challenge = challenge_for(hello)) return start_handshake(challenge, hello);
  const snapshot::Listener* listener = listener_in(*services_.snapshots.current());
  const snapshot::TlsServer* server = listener == nullptr ? nullptr : tls_server_of(*listener);
  if (server == nullptr) {
    on_unknown_server();
    return;
  }
  server_kind_ = server->kind;
  if (server_kind_ == snapshot::ServerKind::passthrough) {
    start_tunnelling();  // the destination gets the ClientHello, too: nothing of it was consumed
    return;
  }
  start_handshake(server->context.get(), hello);
}

// TLS-ALPN-01: asked for by an ACME server alone, of a name that an order is under way for. Null: no challenge of ours.
tls::ServerContext* ClientConnection::challenge_for(const tls::ClientHello& hello) const noexcept {
  const snapshot::AcmeChallenges* challenges = services_.snapshots.current()->tables.challenges.get();
  if (challenges == nullptr || !hello.offers_acme_tls) return nullptr;
  const auto found = challenges->certificates.find(hello.server_name);
  return found == challenges->certificates.end() ? nullptr : found->second.get();
}

// Null: there is no certificate.
void ClientConnection::start_handshake(tls::ServerContext* context, const tls::ClientHello& hello) {
  std::unique_ptr<tls::Session> session = context == nullptr
                                              ? nullptr
                                              : tls::Session::accept(*context, hello, &services_.handshakes,
                                                                     {.on_ready = on_handshake_ready, .owner = this});
  if (session == nullptr) {
    services_.observer.counters.tls_handshake_failures.add();
    close_at_once(io::Stream::Ending::orderly);
    return;
  }
  transport_.start_tls(std::move(session));
  set_state(State::tls_handshake);
  on_handshake_bytes();
}

void ClientConnection::on_handshake_ready(void* self) {
  auto& connection = *static_cast<ClientConnection*>(self);
  if (connection.state_ == State::tls_handshake) connection.on_handshake_bytes();
}

// As Istio: a name that no server has is answered by a reset, without a certificate, and the log has a line of it.
void ClientConnection::on_unknown_server() {
  services_.observer.counters.tls_handshake_failures.add();
  observe::RequestRecord record = connection_record();
  record.flags.set(observe::ResponseFlag::no_route_found);
  record.details = "filter_chain_not_found";
  services_.observer.log(record);
  close_at_once(io::Stream::Ending::reset);
}

void ClientConnection::on_handshake_failed() {
  services_.observer.counters.tls_handshake_failures.add();
  observe::RequestRecord record = connection_record();
  record.details = "tls_handshake_failed";
  record.connection_termination_details = transport_.session()->error_text();
  services_.observer.log(record);
  finish();  // the alert goes out first
}

void ClientConnection::on_handshake_bytes() {
  switch (transport_.drive_handshake()) {
    case tls::SessionStatus::waiting:
    case tls::SessionStatus::need_input:
      if (transport_.stream().is_at_end()) {
        services_.observer.counters.tls_handshake_failures.add();
        close_at_once(io::Stream::Ending::orderly);
      }
      return;
    case tls::SessionStatus::ok:
      services_.observer.counters.tls_handshakes.add();
      COUNT_IF(services_.observer.counters.tls_handshakes_resumed, transport_.session()->is_resumed());
      if (server_kind_ == snapshot::ServerKind::tcp) {
        start_tunnelling();
        return;
      }
      set_state(State::open);
      may_rest_for(limits::first_request_timeout);
      if (transport_.session()->alpn_protocol() == tls::acme_tls_alpn)
        return finish();  // the certificate was the answer
      if (transport_.session()->alpn_protocol() == "h2") start_http2();
      serve();
      return;
    case tls::SessionStatus::closed:
    case tls::SessionStatus::failed: on_handshake_failed(); return;
  }
}

}  // namespace sluice::proxy

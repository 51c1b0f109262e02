#include "proxy/tcp_proxy.h"

#include "base/check.h"
#include "proxy/client_connection.h"
#include "proxy/first_words.h"
#include "route/choose_tcp_route.h"

#include <array>
#include <utility>

namespace sluice::proxy {

namespace {

using observe::ResponseFlag;
using snapshot::HostAgreement;

// The tunnel's record is the request's.
void describe_connect(const ConnectRequest& request, const Services& services, observe::RequestRecord& record) {
  record.is_tcp = false;
  record.duration = services.loop.now() - request.started_at;
  record.start = services.loop.wall_now() - record.duration;
  record.method = "CONNECT";
  record.path = request.authority;
  record.authority = request.authority;
  record.user_agent = request.user_agent;
  record.request_id = request.request_id;
  record.version = request.version;
  record.status = 200;
  if (record.details.empty()) record.details = "via_upstream";
}

}  // namespace

const snapshot::Cluster& black_hole_cluster() {
  static const snapshot::Cluster cluster = [] {
    snapshot::Cluster made;
    made.name = made.host = made.service_name = "BlackHoleCluster";
    made.service_namespace = "unknown";
    return made;
  }();
  return cluster;
}

TcpProxy::TcpProxy(Services& services, ClientConnection& client) noexcept
    : services_(services), client_(client), upstream_(services, {.on_change = on_upstream_change, .owner = this}) {}

TcpProxy::~TcpProxy() { CHECK(state_ == State::ended && snapshot_ == nullptr); }

void TcpProxy::set_state(State next) noexcept {
  constexpr auto bit = [](State state) { return 1U << static_cast<unsigned>(state); };
  constexpr std::array<unsigned, 4> kNextStates = {
      /* routing    */ bit(State::connecting) | bit(State::tunnelling) | bit(State::ended),
      /* connecting */ bit(State::tunnelling) | bit(State::ended),
      /* tunnelling */ bit(State::ended),
      /* ended      */ 0,
  };
  CHECK((kNextStates[static_cast<size_t>(state_)] & bit(next)) != 0);
  state_ = next;
}

TcpProxy::Outcome TcpProxy::advance() {
  switch (state_) {
    case State::routing: return choose_destination();
    case State::connecting:
      if (has_client_left()) return on_client_lost();
      return on_borrowed(upstream_.look_at_connect(BorrowedUpstream::Wanted::bytes));
    case State::tunnelling: return advance_tunnel();
    case State::ended: break;
  }
  UNREACHABLE();
}

void TcpProxy::on_upstream_change(void* self) { static_cast<TcpProxy*>(self)->client_.look(); }

// --- The destination -------------------------------------------------------------------------------

TcpProxy::Outcome TcpProxy::choose_destination() {
  snapshot_ = &services_.snapshots.pin_current();
  route::TcpDecision decision;
  if (const snapshot::RouteTable* routes = client_.tcp_routes_in(*snapshot_))
    decision = route::choose_tcp_route(*routes, client_.server_name(), client_.original_destination(),
                                       services_.random.next());
  if (decision.route == nullptr) {
    flags_.set(ResponseFlag::no_route_found);
    if (!client_.is_outbound()) return refuse("route_not_found");
    cluster_ = &black_hole_cluster();
    return refuse("not_registered");
  }
  if (decision.destination == nullptr) {
    flags_.set(ResponseFlag::no_cluster_found);
    return refuse("cluster_not_found");
  }
  cluster_index_ = decision.destination->cluster;
  cluster_ = &snapshot_->tables.clusters[cluster_index_];
  set_state(State::connecting);
  snapshot::RequestedTarget target = client_.requested_target();
  // The client's SNI is where it wants to go, among what is registered; else the documents know.
  const bool is_clients_choice = client_.is_outbound() || cluster_->host.starts_with("*.");
  if (target.host.empty() || !is_clients_choice) target.host = cluster_->host;
  // What the destination hears must all be this client's: no connection that somebody has used.
  return on_borrowed(upstream_.borrow(*snapshot_, cluster_index_, client_, target, http::Version::http_1_1,
                                      BorrowedUpstream::Wanted::bytes));
}

TcpProxy::Outcome TcpProxy::on_borrowed(BorrowedUpstream::Status status) {
  switch (status) {
    case BorrowedUpstream::Status::connecting: return Outcome::pending;
    case BorrowedUpstream::Status::ready: return on_connected();
    case BorrowedUpstream::Status::unavailable:
      flags_.set(ResponseFlag::no_healthy_upstream);
      return refuse("no_healthy_upstream");
    case BorrowedUpstream::Status::failed:
      flags_.set(ResponseFlag::upstream_connection_failure);
      flags_.set(ResponseFlag::upstream_retry_limit_exceeded);
      return refuse("upstream_connection_failure");
    case BorrowedUpstream::Status::unresolved:
      flags_.set(ResponseFlag::dns_resolution_failure);
      return refuse("dns_resolution_failure");
    case BorrowedUpstream::Status::forbidden: return refuse("private_address");
    case BorrowedUpstream::Status::overflow:
      flags_.set(ResponseFlag::upstream_overflow);
      return refuse("upstream_overflow");
  }
  UNREACHABLE();
}

// --- Bytes both ways -------------------------------------------------------------------------------

TcpProxy::Outcome TcpProxy::on_connected() {
  names_ = snapshot_->clusters.names_of(cluster_index_, *cluster_);
  upstream_.keep_endpoint();
  release_snapshot();
  begin_tunnel();
  client_.watch_tunnel();
  return advance_tunnel();
}

void TcpProxy::take_over(BorrowedUpstream& upstream, std::shared_ptr<const snapshot::Cluster> names,
                         std::unique_ptr<ConnectRequest> request) {
  names_ = std::move(names);
  upstream_.take_over(upstream);
  holds_bytes_ = request->host_agreement != HostAgreement::off;
  connect_ = std::move(request);
  begin_tunnel();
  if (holds_bytes_) tunnel_->hold_client_bytes();
}

void TcpProxy::begin_tunnel() {
  cluster_ = names_.get();
  series_ = &services_.observer.tcp.series_of(cluster_, {});
  series_->opened.add();
  set_state(State::tunnelling);
  if (const Duration lifetime = cluster_->connection_terms.lifetime; lifetime > Duration{})
    end_of_life_ = services_.loop.now() + lifetime;
  tunnel_.emplace(services_, client_.transport(), upstream_.connection().transport());
}

// Before any of them goes on. What the server says need not wait.
TcpProxy::Outcome TcpProxy::look_at_first_bytes() {
  transport::Transport& client = client_.transport();
  std::string& held = connect_->held;
  for (ConstBytes more = client.readable(); !more.empty() && held.size() < limits::client_hello_bytes_max;
       more = client.readable()) {
    held += as_text(more);
    client.consume(more.size());
  }
  const TunnelHost seen = tunnel_host(as_bytes(held), client.is_at_end(), connect_->host);
  if (seen == TunnelHost::need_more) {
    if (!held.empty() && !std::exchange(awaits_rest_, true)) client_.watch_tunnel();
    return Outcome::pending;
  }
  if (seen == TunnelHost::other) {
    details_ = host_mismatch;
    if (connect_->host_agreement == HostAgreement::enforce) return end(Outcome::abort_client);
  }
  stop_holding();
  return Outcome::pending;
}

void TcpProxy::stop_holding() {
  holds_bytes_ = awaits_rest_ = false;
  tunnel_->release_client_bytes(as_bytes(connect_->held));
  connect_->held = std::string();
}

// Who only warns does not hold them up for long: perhaps their server is to answer what looks like the beginning of
// something else.
bool TcpProxy::has_held_enough() const noexcept {
  return awaits_rest_ && connect_->host_agreement == HostAgreement::warn;
}

void TcpProxy::let_go() {
  stop_holding();
  client_.look();
}

TcpProxy::Outcome TcpProxy::advance_tunnel() {
  if (holds_bytes_) {
    const Outcome outcome = look_at_first_bytes();
    if (outcome != Outcome::pending) return outcome;
  }
  const Tunnel::Status status = tunnel_->advance();
  count_bytes();
  switch (status) {
    case Tunnel::Status::open: return Outcome::pending;
    case Tunnel::Status::yield: return Outcome::yield;
    case Tunnel::Status::done: tunnel_.reset(); return end(Outcome::close_client);
    case Tunnel::Status::failed: return on_broken();
  }
  UNREACHABLE();
}

void TcpProxy::count_bytes() noexcept {
  series_->received_bytes.add(tunnel_->bytes_to_upstream() -
                              std::exchange(received_bytes_, tunnel_->bytes_to_upstream()));
  series_->sent_bytes.add(tunnel_->bytes_to_client() - std::exchange(sent_bytes_, tunnel_->bytes_to_client()));
}

// --- Ways in which it ends early -------------------------------------------------------------------

// There is nobody to talk to. A client whose TLS we speak is told in its terms, any other as Envoy does: by a reset.
TcpProxy::Outcome TcpProxy::refuse(std::string_view details) {
  details_ = details;
  return end(client_.transport().is_tls() ? Outcome::close_client : Outcome::abort_client);
}

// A FIN alone is none of it: that may be a client that has said everything and waits for the answer.
bool TcpProxy::has_client_left() {
  transport::Transport& client = client_.transport();
  if (client.stream().receive_error() != 0 || client.has_send_failed()) return true;
  return client.is_at_end() && client.is_truncated();
}

TcpProxy::Outcome TcpProxy::on_client_lost() {
  flags_.set(ResponseFlag::downstream_connection_termination);
  if (details_ != host_mismatch) details_ = "downstream_remote_disconnect";
  // The alert that says what was wrong must not be overtaken by a reset.
  return end(client_.transport().has_read_failed() ? Outcome::close_client : Outcome::abort_client);
}

// Nothing but the way in which a connection ends tells that bytes are missing: the other one is reset, too.
TcpProxy::Outcome TcpProxy::on_broken() {
  transport::Transport& upstream = upstream_.connection().transport();
  const bool is_upstream_broken = upstream.stream().receive_error() != 0 || upstream.has_send_failed();
  if (!is_upstream_broken) return on_client_lost();
  flags_.set(ResponseFlag::upstream_remote_reset);
  details_ = "upstream_remote_reset";
  return end(Outcome::abort_client);
}

void TcpProxy::cancel() {
  if (state_ == State::ended) return;
  flags_.set(ResponseFlag::local_reset);
  details_ = "shutdown";
  static_cast<void>(end(Outcome::abort_client));
}

void TcpProxy::time_out() {
  flags_.set(is_too_old() ? ResponseFlag::duration_timeout : ResponseFlag::stream_idle_timeout);
  details_ = is_too_old() ? "max_connection_duration" : "tcp_session_idle_timeout";
  static_cast<void>(end(Outcome::abort_client));
}

Duration TcpProxy::patience() const noexcept {
  if (has_held_enough()) return connect_->detection_time;
  Duration idle = cluster_ == nullptr ? limits::tunnel_idle_timeout : cluster_->connection_terms.tunnel_idle_timeout;
  if (idle == Duration{}) idle = limits::tunnel_idle_timeout;  // then it is looked at again
  return end_of_life_ == Instant::max() ? idle : std::min(idle, end_of_life_ - services_.loop.now());
}

bool TcpProxy::may_time_out(bool has_moved) const noexcept {
  return is_too_old() || (!has_moved && cluster_->connection_terms.tunnel_idle_timeout > Duration{});
}

// --- The end ---------------------------------------------------------------------------------------

TcpProxy::Outcome TcpProxy::end(Outcome outcome) {
  const bool is_complete = state_ == State::tunnelling && flags_.none();
  tunnel_.reset();
  upstream_.release(/*reusable=*/false, is_complete ? io::Stream::Ending::orderly : io::Stream::Ending::reset);
  write_record();
  cluster_ = nullptr;
  release_snapshot();
  set_state(State::ended);
  return outcome;
}

void TcpProxy::release_snapshot() noexcept {
  if (snapshot_ != nullptr) services_.snapshots.unpin(*std::exchange(snapshot_, nullptr));
}

void TcpProxy::write_record() {
  observe::RequestRecord record = client_.connection_record();
  record.flags = flags_;
  record.details = details_;
  if (connect_ != nullptr) describe_connect(*connect_, services_, record);
  record.upstream_failure_reason = upstream_.failure_reason();
  record.bytes_received = received_bytes_;
  record.bytes_sent = sent_bytes_;
  record.cluster = cluster_;
  record.upstream_host = upstream_.address();
  record.upstream_local = upstream_.local_address();
  if (series_ == nullptr) services_.observer.tcp.series_of(cluster_, flags_).opened.add();
  if (connect_ != nullptr) services_.observer.requests.count(record);
  services_.observer.on_tcp_end(record);
}

}  // namespace sluice::proxy

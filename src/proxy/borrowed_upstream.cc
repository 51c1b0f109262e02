#include "proxy/borrowed_upstream.h"

#include "base/check.h"
#include "base/limits.h"
#include "proxy/client_connection.h"
#include "proxy/request_steps.h"
#include "transport/proxy_header.h"
#include "upstream/requested_endpoints.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace sluice::proxy {

namespace {
constexpr const char* kUnresolved = "dns_resolution_failure";
constexpr const char* kForbidden = "private_address";
}  // namespace

BorrowedUpstream::~BorrowedUpstream() {
  CHECK(!is_active_);
  if (retried_ != nullptr) retried_->retries.give_back();
}

namespace {

bool is_registered_address(const snapshot::Cluster& cluster, const snapshot::RequestedTarget& target) {
  const std::optional<SocketAddress> address = upstream::named_address(target);
  return address && std::ranges::any_of(cluster.guard.registered,
                                        [&](const AddressRange& range) { return range.contains(*address); });
}

}  // namespace

BorrowedUpstream::Status BorrowedUpstream::borrow(AdoptedSnapshot& snapshot, uint32_t cluster,
                                                  const ClientConnection& client,
                                                  const snapshot::RequestedTarget& target, http::Version version,
                                                  Wanted wanted) {
  CHECK(!is_active_);
  snapshot_ = &snapshot;
  cluster_ = cluster;
  target_ = target;
  if (snapshot.clusters.takes_requested(cluster)) {
    const std::string& host = snapshot.tables.clusters[cluster].host;
    const auto& names = snapshot.tables.clusters[cluster].dns_names;
    // A name is the same with the dot of the root at its end, which TLS does not know (RFC 6066 3).
    if (target_.host.ends_with('.')) target_.host.remove_suffix(1);
    // The document says it, so the client does not, unless it asks for an address that the document has, too.
    if (!names.empty() && !is_registered_address(snapshot.tables.clusters[cluster], target_))
      target_.host = names.front().name;
    // A route may lead here from a wider host than the documents have opened.
    if (host.starts_with("*.") && !target_.host.empty() && !target_.host.ends_with(std::string_view(host).substr(1))) {
      failure_reason_ = kForbidden;
      return Status::forbidden;
    }
  }
  version_ = version;
  proxy_header_.reset();
  if (const auto protocol = snapshot.tables.clusters[cluster].proxy_protocol; protocol != snapshot::ProxyProtocol::none)
    proxy_header_ = std::make_unique<const std::string>(
        transport::write_proxy_header(protocol, {client.peer_address(), client.local_address()}));
  return open(wanted);
}

BorrowedUpstream::Status BorrowedUpstream::open(Wanted wanted) {
  const snapshot::Cluster& cluster = snapshot_->tables.clusters[cluster_];
  // Never in plaintext.
  if (cluster.tls && cluster.tls->context == nullptr) {
    failure_reason_ = "TLS_error: no usable certificate";
    return Status::unavailable;
  }
  if (const Status status = choose_endpoint(); status != Status::ready) return status;
  if (wanted != Wanted::bytes && !take_load(cluster)) {
    leave_endpoint();
    return Status::overflow;
  }
  ++attempts_;
  ++endpoint_->active_requests;
  is_active_ = true;
  address_ = endpoint_->is_named() ? SocketAddress() : endpoint_->address();
  return connect(wanted);
}

BorrowedUpstream::Status BorrowedUpstream::connect(Wanted wanted) {
  const snapshot::Cluster& cluster = snapshot_->tables.clusters[cluster_];
  upstream::Connection::Opening opening;
  if (proxy_header_ != nullptr) opening.proxy_header = *proxy_header_;
  if (cluster.tls) {
    opening.context = cluster.tls->context;
    opening.server_name = upstream_server_name(*cluster.tls, target_.host);
  }
  const bool is_http2 = cluster.http == snapshot::UpstreamHttp::http2 ||
                        (cluster.http == snapshot::UpstreamHttp::as_client && version_ == http::Version::http_2);
  if (is_http2 && wanted != Wanted::bytes && !endpoint_->prefers_http1(services_.loop.now())) {
    opening.offers_http2 = true;
    http2_ = services_.upstreams.join(*endpoint_, cluster.connect_timeout, opening, cluster.http2_streams_max,
                                      borrower_, waiter_);
    return http2_ == nullptr ? await_connection() : look_at_shared(wanted);
  }
  const bool fresh = wanted != Wanted::any;
  const bool is_idle = !fresh && proxy_header_ == nullptr && endpoint_->has_idle(opening.server_name);
  if (!is_idle && !start_waiting()) return refuse();
  // Bytes do not wait: their client may be one that waits for the other side to speak.
  connection_ = services_.upstreams.borrow(*endpoint_, cluster.connect_timeout, opening, fresh, borrower_,
                                           wanted == Wanted::bytes ? nullptr : &waiter_);
  if (connection_ == nullptr) return await_connection();
  if (!connection_->is_ready()) return Status::connecting;
  address_ = connection_->remote_address();
  stop_waiting();
  return Status::ready;
}

// Nothing is borrowed yet.
BorrowedUpstream::Status BorrowedUpstream::await_connection() {
  return waiter_.is_linked() && start_waiting() ? Status::connecting : refuse();
}

BorrowedUpstream::Status BorrowedUpstream::refuse() {
  release(/*reusable=*/false);
  return Status::overflow;
}

// Ready: endpoint_ is the next one to try.
BorrowedUpstream::Status BorrowedUpstream::choose_endpoint() {
  if (!snapshot_->clusters.takes_requested(cluster_)) {
    endpoint_ = snapshot_->clusters.choose(cluster_, services_.random, endpoint_);
    return endpoint_ == nullptr ? Status::unavailable : Status::ready;
  }
  const auto found = snapshot_->clusters.find_requested(cluster_, target_, services_.loop.now());
  endpoint_ = found.endpoint;
  switch (found.status) {
    case upstream::RequestedEndpoints::Status::found:
      kept_ = endpoint_->shared_from_this();  // others may take its place in the table
      return Status::ready;
    case upstream::RequestedEndpoints::Status::unresolved: failure_reason_ = kUnresolved; return Status::unresolved;
    case upstream::RequestedEndpoints::Status::forbidden: failure_reason_ = kForbidden; return Status::forbidden;
  }
  UNREACHABLE();
}

BorrowedUpstream::Status BorrowedUpstream::look_at_connect(Wanted wanted) {
  if (waiter_.is_linked()) return services_.loop.now() < waiter_.until ? connect(wanted) : refuse();
  if (http2_ != nullptr) return look_at_shared(wanted);
  if (connection_->connect_error() != 0) return on_connect_failed(connection_->connect_error(), wanted);
  if (!connection_->is_ready()) return Status::connecting;
  address_ = connection_->remote_address();
  stop_waiting();
  return Status::ready;
}

BorrowedUpstream::Status BorrowedUpstream::look_at_shared(Wanted wanted) {
  switch (http2_->status()) {
    case upstream::Http2Request::Status::connecting: return start_waiting() ? Status::connecting : refuse();
    case upstream::Http2Request::Status::ready:
      address_ = http2_->connection().remote_address();
      stop_waiting();
      return Status::ready;
    case upstream::Http2Request::Status::failed: return on_connect_failed(http2_->error(), wanted);
    // Nothing has failed: there was no place on this one.
    case upstream::Http2Request::Status::full:
    case upstream::Http2Request::Status::is_http1: break;
  }
  release(/*reusable=*/false);
  --attempts_;
  return open(wanted);
}

BorrowedUpstream::Status BorrowedUpstream::on_connect_failed(int error, Wanted wanted) {
  address_ = connection().remote_address();
  switch (error) {
    case upstream::name_unresolved: failure_reason_ = kUnresolved; break;
    case upstream::addresses_forbidden: failure_reason_ = kForbidden; break;
    case ETIMEDOUT: failure_reason_ = "connection_timeout"; break;
    case EPROTO: note_tls_error(); break;
    case EBADMSG: failure_reason_ = "http2_protocol_error"; break;
    default: failure_reason_ = "connection_failure"; break;
  }
  release(/*reusable=*/false);
  if (error == upstream::name_unresolved) return Status::unresolved;
  if (error == upstream::addresses_forbidden) return Status::forbidden;
  if (!retries_connect_ || !has_attempts_left() || !count_retry()) return Status::failed;
  services_.observer.counters.upstream_retries.add();
  return open(wanted);
}

// --- bounds of the cluster -------------------------------------------------------------------------

bool BorrowedUpstream::take_load(const snapshot::Cluster& cluster) noexcept {
  if (cluster.load == nullptr) return true;
  if (!cluster.load->requests.take(cluster.bounds.requests)) return false;
  load_ = cluster.load.get();
  return true;
}

bool BorrowedUpstream::count_retry() {
  const snapshot::Cluster& cluster = snapshot_->tables.clusters[cluster_];
  if (cluster.load == nullptr || retried_ != nullptr) return true;
  if (!cluster.load->retries.take(cluster.load->retries_max(cluster.bounds))) return false;
  retried_ = cluster.load;
  return true;
}

// For a connection to be opened.
bool BorrowedUpstream::start_waiting() noexcept {
  if (load_ == nullptr || is_waiting_) return true;
  return is_waiting_ = load_->waiting.take(snapshot_->tables.clusters[cluster_].bounds.waiting);
}

void BorrowedUpstream::stop_waiting() noexcept {
  if (std::exchange(is_waiting_, false)) load_->waiting.give_back();
}

void BorrowedUpstream::give_back_load() noexcept {
  stop_waiting();
  if (load_ != nullptr) std::exchange(load_, nullptr)->requests.give_back();
}

// --- the end ---------------------------------------------------------------------------------------

void BorrowedUpstream::note_tls_error() { failure_reason_ = "TLS_error: " + std::string(connection().tls_error()); }

void BorrowedUpstream::take_over(BorrowedUpstream& other) {
  CHECK(!is_active_ && other.connection_ != nullptr && other.load_ == nullptr);
  is_active_ = std::exchange(other.is_active_, false);
  endpoint_ = std::exchange(other.endpoint_, nullptr);
  connection_ = std::exchange(other.connection_, nullptr);
  connection_->hand_to(borrower_);
  address_ = other.address_;
  attempts_ = other.attempts_;
  keep_endpoint();
}

void BorrowedUpstream::keep_endpoint() {
  kept_ = endpoint_->shared_from_this();
  snapshot_ = nullptr;
}

void BorrowedUpstream::release(bool reusable, io::Stream::Ending ending) {
  if (!std::exchange(is_active_, false)) return;
  --endpoint_->active_requests;
  give_back_load();
  services_.upstreams.leave_line(*endpoint_, waiter_);
  if (is_ready() && !local_address_.is_known() && services_.observer.access_log.is_enabled())
    local_address_ = connection().local_address();
  if (http2_ != nullptr) services_.upstreams.leave(*std::exchange(http2_, nullptr));
  if (upstream::Connection* own = std::exchange(connection_, nullptr))
    reusable ? own->give_back() : own->discard(ending);
  leave_endpoint();
}

bool BorrowedUpstream::is_ready() const noexcept {
  if (http2_ != nullptr) return http2_->status() == upstream::Http2Request::Status::ready;
  return connection_ != nullptr && connection_->is_ready();
}

// One of the snapshot is remembered, so that the next attempt goes elsewhere.
void BorrowedUpstream::leave_endpoint() noexcept {
  if (kept_ == nullptr) return;
  endpoint_ = nullptr;
  kept_.reset();
}

}  // namespace sluice::proxy

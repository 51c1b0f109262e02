// What requests out of the cluster have of their own: who may ask, CONNECT, and that the outside learns nothing from
// us.
#include "base/base64.h"
#include "base/constant_time.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/hygiene.h"
#include "proxy/client_connection.h"
#include "proxy/exchange.h"
#include "proxy/first_words.h"
#include "proxy/tcp_proxy.h"
#include "route/choose_tcp_route.h"
#include "upstream/requested_endpoints.h"

#include <array>
#include <memory>
#include <optional>
#include <utility>

namespace sluice::proxy {

using observe::ResponseFlag;
using snapshot::HostAgreement;

namespace {

// Whether these are the user and password that `authorization` shows (RFC 7617 2).
bool shows(std::string_view authorization, const snapshot::ProxyCredentials& credentials) {
  constexpr std::string_view scheme = "basic ";
  if (!http::equals_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return false;
  const std::string_view text = http::trim(authorization.substr(scheme.size()));
  if (text.size() > base64_size(limits::proxy_credentials_bytes_max)) return false;
  std::array<std::byte, limits::proxy_credentials_bytes_max + 3> shown;
  Base64Reader reader;
  size_t size = 0;
  return reader.read(text, shown, size) && reader.is_complete() &&
         are_equal_in_constant_time(ConstBytes(shown).first(size), as_bytes(credentials.text));
}

}  // namespace

bool Exchange::is_authorized() const {
  const auto& credentials = snapshot_->tables.outbound->credentials;
  if (!credentials || connection_.is_redirected()) return true;
  const auto authorization = request_.headers.find("proxy-authorization");
  return authorization && shows(*authorization, *credentials);
}

Exchange::Outcome Exchange::on_outbound_head(uint64_t random) {
  if (!snapshot_->tables.outbound) return reply_locally(404, "route_not_found");  // a reload has taken it away
  if (!is_authorized()) {
    return reply_locally({.status = 407,
                          .details = "proxy_authentication_required",
                          .body = "user and password are needed\n",
                          .asks_for_credentials = true});
  }
  if (is_connect()) return on_connect_request(random);
  if (!connection_.is_redirected()) {
    // Nobody asks a proxy so (RFC 9112 3.2.2), but one that has asked itself might do it for ever.
    if (request_.scheme.empty()) return reply_locally(400, "no_absolute_form", "a proxy is asked for a whole URI\n");
    if (http::equals_ignoring_case(request_.scheme, "https"))
      return reply_locally(400, "https_without_connect", "https is reached by CONNECT, or registered for http\n");
  }
  if (http::prepare_outbound_request(request_, connection_.peer_address(), connection_.is_tls()) != http::Prepared::ok)
    return reply_locally(431, "request_headers_too_large");
  decision_ = connection_.choose_route(*snapshot_, request_, random);
  return inject_delay();
}

// --- CONNECT (RFC 9110 9.3.6) ----------------------------------------------------------------------

Exchange::Outcome Exchange::on_connect_request(uint64_t random) {
  if (connection_.is_redirected()) return reply_locally(405, "connect_not_enabled", "nobody has named us as proxy\n");
  const snapshot::Outbound& outbound = *snapshot_->tables.outbound;
  const snapshot::RequestedTarget target = connection_.requested_target(request_);
  const auto host = request_.headers.find("host");
  if (outbound.host_agreement == HostAgreement::enforce && host && !http::is_same_authority(*host, request_.authority))
    return reply_locally(400, host_mismatch, "Host and the target of CONNECT differ\n");

  const snapshot::RouteTable& routes = snapshot_->tables.route_tables[outbound.route_table(target.port)];
  const std::optional<SocketAddress> address = upstream::named_address(target);
  const std::string literal = address ? address->ip_text() : std::string();
  const route::TcpDecision decision =
      route::choose_tcp_route(routes, address ? literal : target.host, address ? &*address : nullptr, random);
  if (decision.route == nullptr) {
    flags_.set(ResponseFlag::no_route_found);
    return reply_locally(502, "not_registered");
  }
  if (decision.destination == nullptr) {
    flags_.set(ResponseFlag::no_cluster_found);
    return reply_locally(503, "cluster_not_found");
  }
  decision_ = {.outcome = route::Outcome::forward, .destination = decision.destination};
  return borrow_upstream(BorrowedUpstream::Wanted::bytes);
}

// With HTTP/1 the connection is the tunnel from here on, and its exchange has nothing left to do. A stream of HTTP/2
// carries bytes as the content of its messages.
Exchange::Outcome Exchange::on_connect_ready() {
  status_ = 200;
  details_ = "via_upstream";
  if (transport::Transport* const client = client_->connection()) {
    client->write(as_bytes("HTTP/1.1 200 Connection established\r\n\r\n"));
    return Outcome::tunnel;
  }
  upstream_ = &side_.emplace<Http1UpstreamSide>(borrowed_.connection());
  response_ = http::ResponseHead(arena_);
  upstream_->expect_head(response_, request_.method);  // none comes; but so begins what its content belongs to
  response_.status = 200;
  client_->write_switched(response_, {});
  upstream_->switch_to_bytes();
  response_started_ = true;
  response_state_ = ResponseState::body;
  carries_bytes_ = true;
  holds_bytes_ = snapshot_->tables.outbound->host_agreement != HostAgreement::off;
  services_.observer.counters.tunnels_active.add();
  state_ = State::forwarding;
  return forward_both_ways();
}

// Those of the client wait until they are seen to be meant for the host that it has asked for.
Exchange::Outcome Exchange::look_at_first_bytes() {
  const ClientSide::ContentAtHand first = client_->content_at_hand();
  const TunnelHost seen = tunnel_host(first.bytes, first.is_all, request_.host);
  const snapshot::Outbound& outbound = *snapshot_->tables.outbound;
  const bool only_warns = outbound.host_agreement == HostAgreement::warn;
  if (seen == TunnelHost::need_more) {
    // Who only warns does not wait for long: perhaps the server is to answer what looks like a beginning.
    if (only_warns && !first.bytes.empty() && !try_timer_.is_armed())
      services_.loop.timers().arm(try_timer_, services_.loop.now() + outbound.detection_time);
    return Outcome::pending;
  }
  try_timer_.cancel();
  holds_bytes_ = false;
  if (seen == TunnelHost::same) return Outcome::pending;
  details_ = host_mismatch;
  if (only_warns) return Outcome::pending;
  release_upstream(/*reusable=*/false, io::Stream::Ending::reset);
  return end(Outcome::abort_client);
}

void Exchange::hand_over(TcpProxy& proxy) {
  auto request = std::make_unique<ConnectRequest>(
      ConnectRequest{.authority = std::string(request_.authority),
                     .host = std::string(request_.host),
                     .user_agent = std::string(request_.headers.find("user-agent").value_or(std::string_view())),
                     .request_id = std::string(request_.headers.find("x-request-id").value_or(std::string_view())),
                     .version = request_.version,
                     .started_at = started_at_,
                     .host_agreement = snapshot_->tables.outbound->host_agreement,
                     .detection_time = snapshot_->tables.outbound->detection_time});
  const uint32_t cluster = decision_.destination->cluster;
  proxy.take_over(borrowed_, snapshot_->clusters.names_of(cluster, snapshot_->tables.clusters[cluster]),
                  std::move(request));
  services_.snapshots.unpin(*std::exchange(snapshot_, nullptr));
  state_ = State::ended;
}

}  // namespace sluice::proxy

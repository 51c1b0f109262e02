#include "control/explain.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/limits.h"
#include "config/wording.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/grpc_web.h"
#include "http/http1_reader.h"
#include "http/http1_writer.h"
#include "proxy/request_steps.h"
#include "route/choose_route.h"
#include "route/choose_tcp_route.h"

#include <algorithm>
#include <charconv>
#include <span>

namespace sluice::control {

namespace {

using config::in_quotes;
using Outcome = Explanation::Outcome;

// --- What is asked ---------------------------------------------------------------------------------

struct Url {
  bool is_https = false;
  std::string host;       // lower case, without trailing dot; of IPv6 with brackets
  std::string authority;  // with the port, unless it is the scheme's own: what clients write into Host
  std::string target;     // path and query
  uint16_t port = 0;
};

// Neither in a URL nor in a field: they would end the line.
bool has_line_breaks(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool has_spaces_or_controls(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
}

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return failure(in_quotes(text) + " " + std::string(why) + "; write https://host[:port]/path");
  };
  if (text.size() > limits::head_bytes_max) return wrong("is too long");
  if (has_spaces_or_controls(text)) return wrong("has spaces or control characters, which have to be encoded");
  Url url;
  const size_t scheme_end = text.find("://");
  const std::string scheme = config::to_lower(text.substr(0, scheme_end));
  if (scheme_end == std::string_view::npos || (scheme != "http" && scheme != "https"))
    return wrong("is no URL of http or https");
  url.is_https = scheme == "https";
  std::string_view rest = text.substr(scheme_end + 3);
  rest = rest.substr(0, rest.find('#'));
  const size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  const auto authority = http::parse_authority(rest.substr(0, authority_end));
  if (!authority || authority->host.empty()) return wrong("has no valid host and port");
  const uint16_t default_port = url.is_https ? 443 : 80;
  url.port = default_port;
  if (!authority->port.empty()) {
    std::from_chars(authority->port.data(), authority->port.data() + authority->port.size(), url.port);
    if (url.port == 0) return wrong("has port 0");
  }
  url.authority = authority->host;
  if (url.port != default_port) url.authority += ":" + std::to_string(url.port);
  Arena arena(limits::exchange_arena_bytes_max);
  url.host = http::lookup_host(authority->host, arena);
  url.target = rest.substr(authority_end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

// As it goes over the wire to us.
Result<std::string> write_request(const ExplainRequest& request, const Url& url) {
  if (request.method.empty() || has_spaces_or_controls(request.method))
    return failure(in_quotes(request.method) + " is no method");
  const std::string target = request.method == "CONNECT" ? url.host + ":" + std::to_string(url.port) : url.target;
  std::string fields;
  bool has_host = false;
  for (const std::string& field : request.fields) {
    const size_t colon = field.find(':');
    if (colon == std::string::npos || colon == 0 || has_line_breaks(field))
      return failure(in_quotes(field) + " is no header field; write \"Name: value\", in one line");
    has_host |= config::equals_ignoring_case(std::string_view(field).substr(0, colon), "host");
    fields += field + "\r\n";
  }
  if (!has_host) fields.insert(0, "host: " + url.authority + "\r\n");
  return request.method + " " + target + " HTTP/1.1\r\n" + fields + "\r\n";
}

// SNI (RFC 6066 3): names only.
std::string server_name_of(const Url& url) {
  const bool is_address = url.host.starts_with('[') || SocketAddress::from_ip(url.host, 0);
  return is_address ? std::string() : url.host;
}

// --- The way of a request --------------------------------------------------------------------------

ExplainedFields copy_fields(const http::HeaderList& fields) {
  ExplainedFields copy;
  for (const auto& [name, value] : fields) copy.emplace_back(name, value);
  return copy;
}

// What the writer puts on the wire, framing included.
ExplainedFields upstream_fields(const http::RequestHead& head, std::string_view target) {
  std::vector<std::byte> wire;
  size_t size = 0;
  struct Output {
    std::vector<std::byte>& bytes;
    size_t& size;
  } output{wire, size};
  const ByteSink sink{.reserve = [](void* owner, size_t at_least) -> MutableBytes {
                        auto& to = *static_cast<Output*>(owner);
                        to.bytes.resize(to.size + at_least);
                        return std::span(to.bytes).subspan(to.size);
                      },
                      .commit = [](void* owner, size_t used) { static_cast<Output*>(owner)->size += used; },
                      .owner = &output};
  http::write_request_head(sink, head.method, target, head.headers, proxy::upstream_framing(head));
  ExplainedFields fields;
  std::string_view rest = as_text(ConstBytes(wire).first(size));
  rest.remove_prefix(rest.find("\r\n") + 2);  // the request line
  for (size_t end = rest.find("\r\n"); end != 0 && end != std::string_view::npos; end = rest.find("\r\n")) {
    const size_t colon = rest.find(": ");
    fields.emplace_back(rest.substr(0, colon), rest.substr(colon + 2, end - colon - 2));
    rest.remove_prefix(end + 2);
  }
  return fields;
}

// One request from its bytes on, as proxy::Exchange takes it: once to find its route, then once for each destination.
class Walk {
 public:
  Walk(const snapshot::Snapshot& tables, const ExplainRequest& request, const Explanation& connection)
      : tables_(tables), request_(request), connection_(connection) {}

  // Nothing: there is a decision.
  std::optional<ExplainedAnswer> decide(const std::string& wire) {
    reader_.begin_request(head_);
    const http::ReadStep step = reader_.read_head(as_bytes(wire));
    received_path_ = head_.target;
    if (step.progress != http::Progress::done)
      return to_explained(proxy::refusal_answer(reader_.error(), reader_.error_text()));
    const http::ForwardingFacts facts{
        .peer = peer(),
        .is_tls = connection_.tls_server != nullptr,
        .request_id = {},
        .client_certificate = {},
        .keeps_client_certificates = tables_.topology.keeps_client_certs(/*is_mutual=*/false),
        .trusted_proxies = tables_.topology.num_trusted_proxies,
        .path_normalization = tables_.path_normalization};
    if (const auto answer = proxy::prepare(head_, facts)) return to_explained(*answer);
    decision_ = route::choose_route(tables_, *connection_.listener, connection_.tls_server, head_, /*random=*/0);
    const auto web = http::read_grpc_web(head_);
    if (web && connection_.listener->translates_grpc_web && !http::translate_grpc_web(head_, *web))
      return to_explained({.status = 431, .details = "request_headers_too_large"});
    cors_ = proxy::cors_request(decision_, head_);
    return std::nullopt;
  }

  [[nodiscard]] const route::Decision& decision() const noexcept { return decision_; }
  [[nodiscard]] route::CorsRequest cors() const noexcept { return cors_; }

  // Nothing: it is forwarded.
  std::optional<ExplainedAnswer> answer() {
    const auto answer = proxy::answer_of(decision_, cors_, head_, connection_.listener->service_port);
    if (!answer) return std::nullopt;
    return to_explained(*answer);
  }
  ExplainedAnswer fault_answer() { return to_explained(proxy::fault_answer(*decision_.route->fault)); }

  // Requires a decision to forward, which is changed to this destination of its route.
  ExplainedDestination follow_to(const snapshot::WeightedDestination& destination) {
    decision_.destination = &destination;
    ExplainedDestination result;
    const auto answer = proxy::change_for_destination(tables_, decision_, head_,
                                                      [this](snapshot::FormatNeeds) { return make_record(); });
    if (answer) {
      result.answer = to_explained(*answer);
      return result;
    }
    const std::string_view target = http::upstream_target(head_);
    if (decision_.route->rewrite != nullptr) rewritten_path_ = target;
    result.method = head_.method;
    result.target = target;
    result.fields = upstream_fields(head_, target);
    const snapshot::Cluster& cluster = tables_.clusters[destination.cluster];
    if (cluster.tls) result.server_name = proxy::upstream_server_name(*cluster.tls, head_.host);
    http::HeaderList response(arena_);
    if (apply_response_operations(response)) result.response_fields = copy_fields(response);
    return result;
  }

 private:
  // Behind a Unix socket clients have no address.
  [[nodiscard]] SocketAddress peer() const noexcept {
    return connection_.listener->address.is_ip() ? request_.client
                                                 : SocketAddress{.family = SocketAddress::Family::unix_socket};
  }

  ExplainedAnswer to_explained(const proxy::Answer& any) {
    const proxy::Answer answer = proxy::in_terms_of(head_, any);
    ExplainedAnswer result{.status = answer.status,
                           .details = std::string(answer.details),
                           .body = std::string(answer.content()),
                           .fields = {}};
    http::HeaderList fields(arena_);
    if (proxy::add_answer_fields(answer, "now", fields) && apply_response_operations(fields))
      result.fields = copy_fields(fields);
    return result;
  }

  bool apply_response_operations(http::HeaderList& fields) {
    return proxy::apply_response_operations(tables_, decision_, cors_, head_, fields,
                                            [this](snapshot::FormatNeeds) { return make_record(); });
  }

  // What formats can look at.
  [[nodiscard]] observe::RequestRecord make_record() const {
    observe::RequestRecord record;
    record.start = request_.time;
    record.method = head_.method;
    record.path = rewritten_path_.empty() ? received_path_ : rewritten_path_;
    record.original_path = rewritten_path_.empty() ? std::string_view() : received_path_;
    record.version = head_.version;
    record.authority = head_.authority;
    record.user_agent = head_.headers.find("user-agent").value_or("");
    record.request_id = http::request_id(head_);
    record.forwarded_for = head_.headers.find("x-forwarded-for").value_or("");
    record.request_fields = &head_.headers;
    record.route_name = decision_.route_name();
    if (decision_.destination != nullptr) record.cluster = &tables_.clusters[decision_.destination->cluster];
    record.downstream_local = connection_.listener->address;
    record.downstream_remote = head_.client.value_or(peer());
    record.requested_server_name = connection_.server_name;
    record.is_https = head_.is_https;
    return record;
  }

  const snapshot::Snapshot& tables_;
  const ExplainRequest& request_;
  const Explanation& connection_;
  Arena arena_{limits::exchange_arena_bytes_max};
  http::RequestHead head_{arena_};
  http::Http1Reader reader_{http::Http1Reader::Role::requests};
  std::string_view received_path_;
  std::string_view rewritten_path_;  // empty: as it was
  route::Decision decision_;
  route::CorsRequest cors_ = route::CorsRequest::none;
};

double percent_of(uint32_t weight, uint64_t total_weight, size_t count) {
  return count == 1 ? 100.0 : 100.0 * weight / static_cast<double>(total_weight);
}

Outcome outcome_of(const Walk& walk) {
  if (walk.cors() == route::CorsRequest::preflight || walk.cors() == route::CorsRequest::other_preflight)
    return Outcome::cors_preflight;
  switch (walk.decision().outcome) {
    case route::Outcome::forward: return Outcome::forward;
    case route::Outcome::redirect: return Outcome::redirect;
    case route::Outcome::direct_response: return Outcome::direct_response;
    case route::Outcome::acme_challenge: return Outcome::acme_challenge;
    case route::Outcome::https_redirect: return Outcome::https_redirect;
    case route::Outcome::not_found: return Outcome::not_found;
    case route::Outcome::no_cluster: return Outcome::no_cluster;
    case route::Outcome::misdirected: return Outcome::misdirected;
  }
  UNREACHABLE();
}

void explain_request(const snapshot::Snapshot& tables, const ExplainRequest& request, const std::string& wire,
                     Explanation& result) {
  Walk walk(tables, request, result);
  result.answer = walk.decide(wire);
  if (result.answer) {
    result.outcome = Outcome::refused;
    return;
  }
  const route::Decision decision = walk.decision();
  result.virtual_host = decision.virtual_host;
  result.match = decision.match;
  result.route = decision.route;
  result.cors = walk.cors();
  if (decision.virtual_host != nullptr && result.tls_server == nullptr)
    result.gateway_server = &tables.gateway_servers[decision.virtual_host->gateway_server];
  const snapshot::Fault* fault = decision.route == nullptr ? nullptr : decision.route->fault.get();
  if (fault != nullptr && fault->abort_share >= snapshot::every_request) {
    result.outcome = Outcome::fault;
    result.answer = walk.fault_answer();
    return;
  }
  result.outcome = outcome_of(walk);
  result.answer = walk.answer();
  if (result.outcome != Outcome::forward) return;
  for (const snapshot::WeightedDestination& each : decision.route->destinations) {
    Walk to_it(tables, request, result);
    CHECK(!to_it.decide(wire));
    ExplainedDestination destination = to_it.follow_to(each);
    destination.cluster = &tables.clusters[each.cluster];
    destination.weight = each.weight;
    destination.percent = percent_of(each.weight, decision.route->total_weight, decision.route->destinations.size());
    result.destinations.push_back(std::move(destination));
  }
  // Nothing is drawn, so what none of them would get is refused.
  const bool is_refused =
      std::ranges::all_of(result.destinations, [](const auto& each) { return each.answer.has_value(); });
  if (!is_refused) return;
  result.outcome = Outcome::refused;
  result.answer = std::move(result.destinations.front().answer);
  result.destinations.clear();
}

void explain_connection(const snapshot::Snapshot& tables, Explanation& result) {
  const route::TcpDecision decision =
      route::choose_tcp_route(*result.route_table, result.server_name, /*address=*/nullptr,
                              /*random=*/0);
  result.tcp_route = decision.route;
  if (decision.route == nullptr) {
    result.outcome = Outcome::no_tcp_route;
    return;
  }
  result.outcome = decision.destination != nullptr ? Outcome::tunnel : Outcome::no_tcp_cluster;
  for (const snapshot::WeightedDestination& each : decision.route->destinations) {
    ExplainedDestination& destination = result.destinations.emplace_back();
    destination.cluster = &tables.clusters[each.cluster];
    destination.weight = each.weight;
    destination.percent = percent_of(each.weight, decision.route->total_weight, decision.route->destinations.size());
  }
}

// The listener of a Unix socket, or of a port: one that speaks what the URL says if there is such.
void find_listener(const snapshot::Snapshot& tables, std::string_view unix_socket, bool is_https, Explanation& result) {
  for (const snapshot::Listener& listener : tables.listeners) {
    if (listener.role != snapshot::ListenerRole::gateway) continue;
    const bool is_asked_for = unix_socket.empty() ? listener.address.is_ip() && listener.service_port == result.port
                                                  : listener.address.unix_name() == unix_socket;
    if (!is_asked_for) continue;
    if (result.listener != nullptr) ++result.other_listeners;
    if (result.listener == nullptr || (result.listener->is_tls != is_https && listener.is_tls == is_https))
      result.listener = &listener;
  }
}

}  // namespace

Result<Explanation> explain(const snapshot::Snapshot& snapshot, const ExplainRequest& request) {
  const Result<Url> url = parse_url(request.url);
  if (!url) return std::unexpected(url.error());
  const Result<std::string> wire = write_request(request, *url);
  if (!wire) return std::unexpected(wire.error());

  Explanation result;
  result.port = url->port;
  result.unix_socket = request.unix_socket;
  find_listener(snapshot, request.unix_socket, url->is_https, result);
  if (result.listener == nullptr) return result;
  const snapshot::Listener& listener = *result.listener;
  if (url->is_https) result.server_name = server_name_of(*url);
  if (listener.is_tcp) {
    if (!listener.plain_servers.empty())
      result.gateway_server = &snapshot.gateway_servers[listener.plain_servers.front()];
    result.server_name.clear();  // nobody looks into the bytes
    result.route_table = &snapshot.route_tables[listener.route_table];
    explain_connection(snapshot, result);
    return result;
  }
  if (listener.is_tls != url->is_https) {
    result.outcome = Outcome::wrong_protocol;
    return result;
  }
  if (!listener.is_tls) {
    result.route_table = &snapshot.route_tables[listener.route_table];
    explain_request(snapshot, request, *wire, result);
    return result;
  }
  const auto server = listener.server_names.find(result.server_name);
  if (!server) {
    result.outcome = Outcome::no_server;
    return result;
  }
  result.tls_server = &listener.tls_servers[*server];
  result.gateway_server = &snapshot.gateway_servers[result.tls_server->gateway_server];
  result.route_table = &snapshot.route_tables[result.tls_server->route_table];
  if (result.tls_server->kind == snapshot::ServerKind::http) {
    explain_request(snapshot, request, *wire, result);
  } else {
    explain_connection(snapshot, result);
  }
  return result;
}

std::string_view text_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::no_listener: return "no_listener";
    case Outcome::wrong_protocol: return "wrong_protocol";
    case Outcome::no_server: return "no_server";
    case Outcome::refused: return "refused";
    case Outcome::not_found: return "not_found";
    case Outcome::misdirected: return "misdirected";
    case Outcome::acme_challenge: return "acme_challenge";
    case Outcome::https_redirect: return "https_redirect";
    case Outcome::redirect: return "redirect";
    case Outcome::direct_response: return "direct_response";
    case Outcome::cors_preflight: return "cors_preflight";
    case Outcome::no_cluster: return "no_cluster";
    case Outcome::fault: return "fault";
    case Outcome::forward: return "forward";
    case Outcome::tunnel: return "tunnel";
    case Outcome::no_tcp_route: return "no_tcp_route";
    case Outcome::no_tcp_cluster: return "no_tcp_cluster";
  }
  UNREACHABLE();
}

}  // namespace sluice::control

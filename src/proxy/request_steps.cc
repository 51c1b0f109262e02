#include "proxy/request_steps.h"

#include "base/check.h"
#include "http/authority.h"
#include "http/grpc.h"
#include "route/redirect.h"
#include "route/rewrite.h"

#include <algorithm>

namespace sluice::proxy {

using observe::ResponseFlag;

namespace {

constexpr observe::ResponseFlags flags_of(ResponseFlag flag) noexcept { return {static_cast<uint32_t>(flag)}; }

Answer redirect_answer(uint16_t status, std::string_view location) {
  if (location.empty()) return {.status = 400, .details = "missing_host_header"};
  return {.status = status, .details = "direct_response", .location = location};
}

// Of timeouts, of which zero is none.
Duration shorter_of(Duration a, Duration b) noexcept {
  if (a == Duration::zero() || b == Duration::zero()) return std::max(a, b);
  return std::min(a, b);
}

Duration grpc_timeout(const http::RequestHead& head) noexcept {
  return http::read_grpc_timeout(head.headers.find("grpc-timeout").value_or("")).value_or(Duration());
}

}  // namespace

Answer in_terms_of(const http::RequestHead& head, const Answer& answer) {
  Answer result = answer;
  if (!answer.location.empty() || !http::is_grpc(head)) {
    result.grpc_status.reset();
  } else {
    result.grpc_status = answer.grpc_status.value_or(to_grpc_status(answer.status));
    result.status = 200;
  }
  return result;
}

Answer refusal_answer(http::ReadError error, std::string_view details) {
  const observe::ResponseFlags flags = flags_of(ResponseFlag::downstream_protocol_error);
  switch (error) {
    case http::ReadError::head_too_large:
    case http::ReadError::too_many_headers:
      return {.status = 431, .details = "request_headers_too_large", .flags = flags};
    case http::ReadError::target_too_long: return {.status = 414, .details = details, .flags = flags};
    case http::ReadError::version_not_supported: return {.status = 505, .details = details, .flags = flags};
    case http::ReadError::not_implemented: return {.status = 501, .details = details, .flags = flags};
    default: return {.status = 400, .details = details, .flags = flags};
  }
}

std::optional<Answer> prepare(http::RequestHead& head, const http::ForwardingFacts& facts) {
  if (head.method == "CONNECT") {
    return Answer{.status = 405, .details = "connect_not_enabled", .body = "CONNECT is not enabled on this listener\n"};
  }
  const observe::ResponseFlags flags = flags_of(ResponseFlag::downstream_protocol_error);
  switch (http::prepare_request(head, facts)) {
    case http::Prepared::ok: return std::nullopt;
    case http::Prepared::too_large:
      return Answer{.status = 431, .details = "request_headers_too_large", .flags = flags};
    case http::Prepared::bad_path: return Answer{.status = 400, .details = "path_normalization_failed", .flags = flags};
  }
  UNREACHABLE();
}

Answer fault_answer(const snapshot::Fault& fault) {
  return {.status = fault.abort_grpc_status ? to_http_status(*fault.abort_grpc_status) : fault.abort_status,
          .details = "fault_filter_abort",
          .body = "fault filter abort",
          .flags = flags_of(ResponseFlag::fault_injected),
          .grpc_status = fault.abort_grpc_status};
}

route::CorsRequest cors_request(const route::Decision& decision, const http::RequestHead& head) {
  if (decision.route == nullptr || decision.route->cors == nullptr) return route::CorsRequest::none;
  return route::cors_request(*decision.route->cors, head);
}

std::optional<Answer> answer_of(const route::Decision& decision, route::CorsRequest cors, const http::RequestHead& head,
                                uint16_t service_port) {
  if (cors == route::CorsRequest::preflight || cors == route::CorsRequest::other_preflight)
    return Answer{.status = 200, .details = "cors_response"};
  switch (decision.outcome) {
    case route::Outcome::acme_challenge:
      return Answer{.status = 200, .details = "acme_challenge", .body = decision.key_authorization};
    case route::Outcome::https_redirect: return redirect_answer(301, http::https_location(head));
    case route::Outcome::redirect: {
      const snapshot::Redirect& redirect = *decision.route->redirect;
      return redirect_answer(redirect.status, route::redirect_location(redirect, head, service_port));
    }
    case route::Outcome::direct_response: {
      const snapshot::DirectResponse& response = *decision.route->direct_response;
      return Answer{.status = response.status, .details = response.details, .body = response.body};
    }
    case route::Outcome::not_found:
      return Answer{.status = 404, .details = "route_not_found", .flags = flags_of(ResponseFlag::no_route_found)};
    case route::Outcome::misdirected:
      return Answer{.status = 421, .details = "misdirected_request", .flags = flags_of(ResponseFlag::no_route_found)};
    case route::Outcome::no_cluster:
      return Answer{.status = 503, .details = "cluster_not_found", .flags = flags_of(ResponseFlag::no_cluster_found)};
    case route::Outcome::forward: return std::nullopt;
  }
  UNREACHABLE();
}

std::array<const snapshot::HeaderOperations*, 2> header_operations(const snapshot::Snapshot& tables,
                                                                   const route::Decision& decision) {
  const auto at = [&tables](std::optional<uint32_t> index) {
    return index ? &tables.header_operations[*index] : nullptr;
  };
  return {decision.destination == nullptr ? nullptr : at(decision.destination->header_operations),
          decision.route == nullptr ? nullptr : at(decision.route->header_operations)};
}

std::optional<Answer> rewrite_path(const route::Decision& decision, http::RequestHead& head) {
  if (decision.route->rewrite == nullptr) return std::nullopt;
  switch (route::rewrite_path(*decision.route->rewrite, *decision.match, head)) {
    case route::Rewritten::ok: return std::nullopt;
    case route::Rewritten::too_large: return Answer{.status = 431, .details = "request_headers_too_large"};
    case route::Rewritten::failed: return Answer{.status = 400, .details = "path_rewrite_failed"};
  }
  UNREACHABLE();
}

Duration response_timeout(const snapshot::Route& route, const http::RequestHead& head) noexcept {
  if (!http::is_grpc(head)) return route.timeout;
  return shorter_of(grpc_timeout(head), route.timeout);
}

bool limit_grpc_timeout(const snapshot::Route& route, http::RequestHead& head) noexcept {
  const Duration limit =
      shorter_of(route.timeout, route.retries == nullptr ? Duration() : route.retries->per_try_timeout);
  if (limit == Duration::zero() || !http::is_grpc(head)) return true;
  const Duration asked = grpc_timeout(head);
  if (shorter_of(asked, limit) == asked) return true;
  const std::string_view value = http::write_grpc_timeout(limit, head.headers.arena());
  return !value.empty() && head.headers.set("grpc-timeout", value);
}

http::MessageFraming upstream_framing(const http::RequestHead& head) noexcept {
  http::MessageFraming framing{.body = head.framing, .content_length = head.content_length};
  if (head.wants_upgrade) framing.upgrade = head.upgrade;
  return framing;
}

std::string_view upstream_server_name(const snapshot::UpstreamTls& tls, std::string_view host) noexcept {
  if (!tls.server_name.empty()) return tls.server_name;
  return http::without_brackets(host);
}

namespace {

bool add_type_fields(const Answer& answer, http::HeaderList& fields) {
  if (!answer.grpc_status) return answer.body.empty() || fields.add("content-type", "text/plain");
  if (!fields.add("content-type", "application/grpc") || !fields.add("grpc-status", to_text(*answer.grpc_status)))
    return false;
  if (answer.body.empty()) return true;
  const std::string_view message = http::grpc_message(answer.body, fields.arena());
  return !message.empty() && fields.add("grpc-message", message);
}

}  // namespace

bool add_answer_fields(const Answer& answer, std::string_view date, http::HeaderList& fields) {
  return (answer.location.empty() || fields.add("location", answer.location)) && add_type_fields(answer, fields) &&
         (!answer.is_overloaded || fields.add("x-envoy-overloaded", "true")) &&
         (!answer.asks_for_credentials || fields.add("proxy-authenticate", "Basic realm=\"sluice\"")) &&
         fields.add("date", date) && fields.add("server", "istio-envoy");
}

}  // namespace sluice::proxy

// What becomes of a request between its head and its destination, step by step and without I/O: an answer of our own,
// or a head for the destination. proxy::Exchange takes these steps, and `sluice explain` the very same.
#pragma once

#include "base/durations.h"
#include "base/grpc_status.h"
#include "http/head.h"
#include "http/http1_writer.h"
#include "http/hygiene.h"
#include "http/reading.h"
#include "observe/request_record.h"
#include "proxy/header_operations.h"
#include "route/choose_route.h"
#include "route/cors.h"
#include "snapshot/snapshot.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::proxy {

// What sluice answers itself.
struct Answer {
  uint16_t status = 0;
  std::string_view details;     // %RESPONSE_CODE_DETAILS%, a static text
  std::string_view body{};      // of type text/plain; of gRPC, its message
  std::string_view location{};  // empty: none
  observe::ResponseFlags flags{};
  std::optional<GrpcStatus> grpc_status{};  // for a client of gRPC; nothing: as `status` is translated
  bool is_overloaded = false;               // says so in x-envoy-overloaded
  bool asks_for_credentials = false;        // in proxy-authenticate (RFC 9110 11.7.1)

  [[nodiscard]] std::string_view content() const noexcept { return grpc_status ? std::string_view() : body; }
};

// As it is told to the client of this request: to one of gRPC with status 200, without content, and grpc_status and
// body in fields; to others without grpc_status.
[[nodiscard]] Answer in_terms_of(const http::RequestHead& head, const Answer& answer);

// To a head that was refused while it was read, which `details` is about.
[[nodiscard]] Answer refusal_answer(http::ReadError error, std::string_view details);

// After the head was read: hygiene, and what is refused before there is a route. Nothing: go on with
// route::choose_route.
[[nodiscard]] std::optional<Answer> prepare(http::RequestHead& head, const http::ForwardingFacts& facts);

// Of an injected abort that hits. A delay comes before it, then what the route says.
[[nodiscard]] Answer fault_answer(const snapshot::Fault& fault);

[[nodiscard]] route::CorsRequest cors_request(const route::Decision& decision, const http::RequestHead& head);

// To preflights, and of decisions other than to forward. `service_port` is the port of the Gateway's server, for
// redirects. Nothing: go on with change_for_destination.
[[nodiscard]] std::optional<Answer> answer_of(const route::Decision& decision, route::CorsRequest cors,
                                              const http::RequestHead& head, uint16_t service_port);

// Those of the destination, then those of the route, as in Envoy; nullptr: none.
[[nodiscard]] std::array<const snapshot::HeaderOperations*, 2> header_operations(const snapshot::Snapshot& tables,
                                                                                 const route::Decision& decision);

// The path that the destination sees. Nothing: it is in the head.
[[nodiscard]] std::optional<Answer> rewrite_path(const route::Decision& decision, http::RequestHead& head);

// How long the destination may take to answer, all attempts together; zero: for ever. That is the route's timeout; of
// gRPC the client's grpc-timeout, but not more than the route's.
[[nodiscard]] Duration response_timeout(const snapshot::Route& route, const http::RequestHead& head) noexcept;

// grpc-timeout as the destination is to see it: not more than the route allows for an answer, or for an attempt. False:
// the arena is full.
[[nodiscard]] bool limit_grpc_timeout(const snapshot::Route& route, http::RequestHead& head) noexcept;

// Header operations of a request that is forwarded, its timeout and its path. make_record(snapshot::FormatNeeds) gives
// the record that formats look at. Nothing: the head is as the destination sees it.
template <typename MakeRecord>
[[nodiscard]] std::optional<Answer> change_for_destination(const snapshot::Snapshot& tables,
                                                           const route::Decision& decision, http::RequestHead& head,
                                                           MakeRecord make_record) {
  constexpr Answer too_large{.status = 431, .details = "request_headers_too_large"};
  for (const snapshot::HeaderOperations* operations : header_operations(tables, decision)) {
    if (operations == nullptr) continue;
    if (!operations->request.empty()) {
      observe::RequestRecord record = make_record(operations->request.needs);
      record.path = http::upstream_target(head);  // normalised: somebody may decide by it
      if (!apply_operations(operations->request, head.headers, record)) return too_large;
    }
    if (operations->authority.empty()) continue;
    head.authority = operations->authority;
    head.host = operations->host;
    if (!head.headers.set("host", head.authority)) return too_large;
  }
  if (!limit_grpc_timeout(*decision.route, head)) return too_large;
  return rewrite_path(decision, head);
}

// How the content of a request is framed on its way to a destination of HTTP/1.
[[nodiscard]] http::MessageFraming upstream_framing(const http::RequestHead& head) noexcept;

// SNI of the connection to a destination with TLS; `host` is the request's.
[[nodiscard]] std::string_view upstream_server_name(const snapshot::UpstreamTls& tls, std::string_view host) noexcept;

// The fields of an answer. False: they do not fit.
[[nodiscard]] bool add_answer_fields(const Answer& answer, std::string_view date, http::HeaderList& fields);

// To the fields of any response. False: there are too many, or one is too long. What CORS says is said last: it is no
// use when an upstream says otherwise too.
template <typename MakeRecord>
[[nodiscard]] bool apply_response_operations(const snapshot::Snapshot& tables, const route::Decision& decision,
                                             route::CorsRequest cors, const http::RequestHead& head,
                                             http::HeaderList& fields, MakeRecord make_record) {
  if (cors == route::CorsRequest::other_preflight) return true;
  const std::string_view origin = head.headers.find("origin").value_or(std::string_view());
  if (cors == route::CorsRequest::preflight) return route::add_preflight_fields(*decision.route->cors, origin, fields);
  for (const snapshot::HeaderOperations* operations : header_operations(tables, decision)) {
    if (operations == nullptr || operations->response.empty()) continue;
    observe::RequestRecord record = make_record(operations->response.needs);
    record.response_fields = &fields;
    if (!apply_operations(operations->response, fields, record)) return false;
  }
  return cors == route::CorsRequest::none || route::add_cors_fields(*decision.route->cors, origin, fields);
}

}  // namespace sluice::proxy

#include "proxy/request_steps.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace sluice::proxy {
namespace {

using namespace std::chrono_literals;

struct Request {
  Arena arena{limits::exchange_arena_bytes_max};
  http::RequestHead head{arena};

  Request() {
    head.method = "GET";
    head.target = head.path = "/a";
    head.authority = head.host = "a.test";
    EXPECT_TRUE(head.headers.add("host", head.authority));
  }
};

observe::RequestRecord no_record(snapshot::FormatNeeds) { return {}; }

TEST(RequestSteps, RefuseConnectAndPathsThatAreNone) {
  Request connect;
  connect.head.method = "CONNECT";
  EXPECT_EQ(prepare(connect.head, {})->status, 405);
  Request bad;
  bad.head.target = bad.head.path = "/%00";
  const auto answer = prepare(bad.head, {});
  EXPECT_EQ(answer->status, 400);
  EXPECT_TRUE(answer->flags.has(observe::ResponseFlag::downstream_protocol_error));
  Request good;
  EXPECT_FALSE(prepare(good.head, {}));
}

TEST(RequestSteps, AnswerWhatIsNotForwarded) {
  Request request;
  route::Decision decision;
  EXPECT_EQ(answer_of(decision, {}, request.head, 80)->details, "route_not_found");
  decision.outcome = route::Outcome::no_cluster;
  EXPECT_EQ(answer_of(decision, {}, request.head, 80)->status, 503);
  decision.outcome = route::Outcome::https_redirect;
  EXPECT_EQ(answer_of(decision, {}, request.head, 80)->location, "https://a.test/a");
  snapshot::Route route;
  auto redirect = std::make_shared<snapshot::Redirect>();
  redirect->status = 307;
  redirect->has_request_port = true;
  route.redirect = redirect;
  decision = {.outcome = route::Outcome::redirect, .route = &route};
  const auto answer = answer_of(decision, {}, request.head, 8000);
  EXPECT_EQ(answer->status, 307);
  EXPECT_EQ(answer->location, "http://a.test:8000/a");
  decision.outcome = route::Outcome::forward;
  EXPECT_FALSE(answer_of(decision, {}, request.head, 80));
  EXPECT_EQ(answer_of(decision, route::CorsRequest::preflight, request.head, 80)->details, "cors_response");
}

TEST(RequestSteps, AnswerARedirectWithoutHost) {
  Request request;
  request.head.authority = request.head.host = "";
  EXPECT_EQ(answer_of({.outcome = route::Outcome::https_redirect}, {}, request.head, 80)->status, 400);
}

TEST(RequestSteps, ChangeTheHeadForTheDestination) {
  Request request;
  snapshot::Snapshot tables;
  snapshot::HeaderOperations& operations = tables.header_operations.emplace_back();
  operations.request.remove = {"x-gone"};
  operations.authority = "Other.test:81";
  operations.host = "other.test";
  EXPECT_TRUE(request.head.headers.add("x-gone", "1"));
  auto rewrite = std::make_shared<snapshot::Rewrite>();
  rewrite->prefix = "/v2";
  snapshot::Route route;
  route.header_operations = 0;
  route.rewrite = rewrite;
  const snapshot::RequestMatch match{.path = {snapshot::TextMatch::Kind::prefix, false, "/a"}};
  const route::Decision decision{.outcome = route::Outcome::forward, .route = &route, .match = &match};
  EXPECT_FALSE(change_for_destination(tables, decision, request.head, no_record));
  EXPECT_EQ(request.head.path, "/v2");
  EXPECT_EQ(request.head.host, "other.test");
  EXPECT_EQ(request.head.headers.find("host"), "Other.test:81");
  EXPECT_EQ(request.head.headers.find("x-envoy-original-path"), "/a");
  EXPECT_FALSE(request.head.headers.find("x-gone"));
}

// A request of gRPC with this grpc-timeout; empty: none.
struct GrpcRequest : Request {
  explicit GrpcRequest(std::string_view timeout = {}) {
    head.method = "POST";
    EXPECT_TRUE(head.headers.add("content-type", "application/grpc"));
    if (!timeout.empty()) {
      EXPECT_TRUE(head.headers.add("grpc-timeout", timeout));
    }
  }
};

TEST(RequestSteps, TellClientsOfGrpcTheStatusInAField) {
  const GrpcRequest request;
  const Answer told = in_terms_of(request.head, {.status = 503, .details = "d", .body = "no 100%"});
  EXPECT_EQ(told.status, 200);
  EXPECT_EQ(told.details, "d");
  EXPECT_EQ(told.content(), "");
  Arena arena(4096);
  http::HeaderList fields(arena);
  ASSERT_TRUE(add_answer_fields(told, "now", fields));
  EXPECT_EQ(fields.find("content-type"), "application/grpc");
  EXPECT_EQ(fields.find("grpc-status"), "14");
  EXPECT_EQ(fields.find("grpc-message"), "no 100%25");

  snapshot::Fault fault;
  fault.abort_grpc_status = GrpcStatus::aborted;
  EXPECT_EQ(in_terms_of(request.head, fault_answer(fault)).grpc_status, GrpcStatus::aborted);
  const Request other;
  EXPECT_EQ(in_terms_of(other.head, fault_answer(fault)).status, 409);
  EXPECT_EQ(in_terms_of(other.head, fault_answer(fault)).grpc_status, std::nullopt);
  EXPECT_EQ(in_terms_of(request.head, {.status = 301, .location = "/b"}).status, 301) << "as Envoy does it";
}

TEST(RequestSteps, WaitForAnAnswerOfGrpcAsTheClientSaysWithinTheRoute) {
  snapshot::Route route;
  EXPECT_EQ(response_timeout(route, GrpcRequest("2S").head), 2s);
  EXPECT_EQ(response_timeout(route, GrpcRequest("nonsense").head), 0s);
  route.timeout = 10s;
  EXPECT_EQ(response_timeout(route, GrpcRequest("2S").head), 2s);
  EXPECT_EQ(response_timeout(route, GrpcRequest("1M").head), 10s);
  EXPECT_EQ(response_timeout(route, GrpcRequest().head), 10s);
  EXPECT_EQ(response_timeout(route, Request().head), 10s);
}

TEST(RequestSteps, TellDestinationsOfGrpcHowLongTheyAreWaitedFor) {
  const auto told = [](const snapshot::Route& route, std::string_view asked) {
    GrpcRequest request(asked);
    EXPECT_TRUE(limit_grpc_timeout(route, request.head));
    return std::string(request.head.headers.find("grpc-timeout").value_or(""));
  };
  snapshot::Route route;
  EXPECT_EQ(told(route, "2S"), "2S");
  EXPECT_EQ(told(route, ""), "");
  route.timeout = 10s;
  EXPECT_EQ(told(route, "2S"), "2S");
  EXPECT_EQ(told(route, "1M"), "10000000u");
  EXPECT_EQ(told(route, ""), "10000000u");
  auto retries = std::make_shared<snapshot::RetryPolicy>();
  retries->per_try_timeout = 1s;
  route.retries = retries;
  EXPECT_EQ(told(route, "2S"), "1000000u");
  Request other;
  EXPECT_TRUE(limit_grpc_timeout(route, other.head));
  EXPECT_FALSE(other.head.headers.find("grpc-timeout"));
}

TEST(RequestSteps, AnswerAHeadThatCannotBeReadByWhatIsWrongWithIt) {
  EXPECT_EQ(refusal_answer(http::ReadError::malformed, "why").status, 400);
  EXPECT_EQ(refusal_answer(http::ReadError::malformed, "why").details, "why");
  EXPECT_EQ(refusal_answer(http::ReadError::too_many_headers, "why").status, 431);
  EXPECT_EQ(refusal_answer(http::ReadError::target_too_long, "why").status, 414);
  EXPECT_EQ(refusal_answer(http::ReadError::not_implemented, "why").status, 501);
  EXPECT_EQ(refusal_answer(http::ReadError::version_not_supported, "why").status, 505);
}

}  // namespace
}  // namespace sluice::proxy

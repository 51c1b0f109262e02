#include "route/cors.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sluice::route {
namespace {

using Kind = snapshot::TextMatch::Kind;
using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

CorsRequest request(const snapshot::CorsPolicy& policy, std::string_view method, const Fields& fields) {
  Arena arena(4096);
  http::RequestHead head(arena);
  head.method = method;
  for (const auto& [name, value] : fields) EXPECT_TRUE(head.headers.add(name, value));
  return cors_request(policy, head);
}

snapshot::CorsPolicy policy_of(std::vector<snapshot::TextMatch> origins) {
  snapshot::CorsPolicy policy;
  policy.origins = std::move(origins);
  return policy;
}

TEST(Cors, IsForOriginsThatAreAllowed) {
  const auto policy =
      policy_of({{Kind::exact, false, "https://a.example"},
                 {Kind::prefix, false, "https://b."},
                 {Kind::regex, false, {}, snapshot::Regex::compile("https://c[0-9]\\.example").value()}});
  for (const std::string_view origin : {"https://a.example", "https://b.example", "https://c1.example"})
    EXPECT_EQ(request(policy, "GET", {{"origin", origin}}), CorsRequest::actual) << origin;
  for (const std::string_view origin : {"http://a.example", "https://A.example", "https://c12.example", "null", ""})
    EXPECT_EQ(request(policy, "GET", {{"origin", origin}}), CorsRequest::none) << origin;
  EXPECT_EQ(request(policy, "GET", {}), CorsRequest::none);
  EXPECT_EQ(request(policy_of({{}}), "GET", {{"origin", "null"}}), CorsRequest::actual) << "any origin";
}

TEST(Cors, KnowsAPreflight) {
  auto policy = policy_of({{Kind::exact, false, "https://a"}});
  const Fields asking = {{"origin", "https://a"}, {"access-control-request-method", "PUT"}};
  EXPECT_EQ(request(policy, "OPTIONS", asking), CorsRequest::preflight);
  EXPECT_EQ(request(policy, "GET", asking), CorsRequest::actual);
  EXPECT_EQ(request(policy, "OPTIONS", {{"origin", "https://a"}}), CorsRequest::actual);
  EXPECT_EQ(request(policy, "OPTIONS", {{"origin", "https://a"}, {"access-control-request-method", ""}}),
            CorsRequest::actual);
  const Fields other = {{"origin", "https://b"}, {"access-control-request-method", "PUT"}};
  EXPECT_EQ(request(policy, "OPTIONS", other), CorsRequest::none);
  policy.answers_other_origins = true;
  EXPECT_EQ(request(policy, "OPTIONS", other), CorsRequest::other_preflight);
  EXPECT_EQ(request(policy, "GET", other), CorsRequest::none);
}

std::string text_of(const http::HeaderList& fields) {
  std::string text;
  for (const auto& [name, value] : fields) text += std::string(name) + "=" + std::string(value) + ";";
  return text;
}

TEST(Cors, SaysWhatIsAllowed) {
  Arena arena(4096);
  http::HeaderList fields(arena);
  ASSERT_TRUE(fields.add("access-control-allow-origin", "*"));
  snapshot::CorsPolicy policy;
  ASSERT_TRUE(add_cors_fields(policy, "https://a", fields));
  EXPECT_EQ(text_of(fields), "access-control-allow-origin=https://a;") << "in place of what the upstream says";

  policy.allow_credentials = true;
  policy.expose_headers = "x-a,x-b";
  policy.allow_methods = "GET,PUT";
  policy.allow_headers = "x-c";
  policy.max_age = "60";
  ASSERT_TRUE(add_cors_fields(policy, "https://a", fields));
  EXPECT_EQ(text_of(fields),
            "access-control-allow-origin=https://a;access-control-allow-credentials=true;"
            "access-control-expose-headers=x-a,x-b;");
  http::HeaderList preflight(arena);
  ASSERT_TRUE(add_preflight_fields(policy, "https://a", preflight));
  EXPECT_EQ(text_of(preflight),
            "access-control-allow-origin=https://a;access-control-allow-credentials=true;"
            "access-control-allow-methods=GET,PUT;access-control-allow-headers=x-c;access-control-max-age=60;");
}

}  // namespace
}  // namespace sluice::route

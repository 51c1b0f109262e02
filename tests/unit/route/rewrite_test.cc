#include "route/rewrite.h"

#include "base/limits.h"
#include "http/hygiene.h"
#include "route_tables.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::route {
namespace {

using test::exact;
using test::prefix;

// "TARGET original ORIGINAL", as it goes to the destination.
std::string rewritten(const snapshot::Rewrite& rewrite, const snapshot::RequestMatch& match, std::string_view target) {
  Arena arena(64 * 1024);
  http::RequestHead head(arena);
  head.method = "GET";
  head.target = target;
  const size_t question = target.find('?');
  head.path = target.substr(0, question);
  head.has_query = question != std::string_view::npos;
  if (head.has_query) head.query = target.substr(question + 1);
  switch (rewrite_path(rewrite, match, head)) {
    case Rewritten::ok: break;
    case Rewritten::too_large: return "too large";
    case Rewritten::failed: return "failed";
  }
  return std::string(http::upstream_target(head)) + " original " +
         std::string(head.headers.find("x-envoy-original-path").value_or("none"));
}

snapshot::Rewrite regex(std::string_view expression, std::string substitution) {
  return {{}, snapshot::Regex::compile(expression).value(), std::move(substitution)};
}

TEST(Rewrite, ReplacesThePrefixThatWasMatched) {
  EXPECT_EQ(rewritten({.prefix = "/v2"}, prefix("/v1"), "/v1/a?q=1"), "/v2/a?q=1 original /v1/a?q=1");
  EXPECT_EQ(rewritten({.prefix = "/"}, prefix("/v1/"), "/v1/a"), "/a original /v1/a");
  EXPECT_EQ(rewritten({.prefix = "/"}, prefix("/v1"), "/v1/a"), "//a original /v1/a") << "as Envoy does";
  EXPECT_EQ(rewritten({.prefix = "/"}, prefix("/v1"), "/v1"), "/ original /v1");
  EXPECT_EQ(rewritten({.prefix = "/x"}, {}, "/foo"), "/xfoo original /foo") << "all paths match the prefix /";
}

TEST(Rewrite, ReplacesTheWholePathOfOtherMatches) {
  EXPECT_EQ(rewritten({.prefix = "/new"}, exact("/old"), "/old?q"), "/new?q original /old?q");
  snapshot::RequestMatch match;
  match.path = {snapshot::TextMatch::Kind::regex, false, {}, snapshot::Regex::compile("/o.*").value()};
  EXPECT_EQ(rewritten({.prefix = "/new"}, match, "/old/x"), "/new original /old/x");
}

TEST(Rewrite, ReplacesWhatAnExpressionMatches) {
  EXPECT_EQ(rewritten(regex("^/service/([^/]+)(/.*)$", "\\2/instance/\\1"), {}, "/service/foo/v1/api?q"),
            "/v1/api/instance/foo?q original /service/foo/v1/api?q");
  EXPECT_EQ(rewritten(regex("/old", ""), {}, "/old"), "/ original /old") << "a path begins with a slash";
  EXPECT_EQ(rewritten(regex("^/", ""), {}, "/a/b"), "/a/b original /a/b");
  EXPECT_EQ(rewritten(regex("x", "y"), {}, "/a"), "/a original /a");
}

TEST(Rewrite, HasBounds) {
  const std::string slashes(limits::regex_replacements_max + 1, '/');
  EXPECT_EQ(rewritten(regex("/", "/a"), {}, slashes), "failed");
  const std::string longest = "/" + std::string(limits::target_bytes_max - 1, 'a');
  EXPECT_EQ(rewritten({.prefix = "/bb"}, prefix("/a"), longest), "too large");
  EXPECT_TRUE(rewritten({.prefix = "/b"}, prefix("/a"), longest).starts_with("/ba"));
}

TEST(Rewrite, LeavesTheAsteriskAlone) {
  Arena arena(1024);
  http::RequestHead head(arena);
  head.method = "OPTIONS";
  head.target = "*";
  EXPECT_EQ(rewrite_path({.prefix = "/x"}, {}, head), Rewritten::ok);
  EXPECT_EQ(http::upstream_target(head), "*");
}

}  // namespace
}  // namespace sluice::route

#include "route/redirect.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::route {
namespace {

struct Request {
  std::string_view authority = "a.example.com";
  bool is_https = false;
  std::string_view target = "/old?q=1";
  uint16_t port = 80;
};

std::string location(const snapshot::Redirect& redirect, const Request& request = {}) {
  Arena arena(4096);
  http::RequestHead head(arena);
  head.method = "GET";
  head.authority = request.authority;
  head.is_https = request.is_https;
  head.target = request.target;
  const size_t question = request.target.find('?');
  head.path = request.target.substr(0, question);
  head.has_query = question != std::string_view::npos;
  if (head.has_query) head.query = request.target.substr(question + 1);
  return std::string(redirect_location(redirect, head, request.port));
}

TEST(Redirect, ReplacesThePathAndKeepsTheQuery) {
  EXPECT_EQ(location({.path = "/new"}), "http://a.example.com/new?q=1");
  EXPECT_EQ(location({.path = "/new"}, {.target = "/old"}), "http://a.example.com/new");
  EXPECT_EQ(location({.path = "/new"}, {.target = "/old?"}), "http://a.example.com/new?");
  EXPECT_EQ(location({.path = "/new?own=1"}), "http://a.example.com/new?own=1");
}

TEST(Redirect, KeepsWhatItDoesNotReplace) {
  EXPECT_EQ(location({.scheme = "https"}), "https://a.example.com/old?q=1");
  EXPECT_EQ(location({.authority = "b.example.com:8443"}), "http://b.example.com:8443/old?q=1");
  EXPECT_EQ(location({.authority = "b"}, {.is_https = true}), "https://b/old?q=1");
}

TEST(Redirect, LeavesOutThePortThatGoesWithoutSaying) {
  EXPECT_EQ(location({.port = 80}), "http://a.example.com/old?q=1");
  EXPECT_EQ(location({.port = 443}), "http://a.example.com:443/old?q=1");
  EXPECT_EQ(location({.scheme = "https", .port = 443}), "https://a.example.com/old?q=1");
  EXPECT_EQ(location({.port = 8080}, {.authority = "a:90"}), "http://a:8080/old?q=1");
  EXPECT_EQ(location({.scheme = "https", .port = 443}, {.authority = "a:8080"}), "https://a/old?q=1");
  EXPECT_EQ(location({.has_request_port = true}, {.port = 8080}), "http://a.example.com:8080/old?q=1");
  EXPECT_EQ(location({.has_request_port = true}, {.is_https = true, .port = 443}), "https://a.example.com/old?q=1");
}

TEST(Redirect, KeepsThePortOfTheHostUnlessItBelongsToTheSchemeBefore) {
  EXPECT_EQ(location({.path = "/n"}, {.authority = "a:8080", .target = "/"}), "http://a:8080/n");
  EXPECT_EQ(location({.scheme = "https"}, {.authority = "a:80", .target = "/"}), "https://a/");
  EXPECT_EQ(location({.scheme = "https"}, {.authority = "a:8080", .target = "/"}), "https://a:8080/");
  EXPECT_EQ(location({.scheme = "http"}, {.authority = "a:443", .is_https = true, .target = "/"}), "http://a/");
  EXPECT_EQ(location({.port = 8443}, {.authority = "[::1]:80", .target = "/"}), "http://[::1]:8443/");
  EXPECT_EQ(location({.scheme = "https"}, {.authority = "[::1]", .target = "/"}), "https://[::1]/");
}

TEST(Redirect, NeedsAHost) {
  EXPECT_EQ(location({.path = "/new"}, {.authority = ""}), "");
  EXPECT_EQ(location({.authority = "b", .path = "/new"}, {.authority = "", .target = "/"}), "http://b/new");
}

TEST(Redirect, GivesUpWhenTheArenaIsFull) {
  Arena arena(16);
  http::RequestHead head(arena);
  head.authority = "a.example.com";
  head.path = head.target = "/";
  EXPECT_EQ(redirect_location({.path = "/long"}, head, 80), "");
}

}  // namespace
}  // namespace sluice::route

#include "config/host_name.h"

#include "config/server_host.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

TEST(HostName, AcceptsNamesAndWholeLabelWildcards) {
  for (const std::string_view host : {"*", "*.example.com", "*.com", "a", "a.b-c.d", "A.Example.COM", "example.com.",
                                      "1.2.3.4", "xn--bcher-kva.example"}) {
    EXPECT_EQ(wrong_with_host(host), std::nullopt) << host;
  }
}

TEST(HostName, RefusesEverythingElse) {
  const std::string long_name =
      std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(62, 'd');
  for (const std::string& host :
       {std::string(), std::string("."), std::string("*."), std::string("*a.b"), std::string("a.*"),
        std::string("**.a"), std::string("a..b"), std::string(".a"), std::string("-a"), std::string("a-"),
        std::string("a_b"), std::string("a b"), std::string("a:80"), std::string("http://a"), std::string("a/b"),
        std::string("ü.de"), std::string("a\0b", 3), std::string(64, 'a'), long_name}) {
    EXPECT_NE(wrong_with_host(host), std::nullopt) << host;
  }
  EXPECT_EQ(wrong_with_host(long_name.substr(1)), std::nullopt) << "253 bytes fit";
}

TEST(HostName, IsNormalisedToLowerCaseWithoutTrailingDot) {
  EXPECT_EQ(normalised_host("*.Example.COM."), "*.example.com");
  EXPECT_EQ(normalised_host("."), ".");
}

TEST(HostName, WildcardCoversEveryDepthButNotTheApex) {
  EXPECT_TRUE(covers("*.example.com", "a.example.com"));
  EXPECT_TRUE(covers("*.example.com", "a.b.example.com"));
  EXPECT_TRUE(covers("*.example.com", "*.b.example.com"));
  EXPECT_TRUE(covers("*.example.com", "*.example.com"));
  EXPECT_TRUE(covers("*", "*.example.com"));
  EXPECT_FALSE(covers("*.example.com", "example.com"));
  EXPECT_FALSE(covers("*.example.com", "badexample.com"));
  EXPECT_FALSE(covers("*.example.com", "*"));
  EXPECT_FALSE(covers("*.b.example.com", "*.example.com"));
  EXPECT_FALSE(covers("example.com", "*.example.com"));
  EXPECT_FALSE(covers("example.com", "a.example.com"));
}

TEST(HostName, IntersectionIsTheMoreSpecificPattern) {
  EXPECT_EQ(intersection("*", "a.b"), "a.b");
  EXPECT_EQ(intersection("a.b", "*"), "a.b");
  EXPECT_EQ(intersection("*.b", "*.a.b"), "*.a.b");
  EXPECT_EQ(intersection("*.a.b", "*.b"), "*.a.b");
  EXPECT_EQ(intersection("a.b", "a.b"), "a.b");
  EXPECT_EQ(intersection("a.b", "c.b"), std::nullopt);
  EXPECT_EQ(intersection("*.a", "*.b"), std::nullopt);
}

TEST(HostName, ObjectNamesAreLowerCase) {
  EXPECT_TRUE(is_object_name("kyma-gateway"));
  EXPECT_TRUE(is_object_name("a.b"));
  EXPECT_FALSE(is_object_name("Kyma"));
  EXPECT_FALSE(is_object_name(""));
  EXPECT_FALSE(is_object_name("a/b"));
}

TEST(ServerHost, SaysWhichNamespacesMayUseIt) {
  EXPECT_TRUE(ServerHost("a.b", "own").admits("other"));
  EXPECT_TRUE(ServerHost("*/a.b", "own").admits("other"));
  EXPECT_TRUE(ServerHost("./a.b", "own").admits("own"));
  EXPECT_FALSE(ServerHost("./a.b", "own").admits("other"));
  EXPECT_TRUE(ServerHost("team/a.b", "own").admits("team"));
  EXPECT_FALSE(ServerHost("team/a.b", "own").admits("own"));
  EXPECT_EQ(ServerHost("team/*.A.b.", "own").pattern, "*.a.b");
}

}  // namespace
}  // namespace sluice::config

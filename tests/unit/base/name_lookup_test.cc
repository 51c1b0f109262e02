#include "base/name_lookup.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice {
namespace {

TEST(IsLookupName, TakesNamesOfHosts) {
  for (const std::string_view name :
       {"localhost", "a", "example.com", "xn--bcher-kva.example", "_sip._tcp.example.com", "1.example.com", "3com.com",
        "a-b.c-d.example", "127.0.0.1.example.com", "0x7f.example.com", "EXAMPLE.com", "0xa.b"})
    EXPECT_TRUE(is_lookup_name(name)) << name;
}

TEST(IsLookupName, TakesNothingThatLooksLikeANumber) {
  for (const std::string_view name : {"127.0.0.1", "127.1", "127", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.01",
                                      "a.1", "a.0x1", "a.0X1", "a.0xg", "0x", "256.256.256.256", "1.2.3.4.5"})
    EXPECT_FALSE(is_lookup_name(name)) << name;
}

TEST(IsLookupName, TakesNothingElse) {
  using namespace std::string_view_literals;
  for (const std::string_view name : {""sv, "."sv, "a."sv, ".a"sv, "a..b"sv, "a b"sv, "a\0b"sv, "a/b"sv, "a:1"sv,
                                      "a@b"sv, "::1"sv, "[::1]"sv, "a\\b"sv, "\xc3\xa4"sv, "a%b"sv, "*.a"sv, "a\n"sv})
    EXPECT_FALSE(is_lookup_name(name)) << name;
  EXPECT_TRUE(is_lookup_name(std::string(63, 'a')));
  EXPECT_FALSE(is_lookup_name(std::string(64, 'a')));
  std::string name = "a";
  while (name.size() < 253) name += ".b";
  EXPECT_EQ(name.size(), 253U);
  EXPECT_TRUE(is_lookup_name(name));
  EXPECT_FALSE(is_lookup_name(name + "c"));
}

TEST(NameAnswers, WakesOnceForWhatWaits) {
  int wakes = 0;
  NameAnswers answers([](void* count) { ++*static_cast<int*>(count); }, &wakes);
  answers.put({.name = "a", .addresses = {}, .lifetime = {}, .error = "x"});
  answers.put({.name = "b", .addresses = {}, .lifetime = {}, .error = "x"});
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(answers.take().size(), 2U);
  answers.put({.name = "c", .addresses = {}, .lifetime = {}, .error = "x"});
  EXPECT_EQ(wakes, 2);
  answers.close();
  EXPECT_TRUE(answers.take().empty());
  answers.put({.name = "d", .addresses = {}, .lifetime = {}, .error = "x"});
  EXPECT_EQ(wakes, 2);
  EXPECT_TRUE(answers.take().empty());
}

}  // namespace
}  // namespace sluice

#include "dns/challenge_name.h"

#include <gtest/gtest.h>

namespace sluice::dns {
namespace {

TEST(ChallengeName, IsTheSameForANameAndItsWildcard) {
  EXPECT_EQ(challenge_name("example.com"), "_acme-challenge.example.com.");
  EXPECT_EQ(challenge_name("*.example.com"), "_acme-challenge.example.com.");
  EXPECT_EQ(challenge_name("www.example.com."), "_acme-challenge.www.example.com.");
}

}  // namespace
}  // namespace sluice::dns

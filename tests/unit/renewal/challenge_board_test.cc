#include "renewal/challenge_board.h"

#include <gtest/gtest.h>

#include <memory>

namespace sluice::renewal {
namespace {

TEST(ChallengeBoard, HasNewsUntilTheyAreServed) {
  ChallengeBoard board;
  EXPECT_FALSE(board.has_news());
  EXPECT_TRUE(board.is_served());
  EXPECT_EQ(board.posted().challenges, nullptr);

  board.put_http("token", "token.thumbprint");
  EXPECT_TRUE(board.has_news());
  EXPECT_FALSE(board.is_served());
  const ChallengeBoard::Posted first = board.posted();
  ASSERT_NE(first.challenges, nullptr);
  EXPECT_EQ(first.challenges->key_authorizations.at("token"), "token.thumbprint");

  board.put_certificate("a.example", nullptr);
  board.served(first.revision);
  EXPECT_FALSE(board.is_served()) << "there is more by now";
  EXPECT_TRUE(first.challenges->certificates.empty()) << "what is published is not changed";
  board.served(board.posted().revision);
  EXPECT_TRUE(board.is_served());
}

TEST(ChallengeBoard, IsEmptyInTheEnd) {
  ChallengeBoard board;
  board.put_http("a", "1");
  board.put_http("b", "2");
  board.put_certificate("a.example", nullptr);
  board.remove_http("a");
  board.remove_http("a");
  EXPECT_EQ(board.posted().challenges->key_authorizations.size(), 1u);
  board.remove_certificate("a.example");
  board.remove_http("b");
  EXPECT_EQ(board.posted().challenges, nullptr);
  EXPECT_TRUE(board.has_news());
}

}  // namespace
}  // namespace sluice::renewal

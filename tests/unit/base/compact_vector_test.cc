#include "base/compact_vector.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace sluice {
namespace {

using Texts = CompactVector<std::string>;

// Longer than what a string holds without memory of its own.
std::string text(size_t number) { return std::string(40, 'x') + std::to_string(number); }

Texts numbered(size_t count) {
  Texts texts;
  for (size_t i = 0; i < count; ++i) texts.push_back(text(i));
  return texts;
}

std::vector<std::string> items(const Texts& texts) { return {texts.begin(), texts.end()}; }

TEST(CompactVector, IsOnePointer) {
  EXPECT_EQ(sizeof(Texts), sizeof(void*));
  const Texts none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.begin(), none.end());
}

TEST(CompactVector, KeepsItsItemsAsItGrows) {
  const Texts texts = numbered(100);
  ASSERT_EQ(texts.size(), 100U);
  for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(texts[i], text(i));
}

TEST(CompactVector, AddsAnItemOfItsOwn) {
  Texts texts = numbered(1);
  for (int i = 0; i < 5; ++i) texts.push_back(texts[0]);
  EXPECT_EQ(items(texts), std::vector<std::string>(6, text(0)));
}

TEST(CompactVector, DoesNotMoveItsItemsWithinWhatWasReserved) {
  Texts texts;
  texts.reserve(10);
  texts.push_back(text(0));
  const std::string* first = texts.begin();
  for (size_t i = 1; i < 10; ++i) texts.push_back(text(i));
  EXPECT_EQ(texts.begin(), first);
}

TEST(CompactVector, IsCopiedAndMoved) {
  Texts texts = numbered(3);
  const Texts copy = texts;
  EXPECT_EQ(items(copy), items(texts));
  Texts moved = std::move(texts);
  EXPECT_EQ(items(moved), items(copy));
  moved = numbered(5);
  EXPECT_EQ(items(moved), items(numbered(5)));
  moved = copy;
  EXPECT_EQ(items(moved), items(copy));
}

TEST(CompactVector, ErasesOneItem) {
  Texts texts = numbered(3);
  texts.erase(1);
  EXPECT_EQ(items(texts), (std::vector{text(0), text(2)}));
  texts.erase(1);
  texts.erase(0);
  EXPECT_TRUE(texts.empty());
}

TEST(CompactVector, DestroysItsItems) {
  const auto counted = std::make_shared<int>();
  {
    CompactVector<std::shared_ptr<int>> all;
    for (int i = 0; i < 5; ++i) all.push_back(counted);
    EXPECT_EQ(counted.use_count(), 6);
    all.erase(2);
    EXPECT_EQ(counted.use_count(), 5);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

}  // namespace
}  // namespace sluice

#include "base/list.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice {
namespace {

struct Item : ListNode<Item> {
  explicit Item(int number_) : number(number_) {}
  int number;
};

std::vector<int> numbers(List<Item>& list) {
  std::vector<int> result;
  list.for_each([&](Item& item) { result.push_back(item.number); });
  return result;
}

void clear(List<Item>& list) {
  while (!list.empty()) list.pop_front();
}

TEST(List, IsEmptyAtFirst) {
  List<Item> list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(numbers(list), std::vector<int>{});
}

TEST(List, KeepsTheOrderOfPushBackAndReversesThatOfPushFront) {
  Item one(1), two(2), three(3);
  List<Item> list;
  list.push_back(one);
  list.push_back(two);
  list.push_front(three);
  EXPECT_EQ(numbers(list), (std::vector{3, 1, 2}));
  EXPECT_EQ(list.front().number, 3);
  EXPECT_EQ(list.back().number, 2);
  clear(list);
}

TEST(List, PopsFromTheFrontAndUnlinksWhatItPops) {
  Item one(1), two(2);
  List<Item> list;
  list.push_back(one);
  list.push_back(two);
  EXPECT_EQ(&list.pop_front(), &one);
  EXPECT_FALSE(one.is_linked());
  EXPECT_EQ(&list.pop_front(), &two);
  EXPECT_TRUE(list.empty());
}

TEST(List, UnlinksFromFrontMiddleAndBack) {
  Item one(1), two(2), three(3), four(4);
  List<Item> list;
  for (Item* item : {&one, &two, &three, &four}) list.push_back(*item);
  two.unlink();
  EXPECT_EQ(numbers(list), (std::vector{1, 3, 4}));
  one.unlink();
  four.unlink();
  EXPECT_EQ(numbers(list), (std::vector{3}));
  three.unlink();
  EXPECT_TRUE(list.empty());
}

TEST(List, TakesAnItemAgainAfterItWasUnlinked) {
  Item one(1);
  List<Item> list;
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(one.is_linked());
    list.push_back(one);
    EXPECT_TRUE(one.is_linked());
    one.unlink();
  }
  one.unlink_if_linked();
  EXPECT_FALSE(one.is_linked());
}

TEST(List, AppendsAllItemsOfAnotherListAtItsEnd) {
  Item one(1), two(2), three(3);
  List<Item> list, other;
  list.push_back(one);
  other.push_back(two);
  other.push_back(three);
  list.append(other);
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(numbers(list), (std::vector{1, 2, 3}));
  list.append(other);
  EXPECT_EQ(numbers(list), (std::vector{1, 2, 3}));
  clear(list);
}

TEST(List, LetsAVisitorUnlinkTheVisitedItem) {
  Item one(1), two(2), three(3), four(4);
  List<Item> list;
  for (Item* item : {&one, &two, &three, &four}) list.push_back(*item);
  list.for_each([](Item& item) {
    if (item.number % 2 == 0) item.unlink();
  });
  EXPECT_EQ(numbers(list), (std::vector{1, 3}));
  clear(list);
}

struct Red;
struct Blue;
struct Coloured : ListNode<Red>, ListNode<Blue> {};

TEST(List, HoldsAnItemInSeveralListsAtOnce) {
  Coloured item;
  List<Coloured, Red> red;
  List<Coloured, Blue> blue;
  red.push_back(item);
  blue.push_back(item);
  static_cast<ListNode<Red>&>(item).unlink();
  EXPECT_TRUE(red.empty());
  EXPECT_EQ(&blue.front(), &item);
  EXPECT_EQ(&blue.pop_front(), &item);
}

#ifndef NDEBUG
TEST(ListDeathTest, CatchesAnItemThatDiesWhileItIsLinked) {
  EXPECT_DEATH(
      {
        List<Item> list;
        Item item(1);
        list.push_back(item);
      },
      "CHECK.*is_linked");
}

TEST(ListDeathTest, CatchesAnItemThatIsLinkedTwice) {
  Item item(1);
  List<Item> list, other;
  list.push_back(item);
  EXPECT_DEATH(other.push_back(item), "CHECK.*is_linked");
  clear(list);
}

TEST(ListDeathTest, CatchesTheFrontOfAnEmptyList) {
  List<Item> list;
  EXPECT_DEATH(static_cast<void>(list.front()), "CHECK");
}
#endif

}  // namespace
}  // namespace sluice

// Intrusive doubly linked list: a member of several lists has one ListNode<Tag> base per list.
// Linking and unlinking are O(1) and allocate nothing. A node knows whether it is linked and must be
// unlinked before it dies. Not thread-safe: nodes of one list belong to one thread.
#pragma once

#include "base/check.h"

#include <cstddef>

namespace sluice {

template <typename Tag>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { DCHECK(!is_linked()); }

  [[nodiscard]] bool is_linked() const noexcept { return next_ != nullptr; }

  void unlink() noexcept {
    DCHECK(is_linked());
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = nullptr;
  }

  void unlink_if_linked() noexcept {
    if (is_linked()) unlink();
  }

 private:
  template <typename T, typename>
  friend class List;

  ListNode* previous_ = nullptr;
  ListNode* next_ = nullptr;
};

// T derives from ListNode<Tag>.
template <typename T, typename Tag = T>
class List {
 public:
  List() noexcept { head_.previous_ = head_.next_ = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    DCHECK(empty());
    head_.previous_ = head_.next_ = nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }

  void push_back(T& item) noexcept { insert_before(head_, item); }
  void push_front(T& item) noexcept { insert_before(*head_.next_, item); }

  [[nodiscard]] T& front() noexcept { return item_of(head_.next_); }
  [[nodiscard]] T& back() noexcept { return item_of(head_.previous_); }

  T& pop_front() noexcept {
    T& item = front();
    static_cast<Node&>(item).unlink();
    return item;
  }

  // Moves every item of `other` to the end of this list.
  void append(List& other) noexcept {
    while (!other.empty()) push_back(other.pop_front());
  }

  // The first item that matches; null: none.
  template <typename Match>
  [[nodiscard]] T* find(Match matches) {
    for (Node* node = head_.next_; node != &head_; node = node->next_) {
      if (matches(static_cast<T&>(*node))) return &static_cast<T&>(*node);
    }
    return nullptr;
  }

  // Calls visit(item) for each; the visited item may be unlinked by the call, others may not.
  template <typename Visit>
  void for_each(Visit visit) {
    for (Node* node = head_.next_; node != &head_;) {
      Node* next = node->next_;
      visit(static_cast<T&>(*node));
      node = next;
    }
  }

 private:
  using Node = ListNode<Tag>;

  T& item_of(Node* node) noexcept {
    DCHECK(node != &head_);
    return static_cast<T&>(*node);
  }

  static void insert_before(Node& place, T& item) noexcept {
    Node& node = item;
    DCHECK(!node.is_linked());
    node.previous_ = place.previous_;
    node.next_ = &place;
    place.previous_->next_ = &node;
    place.previous_ = &node;
  }

  Node head_;
};

}  // namespace sluice

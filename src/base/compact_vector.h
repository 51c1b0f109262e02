// A vector that takes as little memory as it can: one pointer, and a block for what is in it, of exactly the size that
// was asked for. For trees whose nodes mostly have few children, or none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace sluice {

template <typename T>
class CompactVector {
 public:
  using value_type = T;

  CompactVector() = default;
  CompactVector(const CompactVector& other) {
    reserve(other.size());
    for (const T& item : other) push_back(item);
  }
  CompactVector(CompactVector&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  CompactVector& operator=(const CompactVector& other) { return *this = CompactVector(other); }
  CompactVector& operator=(CompactVector&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~CompactVector() {
    std::destroy(begin(), end());
    ::operator delete(block_);
  }

  [[nodiscard]] size_t size() const noexcept { return block_ == nullptr ? 0 : block_->size; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] T* data() noexcept { return const_cast<T*>(std::as_const(*this).data()); }
  [[nodiscard]] const T* data() const noexcept {
    return block_ == nullptr ? nullptr : reinterpret_cast<const T*>(block_ + 1);
  }
  [[nodiscard]] T* begin() noexcept { return data(); }
  [[nodiscard]] T* end() noexcept { return data() + size(); }
  [[nodiscard]] const T* begin() const noexcept { return data(); }
  [[nodiscard]] const T* end() const noexcept { return data() + size(); }
  [[nodiscard]] T& operator[](size_t index) noexcept { return data()[index]; }
  [[nodiscard]] const T& operator[](size_t index) const noexcept { return data()[index]; }
  [[nodiscard]] const T& back() const noexcept { return data()[size() - 1]; }

  void reserve(size_t count) {
    if (count <= capacity()) return;
    static_assert(alignof(T) <= sizeof(Block));
    CompactVector larger;
    larger.block_ = new (::operator new(sizeof(Block) + count * sizeof(T))) Block{0, static_cast<uint32_t>(count)};
    for (T& item : *this) larger.add(std::move(item));
    *this = std::move(larger);
  }
  void push_back(T item) {
    if (size() == capacity()) reserve(std::max<size_t>(1, 2 * size()));
    add(std::move(item));
  }
  void erase(size_t index) {
    std::move(begin() + index + 1, end(), begin() + index);
    std::destroy_at(end() - 1);
    --block_->size;
  }

 private:
  // The items follow it.
  struct Block {
    uint32_t size;
    uint32_t capacity;
  };

  [[nodiscard]] size_t capacity() const noexcept { return block_ == nullptr ? 0 : block_->capacity; }
  void add(T&& item) { std::construct_at(data() + block_->size++, std::move(item)); }

  Block* block_ = nullptr;
};

}  // namespace sluice

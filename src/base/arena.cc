#include "base/arena.h"

#include "base/check.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace sluice {

namespace {
constexpr size_t kBlockBytes = 4096;
}

void* Arena::allocate(size_t size, size_t alignment) noexcept {
  if (size > bytes_left()) return nullptr;
  const auto misalignment = reinterpret_cast<uintptr_t>(cursor_) & (alignment - 1);
  size_t padding = misalignment == 0 ? 0 : alignment - misalignment;
  if (cursor_ == nullptr || size + padding > static_cast<size_t>(end_ - cursor_)) {
    if (!add_block(size)) return nullptr;
    padding = 0;
  }
  std::byte* place = cursor_ + padding;
  cursor_ = place + size;
  used_ += size + padding;
  return place;
}

std::string_view Arena::copy(std::string_view text) noexcept {
  auto* place = static_cast<char*>(allocate(std::max<size_t>(text.size(), 1), 1));
  if (place == nullptr) return {};
  if (!text.empty()) std::memcpy(place, text.data(), text.size());
  return {place, text.size()};
}

std::string_view Arena::append(std::string_view head, std::string_view tail) noexcept {
  const bool at_end =
      head.data() != nullptr && reinterpret_cast<const std::byte*>(head.data() + head.size()) == cursor_;
  if (at_end && tail.size() <= static_cast<size_t>(end_ - cursor_) && tail.size() <= bytes_left()) {
    if (!tail.empty()) std::memcpy(cursor_, tail.data(), tail.size());
    cursor_ += tail.size();
    used_ += tail.size();
    return {head.data(), head.size() + tail.size()};
  }
  // Room to grow for a text that has outgrown its block: many small pieces cost twice the text, not
  // a copy of it each.
  const size_t size = std::max<size_t>(head.size() + tail.size(), 1);
  if (size > bytes_left()) return {};
  if (size > static_cast<size_t>(end_ - cursor_) && !add_block(2 * size)) return {};
  auto* place = static_cast<char*>(allocate(size, 1));
  if (place == nullptr) return {};
  if (!head.empty()) std::memcpy(place, head.data(), head.size());
  if (!tail.empty()) std::memcpy(place + head.size(), tail.data(), tail.size());
  return {place, head.size() + tail.size()};
}

void Arena::reset() noexcept {
  if (!given_.empty()) {
    release();
    return;
  }
  free_blocks_after_first();
  used_ = 0;
  if (first_ != nullptr) {
    cursor_ = reinterpret_cast<std::byte*>(first_ + 1);
    end_ = cursor_ + first_->size;
  }
}

void Arena::release() noexcept {
  free_blocks_after_first();
  std::free(first_);
  first_ = last_ = nullptr;
  cursor_ = given_.data();
  end_ = given_.data() + given_.size();
  used_ = 0;
}

bool Arena::add_block(size_t at_least) noexcept {
  const size_t size = std::max(kBlockBytes - sizeof(Block), at_least);
  auto* block = static_cast<Block*>(std::malloc(sizeof(Block) + size));
  if (block == nullptr) return false;
  *block = {.next = nullptr, .size = size};
  (last_ == nullptr ? first_ : last_->next) = block;
  last_ = block;
  cursor_ = reinterpret_cast<std::byte*>(block + 1);
  end_ = cursor_ + size;
  return true;
}

void Arena::free_blocks_after_first() noexcept {
  if (first_ == nullptr) return;
  for (Block* block = std::exchange(first_->next, nullptr); block != nullptr;) {
    Block* next = block->next;
    std::free(block);
    block = next;
  }
  last_ = first_;
}

}  // namespace sluice

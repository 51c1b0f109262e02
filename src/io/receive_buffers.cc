#include "io/receive_buffers.h"

#include "io/loop.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::io {

ReceiveBuffers::ReceiveBuffers(Loop& loop, unsigned count_max)
    : loop_(loop), count_max_(count_max), pieces_(std::make_unique_for_overwrite<Piece[]>(count_max)) {
  void* mapped = mmap(nullptr, size_t{count_max} * limits::receive_buffer_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(mapped != MAP_FAILED);
  memory_ = static_cast<std::byte*>(mapped);
}

ReceiveBuffers::~ReceiveBuffers() { munmap(memory_, size_t{count_max_} * limits::receive_buffer_bytes); }

void ReceiveBuffers::release(Id id) noexcept {
  DCHECK(held_count_ > 0);
  --held_count_;
  loop_.provide_buffer(id);
}

bool ReceiveBuffers::grow() noexcept {
  const unsigned target = std::min(count_max_, count_ == 0 ? limits::receive_buffers_min : count_ * 2);
  if (target == count_) return false;
  for (; count_ < target; ++count_) {
    Id id;
    if (taken_back_ != kNone) {
      id = std::exchange(taken_back_, pieces_[taken_back_].next);
    } else {
      id = static_cast<Id>(known_count_++);
    }
    loop_.provide_buffer(id);
  }
  return true;
}

void ReceiveBuffers::trim() noexcept {
  const unsigned wanted = std::max(limits::receive_buffers_min, 2 * std::exchange(most_held_, held_count_));
  while (count_ > wanted) {
    const Id id = loop_.take_back_buffer();
    --count_;
    madvise(memory(id), limits::receive_buffer_bytes, MADV_DONTNEED);
    pieces_[id].next = std::exchange(taken_back_, id);
  }
}

bool ReceiveBuffers::reclaim() {
  if (holders_.empty()) return false;
  holders_.front().move_to_heap();
  return true;
}

void ReceiveQueue::push(ReceiveBuffers::Id id, size_t size) noexcept {
  DCHECK(size > 0 && size <= limits::receive_buffer_bytes);
  size_ += static_cast<uint32_t>(size);
  if (last_ == ReceiveBuffers::kNone) {
    first_ = id;
    buffers_->holders_.push_back(*this);
  } else {
    auto& last = buffers_->pieces_[last_];
    if (limits::receive_buffer_bytes - last.end >= size) {
      std::memcpy(buffers_->memory(last_) + last.end, buffers_->memory(id), size);
      last.end += static_cast<uint32_t>(size);
      buffers_->release(id);
      return;
    }
    last.next = id;
  }
  buffers_->pieces_[id] = {.begin = 0, .end = static_cast<uint32_t>(size), .next = ReceiveBuffers::kNone};
  last_ = id;
}

ConstBytes ReceiveQueue::front() const noexcept {
  if (moved_ != nullptr) return {moved_.get() + moved_begin_, moved_end_ - moved_begin_};
  if (first_ == ReceiveBuffers::kNone) return {};
  const auto& piece = buffers_->pieces_[first_];
  return {buffers_->memory(first_) + piece.begin, piece.end - piece.begin};
}

void ReceiveQueue::consume(size_t size) noexcept {
  DCHECK(size <= size_);
  size_ -= static_cast<uint32_t>(size);
  if (moved_ != nullptr) {
    const size_t step = std::min<size_t>(size, moved_end_ - moved_begin_);
    moved_begin_ += static_cast<uint32_t>(step);
    size -= step;
    if (moved_begin_ == moved_end_) free_moved();
  }
  while (size > 0) {
    auto& piece = buffers_->pieces_[first_];
    const size_t step = std::min<size_t>(size, piece.end - piece.begin);
    piece.begin += static_cast<uint32_t>(step);
    size -= step;
    if (piece.begin == piece.end) release_first();
  }
}

void ReceiveQueue::release_first() noexcept {
  const ReceiveBuffers::Id emptied = first_;
  first_ = buffers_->pieces_[emptied].next;
  if (first_ == ReceiveBuffers::kNone) {
    last_ = ReceiveBuffers::kNone;
    unlink();
  }
  buffers_->release(emptied);
}

size_t ReceiveQueue::peek(MutableBytes destination) const noexcept {
  size_t copied = 0;
  if (moved_ != nullptr) {
    copied = std::min<size_t>(destination.size(), moved_end_ - moved_begin_);
    std::memcpy(destination.data(), moved_.get() + moved_begin_, copied);
  }
  for (ReceiveBuffers::Id id = first_; id != ReceiveBuffers::kNone && copied < destination.size();
       id = buffers_->pieces_[id].next) {
    const auto& piece = buffers_->pieces_[id];
    const size_t step = std::min<size_t>(destination.size() - copied, piece.end - piece.begin);
    std::memcpy(destination.data() + copied, buffers_->memory(id) + piece.begin, step);
    copied += step;
  }
  return copied;
}

// All of it, what was moved before included: it stays one piece.
void ReceiveQueue::move_to_heap() {
  auto bytes = std::make_unique_for_overwrite<std::byte[]>(size_);
  static_cast<void>(peek({bytes.get(), size_}));
  while (first_ != ReceiveBuffers::kNone) release_first();
  if (moved_ != nullptr) free_moved();
  moved_ = std::move(bytes);
  moved_begin_ = 0;
  moved_end_ = size_;
  buffers_->moved_bytes_ += moved_end_;
}

void ReceiveQueue::free_moved() noexcept {
  moved_.reset();
  buffers_->moved_bytes_ -= moved_end_;
}

void ReceiveQueue::clear() noexcept {
  if (size_ > 0) consume(size_);
}

}  // namespace sluice::io

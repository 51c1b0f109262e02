#include "io/receive_buffers.h"

#include "io/loop.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace sluice::io {

namespace {
constexpr size_t kMappedBytes = size_t{limits::receive_buffers_max} * limits::receive_buffer_bytes;
}

ReceiveBuffers::ReceiveBuffers(Loop& loop)
    : loop_(loop), pieces_(std::make_unique_for_overwrite<Piece[]>(limits::receive_buffers_max)) {
  void* mapped =
      mmap(nullptr, kMappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(mapped != MAP_FAILED);
  memory_ = static_cast<std::byte*>(mapped);
}

ReceiveBuffers::~ReceiveBuffers() { munmap(memory_, kMappedBytes); }

void ReceiveBuffers::release(Id id) noexcept {
  DCHECK(held_count_ > 0);
  --held_count_;
  loop_.provide_buffer(id);
}

bool ReceiveBuffers::grow() noexcept {
  const unsigned target =
      std::min(limits::receive_buffers_max, count_ == 0 ? limits::receive_buffers_start : count_ * 2);
  if (target == count_) return false;
  for (; count_ < target; ++count_) loop_.provide_buffer(static_cast<Id>(count_));
  return true;
}

void ReceiveQueue::push(ReceiveBuffers::Id id, size_t size) noexcept {
  DCHECK(size > 0 && size <= limits::receive_buffer_bytes);
  size_ += static_cast<uint32_t>(size);
  if (last_ == ReceiveBuffers::kNone) {
    first_ = id;
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
  if (first_ == ReceiveBuffers::kNone) return {};
  const auto& piece = buffers_->pieces_[first_];
  return {buffers_->memory(first_) + piece.begin, piece.end - piece.begin};
}

void ReceiveQueue::consume(size_t size) noexcept {
  DCHECK(size <= size_);
  size_ -= static_cast<uint32_t>(size);
  while (size > 0) {
    auto& piece = buffers_->pieces_[first_];
    const size_t step = std::min<size_t>(size, piece.end - piece.begin);
    piece.begin += static_cast<uint32_t>(step);
    size -= step;
    if (piece.begin < piece.end) break;
    const ReceiveBuffers::Id emptied = first_;
    first_ = piece.next;
    if (first_ == ReceiveBuffers::kNone) last_ = ReceiveBuffers::kNone;
    buffers_->release(emptied);
  }
}

size_t ReceiveQueue::peek(MutableBytes destination) const noexcept {
  size_t copied = 0;
  for (ReceiveBuffers::Id id = first_; id != ReceiveBuffers::kNone && copied < destination.size();
       id = buffers_->pieces_[id].next) {
    const auto& piece = buffers_->pieces_[id];
    const size_t step = std::min<size_t>(destination.size() - copied, piece.end - piece.begin);
    std::memcpy(destination.data() + copied, buffers_->memory(id) + piece.begin, step);
    copied += step;
  }
  return copied;
}

void ReceiveQueue::clear() noexcept {
  if (size_ > 0) consume(size_);
}

}  // namespace sluice::io

#include "io/send_queue.h"

#include "base/check.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::io {

MutableBytes SendQueue::reserve(size_t at_least) {
  if (last_ == nullptr || last_->capacity - last_->end < at_least) {
    Chunk& chunk = pool_->take(at_least);
    (last_ == nullptr ? first_ : last_->next) = &chunk;
    last_ = &chunk;
  }
  return {last_->bytes() + last_->end, last_->capacity - last_->end};
}

void SendQueue::commit(size_t used) noexcept {
  DCHECK(last_ != nullptr && used <= last_->capacity - last_->end);
  last_->end += static_cast<uint32_t>(used);
  size_ += used;
}

void SendQueue::append(ConstBytes bytes) {
  while (!bytes.empty()) {
    const MutableBytes room = reserve(1);
    const size_t step = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), step);
    commit(step);
    bytes = bytes.subspan(step);
  }
}

const msghdr& SendQueue::message() noexcept {
  DCHECK(!empty());
  msghdr& message = first_->message;
  message = {};
  message.msg_iov = first_->vectors;
  for (Chunk* chunk = first_; chunk != nullptr && message.msg_iovlen < limits::send_iovecs_max; chunk = chunk->next) {
    if (chunk->begin == chunk->end) continue;
    first_->vectors[message.msg_iovlen++] = {.iov_base = chunk->bytes() + chunk->begin,
                                             .iov_len = chunk->end - chunk->begin};
  }
  return message;
}

void SendQueue::consume(size_t size) noexcept {
  DCHECK(size <= size_);
  size_ -= size;
  while (first_ != nullptr) {
    const size_t step = std::min<size_t>(size, first_->end - first_->begin);
    first_->begin += static_cast<uint32_t>(step);
    size -= step;
    if (first_->begin < first_->end) return;
    pool_->give(*std::exchange(first_, first_->next));
  }
  last_ = nullptr;
}

void SendQueue::clear() noexcept {
  while (first_ != nullptr) pool_->give(*std::exchange(first_, first_->next));
  last_ = nullptr;
  size_ = 0;
}

}  // namespace sluice::io

// A socket's buffer, a pipe's content.
#pragma once

#include "base/byte_queue.h"

#include <algorithm>
#include <cstddef>

namespace sluice::sim {

// The first bytes of the queue, as many as there are and fit; returns how many.
inline size_t pop(ByteQueue& queue, MutableBytes room) {
  const size_t count = std::min(room.size(), queue.size());
  std::ranges::copy(queue.bytes().first(count), room.begin());
  queue.consume(count);
  return count;
}

}  // namespace sluice::sim

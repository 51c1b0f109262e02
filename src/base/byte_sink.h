// Where produced bytes go (serialised HTTP, encrypted records): room of the caller's choosing, filled
// in place. Plain function pointers with their owner: no allocation, no virtual call.
#pragma once

#include "base/bytes.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace sluice {

struct ByteSink {
  MutableBytes (*reserve)(void* owner, size_t at_least);  // at least that many contiguous bytes
  void (*commit)(void* owner, size_t used);               // how many of the last reserve() were filled
  void* owner;

  // Uses what room there is before it asks for more: need not be contiguous.
  void append(ConstBytes bytes) const {
    while (!bytes.empty()) {
      const MutableBytes room = reserve(owner, 1);
      const size_t step = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), step);
      commit(owner, step);
      bytes = bytes.subspan(step);
    }
  }
};

}  // namespace sluice

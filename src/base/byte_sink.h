// Where produced bytes go (serialised HTTP, encrypted records): room of the caller's choosing, filled
// in place. Plain function pointers with their owner: no allocation, no virtual call.
#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstring>

namespace sluice {

struct ByteSink {
  MutableBytes (*reserve)(void* owner, size_t at_least);  // at least that many contiguous bytes
  void (*commit)(void* owner, size_t used);               // how many of the last reserve() were filled
  void* owner;

  void append(ConstBytes bytes) const {
    if (bytes.empty()) return;
    std::memcpy(reserve(owner, bytes.size()).data(), bytes.data(), bytes.size());
    commit(owner, bytes.size());
  }
};

}  // namespace sluice

// Where benchmarks write to: the same memory again and again.
#pragma once

#include "base/byte_sink.h"
#include "base/bytes.h"

#include <cstddef>
#include <vector>

namespace sluice::bench {

struct FixedSink {
  std::vector<std::byte> memory = std::vector<std::byte>(64 * 1024);
  size_t used = 0;

  [[nodiscard]] ByteSink sink() {
    return {[](void* owner, size_t) { return MutableBytes(static_cast<FixedSink*>(owner)->memory); },
            [](void* owner, size_t size) { static_cast<FixedSink*>(owner)->used += size; }, this};
  }
};

}  // namespace sluice::bench

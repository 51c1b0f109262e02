// The fixed sequences whose instructions are counted: each is one kind of traffic, always the same, in a world of its
// own. Some rounds warm up what is pooled or kept; those that follow are measured.
#pragma once

#include <span>
#include <string_view>

namespace sluice::instructions {

struct Sequence {
  std::string_view name;  // "http1/keep-alive-small"; a line of baseline.txt
  // Gives the number of requests that were measured, or of what takes their place. Ends the process where the gateway
  // does not do what it should.
  unsigned (*run)();
};

[[nodiscard]] std::span<const Sequence> all_sequences();

}  // namespace sluice::instructions

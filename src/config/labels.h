// Labels of Kubernetes objects, and selectors of them.
#pragma once

#include "config/schema.h"

#include <algorithm>

namespace sluice::config {

// Whether every label of `some` is among `all`, with the same value.
[[nodiscard]] inline bool has_labels(const TextMap& all, const TextMap& some) {
  return std::ranges::all_of(some, [&](const auto& wanted) {
    return std::ranges::any_of(all, [&](const auto& label) {
      return label.first == wanted.first && label.second.value == wanted.second.value;
    });
  });
}

}  // namespace sluice::config

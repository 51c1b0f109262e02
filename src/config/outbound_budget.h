// A bound on what the routes of outbound traffic cost: a few documents could ask for any number of them, as every
// registered port may have the routes of every VirtualService.
#pragma once

#include "base/limits.h"
#include "config/diagnostic.h"
#include "config/yaml_document.h"

#include <fmt/format.h>

#include <cstddef>

namespace sluice::config {

class OutboundBudget {
 public:
  explicit OutboundBudget(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  // Steps of about equal cost. False: there are none left, which is an error at the node whose turn it is, said once.
  [[nodiscard]] bool take(size_t steps, const Node& node) {
    if (steps <= left_) {
      left_ -= steps;
      return true;
    }
    if (!is_exceeded_) {
      diagnostics_.error(node.place(), fmt::format("too many routes of outbound traffic: more than {} combinations of "
                                                   "registered hosts, ports and what VirtualServices say of them",
                                                   limits::config_host_pairs_max));
    }
    is_exceeded_ = true;
    left_ = 0;
    return false;
  }

 private:
  Diagnostics& diagnostics_;
  size_t left_ = limits::config_host_pairs_max;
  bool is_exceeded_ = false;
};

}  // namespace sluice::config

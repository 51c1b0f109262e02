// The path that a destination sees in place of the one that was asked for: a pure function.
#pragma once

#include "http/head.h"
#include "snapshot/route_actions.h"

#include <cstdint>

namespace sluice::route {

enum class Rewritten : uint8_t {
  ok,
  too_large,  // the head's arena is full, or the path is longer than limits::target_bytes_max: 431
  failed,     // more replacements than limits::regex_replacements_max: 400
};

// Replaces head.path, which `match` has matched, and keeps path and query as they were in x-envoy-original-path. What a
// path must begin with, "/", is put before a result without it.
[[nodiscard]] Rewritten rewrite_path(const snapshot::Rewrite& rewrite, const snapshot::RequestMatch& match,
                                     http::RequestHead& head);

}  // namespace sluice::route

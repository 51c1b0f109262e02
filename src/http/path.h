// Paths as Envoy normalises them for Istio's pathNormalization BASE (RFC 3986 6.2.2 by way of Chromium's URL
// canonicalizer): dot segments are resolved ("%2e" is a dot), unreserved characters are decoded, "\" becomes
// "/", characters that a path must not hold are encoded. "%2F" and the case of other encodings stay, and so
// do double slashes. Stricter than Envoy in one thing: a "%" without two hexadecimal digits is refused,
// because decoding around it could form an encoding that was not there.
// MERGE_SLASHES makes one slash of several after that; DECODE_AND_MERGE_SLASHES first makes a slash of "%2F" and "%5C",
// once. NONE leaves everything as it came, "%00" too.
#pragma once

#include "base/arena.h"
#include "base/path_normalization.h"

#include <cstdint>
#include <string_view>

namespace sluice::http {

enum class PathResult : uint8_t {
  ok,
  bad,        // "%00", "%" without two hexadecimal digits, or not starting with "/"
  too_large,  // the arena is full
};

// Replaces `path` (without query) by its normal form, which lies in the arena unless nothing was to be done.
[[nodiscard]] PathResult normalize_path(std::string_view& path, Arena& arena, PathNormalization normalization) noexcept;

}  // namespace sluice::http

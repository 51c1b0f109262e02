// What is done to the paths of requests before they are routed and go upstream (MeshConfig pathNormalization).
#pragma once

#include <cstdint>

namespace sluice {

enum class PathNormalization : uint8_t {
  none,                      // paths stay as they came
  base,                      // http/path.h
  merge_slashes,             // base, then slashes in a row are one
  decode_and_merge_slashes,  // "%2F" and "%5C" are slashes, then as above
};

}  // namespace sluice

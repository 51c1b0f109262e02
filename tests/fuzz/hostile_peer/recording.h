// How the corpus gets flights that are real: with SLUICE_FUZZ_RECORDING in the environment, what goes over the wire in
// a conversation is written to that file, as an input that sends it as it is.
#pragma once

#include "wire.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace sluice::fuzz {

// `head`: the bytes of the input that choose both sides, the first one with its bit 0 set.
inline void record(std::string head, const Wire& wire) {
  const char* path = std::getenv("SLUICE_FUZZ_RECORDING");
  if (path == nullptr) return;
  head[0] = static_cast<char>(head[0] | 1);
  std::ofstream(path, std::ios::binary) << head << wire.bytes();
}

}  // namespace sluice::fuzz

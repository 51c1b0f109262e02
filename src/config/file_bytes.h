// A file read whole, within a bound. Control plane only; blocking.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>

namespace sluice::config {

struct FileBytes {
  std::string bytes;
  unsigned mode = 0;  // permission bits, as in chmod(1)
};

// Symbolic links are followed; what is not a regular file is refused, without waiting for a FIFO's writer.
// The error says what is wrong, without naming the file.
[[nodiscard]] Result<FileBytes> read_file(const std::string& path, size_t bytes_max);

}  // namespace sluice::config

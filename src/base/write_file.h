// Writing a file so that readers see the old one or the new one, never half of it (rename(2)).
#pragma once

#include "base/result.h"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace sluice {

// With exactly this mode, synchronised to the disk. A failure leaves nothing behind.
[[nodiscard]] Status write_file_atomically(const std::string& path, std::string_view content, mode_t mode);

}  // namespace sluice

#include "base/result.h"

#include <cstring>

namespace sluice {

std::string errno_text(int error) {
  const char* text = strerrordesc_np(error);
  const char* symbol = strerrorname_np(error);
  if (text == nullptr || symbol == nullptr) return "error " + std::to_string(error);
  return std::string(text) + " (" + symbol + ")";
}

}  // namespace sluice

// The fuzzer's bytes as a program: choices are read off its front, and there is nothing after its end but zeros.
// A choice of 0 is always the uneventful one, so that the shortest program is a plain conversation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::fuzz {

class Program {
 public:
  explicit Program(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool is_at_end() const { return bytes_.empty(); }
  [[nodiscard]] uint8_t byte() { return static_cast<uint8_t>(text(1).c_str()[0]); }
  // Less than `bound`, which may be 0; then so is the number.
  [[nodiscard]] size_t number(size_t bound) {
    if (bound <= 1) return 0;
    size_t value = byte();
    if (bound > 256) value = value << 8 | byte();
    return value % bound;
  }
  // So many bytes, or as many as there are.
  [[nodiscard]] std::string text(size_t size) {
    std::string taken(bytes_.substr(0, size));
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace sluice::fuzz

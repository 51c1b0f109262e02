// Reads along what a client of HTTP/2 receives, for what its session does not tell.
#pragma once

#include "base/bytes.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice::sim {

class Http2FrameWatch {
 public:
  void read(ConstBytes bytes) {
    for (const std::byte byte : bytes) read(static_cast<uint8_t>(byte));
  }

  [[nodiscard]] size_t ping_acks() const noexcept { return ping_acks_; }
  [[nodiscard]] bool has_goaway() const noexcept { return has_goaway_; }
  // Of the last GOAWAY; 0: no error.
  [[nodiscard]] uint32_t goaway_code() const noexcept { return goaway_code_; }
  // Content, padding and all.
  [[nodiscard]] uint64_t data_bytes() const noexcept { return data_bytes_; }
  [[nodiscard]] size_t resets() const noexcept { return resets_; }

 private:
  static constexpr size_t header_size = 9;       // RFC 9113 4.1
  static constexpr size_t goaway_head_size = 8;  // RFC 9113 6.8
  enum : uint8_t { data = 0, rst_stream = 3, ping = 6, goaway = 7 };

  void read(uint8_t byte) {
    if (seen_ < head_.size()) head_[seen_] = byte;
    if (++seen_ < header_size) return;
    const size_t size = number(0, 3);
    if (seen_ < header_size + size) return;
    if (head_[3] == ping && (head_[4] & 1) != 0) ++ping_acks_;
    if (head_[3] == rst_stream) ++resets_;
    if (head_[3] == data) data_bytes_ += size;
    if (head_[3] == goaway && size >= goaway_head_size) {
      has_goaway_ = true;
      goaway_code_ = number(header_size + 4, 4);
    }
    seen_ = 0;
  }

  [[nodiscard]] uint32_t number(size_t at, size_t bytes) const {
    uint32_t number = 0;
    for (size_t i = 0; i < bytes; ++i) number = number << 8 | head_[at + i];
    return number;
  }

  std::array<uint8_t, header_size + goaway_head_size> head_{};  // of the current frame
  size_t seen_ = 0;                                             // of it
  size_t ping_acks_ = 0;
  size_t resets_ = 0;
  uint64_t data_bytes_ = 0;
  bool has_goaway_ = false;
  uint32_t goaway_code_ = 0;
};

}  // namespace sluice::sim

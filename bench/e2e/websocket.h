// As much of WebSocket (RFC 6455) as messages of fewer than 126 bytes need.
#pragma once

#include <string>
#include <string_view>

namespace sluice::bench {

// The key of the RFC's example, and what a server must answer to it (1.3).
inline constexpr std::string_view kWebSocketKey = "dGhlIHNhbXBsZSBub25jZQ==";
inline constexpr std::string_view kWebSocketAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

inline constexpr size_t kServerFrameHead = 2;
inline constexpr size_t kClientFrameHead = kServerFrameHead + 4;  // with the mask

inline std::string server_frame(std::string_view payload) {
  std::string frame{'\x82', static_cast<char>(payload.size())};
  return frame += payload;
}

inline std::string client_frame(std::string_view payload) {
  constexpr std::string_view kMask = "\x21\x43\x65\x07";
  std::string frame{'\x82', static_cast<char>(0x80U | payload.size())};
  frame += kMask;
  for (size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ kMask[i % 4]);
  return frame;
}

// What a complete frame of a client at the front of `bytes` carries; `size` becomes that of the frame, 0: incomplete.
inline std::string take_client_frame(std::string_view bytes, size_t& size) {
  size = 0;
  if (bytes.size() < kClientFrameHead) return {};
  const size_t length = static_cast<unsigned char>(bytes[1]) & 0x7fU;
  if (bytes.size() < kClientFrameHead + length) return {};
  std::string payload;
  for (size_t i = 0; i < length; ++i) {
    payload += static_cast<char>(bytes[kClientFrameHead + i] ^ bytes[kServerFrameHead + i % 4]);
  }
  size = kClientFrameHead + length;
  return payload;
}

}  // namespace sluice::bench

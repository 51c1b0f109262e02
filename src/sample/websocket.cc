#include "sample/websocket.h"

#include "http/websocket.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace sluice::sample {

namespace {

// RFC 6455 5.2.
constexpr uint8_t kOpcodeClose = 8;
constexpr uint8_t kOpcodePing = 9;
constexpr uint8_t kOpcodePong = 10;
constexpr uint64_t kControlBytesMax = 125;
constexpr size_t kPieceBytes = 64 * 1024;

struct Frame {
  bool is_final = false;
  uint8_t opcode = 0;
  uint64_t length = 0;
  std::array<uint8_t, 4> mask{};

  [[nodiscard]] bool is_control() const noexcept { return opcode >= kOpcodeClose; }
};

bool read_exactly(web::Connection& connection, MutableBytes room) {
  while (!room.empty()) {
    const size_t count = connection.read_raw(room);
    if (count == 0) return false;
    room = room.subspan(count);
  }
  return true;
}

bool read_exactly(web::Connection& connection, std::span<uint8_t> room) {
  return read_exactly(connection, std::as_writable_bytes(room));
}

// Nothing at the end of the stream, or for what a client must not send (RFC 6455 5.1, 5.2, 5.5).
std::optional<Frame> read_frame(web::Connection& connection) {
  std::array<uint8_t, 2> start;
  if (!read_exactly(connection, start)) return std::nullopt;
  Frame frame{
      .is_final = (start[0] & 0x80) != 0, .opcode = static_cast<uint8_t>(start[0] & 15), .length = start[1] & 0x7fU};
  const bool has_reserved_bits = (start[0] & 0x70) != 0;
  const bool is_masked = (start[1] & 0x80) != 0;
  if (has_reserved_bits || !is_masked) return std::nullopt;
  if (frame.is_control() && (!frame.is_final || frame.length > kControlBytesMax)) return std::nullopt;

  std::array<uint8_t, 8> length{};
  const size_t length_bytes = frame.length == 126 ? 2 : frame.length == 127 ? 8 : 0;
  if (!read_exactly(connection, std::span(length).first(length_bytes))) return std::nullopt;
  if (length_bytes > 0) {
    frame.length = 0;
    for (size_t i = 0; i < length_bytes; ++i) frame.length = frame.length << 8 | length[i];
  }
  if (frame.length >> 63 != 0 || !read_exactly(connection, frame.mask)) return std::nullopt;
  return frame;
}

void write_frame_head(web::Connection& connection, const Frame& frame, uint8_t opcode) {
  std::vector<uint8_t> head{static_cast<uint8_t>((frame.is_final ? 0x80 : 0) | opcode)};
  const int length_bytes = frame.length <= kControlBytesMax ? 0 : frame.length <= UINT16_MAX ? 2 : 8;
  head.push_back(static_cast<uint8_t>(length_bytes == 0 ? frame.length : length_bytes == 2 ? 126 : 127));
  for (int shift = 8 * (length_bytes - 1); shift >= 0; shift -= 8)
    head.push_back(static_cast<uint8_t>(frame.length >> shift));
  connection.write_raw(std::as_bytes(std::span(head)));
}

// The payload goes back piece by piece, without the mask.
bool echo(web::Connection& connection, const Frame& frame, uint8_t opcode) {
  write_frame_head(connection, frame, opcode);
  std::vector<std::byte> piece(static_cast<size_t>(std::min<uint64_t>(frame.length, kPieceBytes)));
  for (uint64_t done = 0; done < frame.length && !connection.is_broken();) {
    const MutableBytes room =
        MutableBytes(piece).first(static_cast<size_t>(std::min<uint64_t>(frame.length - done, piece.size())));
    const size_t count = connection.read_raw(room);
    if (count == 0) return false;
    for (size_t i = 0; i < count; ++i) room[i] ^= std::byte{frame.mask[(done + i) % 4]};
    connection.write_raw(room.first(count));
    done += count;
  }
  return !connection.is_broken();
}

bool skip(web::Connection& connection, const Frame& frame) {
  std::array<uint8_t, kControlBytesMax> payload;
  return read_exactly(connection, std::span(payload).first(static_cast<size_t>(frame.length)));
}

}  // namespace

void serve_websocket(web::Connection& connection, const http::RequestHead& request) {
  if (!request.wants_upgrade || !http::is_websocket(request.upgrade)) {
    const web::Connection::Field upgrade{"upgrade", "websocket"};
    return connection.respond(426, "text/plain", "this is a WebSocket; connect with an upgrade\n", {&upgrade, 1});
  }
  const auto key = request.headers.find("sec-websocket-key");
  if (!key || request.headers.find("sec-websocket-version") != "13") {
    return connection.respond(400, "text/plain", "a WebSocket handshake needs sec-websocket-key and version 13\n");
  }
  const http::WebSocketAccept accept(*key);
  const web::Connection::Field field{"sec-websocket-accept", accept.text()};
  connection.switch_protocols("websocket", {&field, 1});
  while (const std::optional<Frame> frame = read_frame(connection)) {
    if (frame->opcode == kOpcodePong) {
      if (!skip(connection, *frame)) return;
      continue;
    }
    if (!echo(connection, *frame, frame->opcode == kOpcodePing ? kOpcodePong : frame->opcode)) return;
    if (frame->opcode == kOpcodeClose) return;
  }
}

}  // namespace sluice::sample

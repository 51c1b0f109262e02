// Both ends of an HTTP/2 connection for tests: a session of ours with an owner that keeps what it is told, and frames
// made by hand.
#pragma once

#include "base/arena.h"
#include "base/check.h"
#include "base/limits.h"
#include "http/http2_session.h"
#include "support/http_reading.h"

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::test {

// --- Frames (RFC 9113 4.1) and header blocks without compression (RFC 7541 6.2.2) --------------------

enum class Frame : uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9,
};

inline constexpr uint8_t end_stream = 1;
inline constexpr uint8_t ack = 1;
inline constexpr uint8_t end_headers = 4;
inline constexpr uint8_t padded = 8;

inline constexpr std::string_view client_magic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string big_endian(uint64_t number, unsigned bytes) {
  std::string text;
  for (unsigned i = bytes; i > 0; --i) text += static_cast<char>(number >> (8 * (i - 1)));
  return text;
}

inline std::string frame(Frame type, uint8_t flags, uint32_t id, std::string_view payload = {}) {
  std::string text = big_endian(payload.size(), 3);
  text += static_cast<char>(type);
  text += static_cast<char>(flags);
  text += big_endian(id, 4);
  text += payload;
  return text;
}

// RFC 7541 5.1, with a prefix of 7 bits.
inline std::string hpack_text(std::string_view text) {
  std::string coded;
  if (text.size() < 127) {
    coded += static_cast<char>(text.size());
  } else {
    coded += '\x7f';
    size_t rest = text.size() - 127;
    for (; rest >= 128; rest /= 128) coded += static_cast<char>(128 + rest % 128);
    coded += static_cast<char>(rest);
  }
  return coded += text;
}

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string header_block(const Fields& fields) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block += '\0';
    block += hpack_text(name) + hpack_text(value);
  }
  return block;
}

// One HEADERS frame, and CONTINUATION frames when it is too long.
inline std::string headers_frames(uint32_t id, std::string_view block, uint8_t flags) {
  constexpr size_t most = 16'384;
  std::string text;
  for (bool is_first = true; is_first || !block.empty(); is_first = false) {
    const std::string_view piece = block.substr(0, most);
    block.remove_prefix(piece.size());
    const uint8_t own_flags = static_cast<uint8_t>((is_first ? flags : 0) | (block.empty() ? end_headers : 0));
    text += frame(is_first ? Frame::headers : Frame::continuation, own_flags, id, piece);
  }
  return text;
}

inline std::string headers_frame(uint32_t id, const Fields& fields, uint8_t flags = end_stream) {
  return headers_frames(id, header_block(fields), flags);
}

inline Fields get_fields(Fields more = {}) {
  Fields fields{{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

inline std::string setting(uint16_t id, uint32_t value) { return big_endian(id, 2) + big_endian(value, 4); }

inline std::string client_preface(std::string_view settings = {}) {
  return std::string(client_magic) + frame(Frame::settings, 0, 0, settings);
}
inline std::string server_preface(std::string_view settings = {}) { return frame(Frame::settings, 0, 0, settings); }

// What a session wrote, frame by frame.
struct WrittenFrame {
  Frame type;
  uint8_t flags;
  uint32_t id;
  std::string payload;
};

inline uint64_t number_at(std::string_view text, size_t at, unsigned bytes) {
  uint64_t number = 0;
  for (unsigned i = 0; i < bytes; ++i) number = number << 8 | static_cast<unsigned char>(text.at(at + i));
  return number;
}

inline std::vector<WrittenFrame> frames_of(std::string_view text) {
  if (text.starts_with(client_magic)) text.remove_prefix(client_magic.size());
  std::vector<WrittenFrame> frames;
  while (!text.empty()) {
    const size_t size = number_at(text, 0, 3);
    frames.push_back({.type = static_cast<Frame>(text.at(3)),
                      .flags = static_cast<uint8_t>(text.at(4)),
                      .id = static_cast<uint32_t>(number_at(text, 5, 4)),
                      .payload = std::string(text.substr(9, size))});
    text.remove_prefix(9 + size);
  }
  return frames;
}

// --- A session and its owner -----------------------------------------------------------------------

class Http2End {
 public:
  using Role = http::Http2Session::Role;

  // A request with its response, as an exchange would have it.
  struct Message {
    explicit Message(http::Http2Session& session)
        : arena(limits::exchange_arena_bytes_max), request(arena), response(arena), stream(session) {}

    // What has come, consumed.
    std::string read() {
      std::string text(as_text(stream.content()));
      stream.consume(text.size());
      return text;
    }

    Arena arena;
    http::RequestHead request;
    http::ResponseHead response;
    http::Http2Stream stream;
    unsigned changes = 0;  // how often it was told
  };

  explicit Http2End(Role role) : session(role, sink(), {on_request, on_stream_change, this}) {}
  ~Http2End() { messages.clear(); }

  bool receive(std::string_view input) {
    // A copy of exactly this size: the address sanitizer sees whoever reads beyond it.
    const std::vector<char> copy(input.begin(), input.end());
    const bool is_alive = session.receive(as_bytes({copy.data(), copy.size()}));
    session.tell_changes();
    return is_alive;
  }

  bool has_output() {
    session.flush();
    return !output.empty();
  }
  std::string take_output() {
    session.flush();
    return std::exchange(output, {});
  }
  std::vector<WrittenFrame> take_frames() { return frames_of(take_output()); }

  Message& add_message() { return *messages.emplace_back(std::make_unique<Message>(session)); }

  // Client: a request without content.
  Message& get(std::string_view path = "/", std::string_view method = "GET") {
    return send(method, path, http::MessageFraming{}, true);
  }
  // Client: a request whose content is still to be written.
  Message& post(std::string_view path = "/") { return send("POST", path, {.body = http::BodyFraming::chunked}, false); }

  Message& send(std::string_view method, std::string_view path, const http::MessageFraming& framing, bool is_end) {
    Message& message = add_message();
    message.stream.expect_response(message.response);
    message.stream.send_request(method, "https", "a.example", path, http::HeaderList(message.arena), framing, is_end);
    return message;
  }

  // Server: a response; with content, all of it.
  void respond(Message& message, uint16_t status = 200, std::string_view content = {}) {
    const http::MessageFraming framing{.body = http::BodyFraming::content_length, .content_length = content.size()};
    message.stream.send_response(status, http::HeaderList(message.arena), framing, content.empty());
    if (!content.empty()) message.stream.write_last(as_bytes(content));
  }

  Message& last() { return *messages.back(); }
  void destroy(Message& message) {
    std::erase_if(messages, [&](const auto& other) { return other.get() == &message; });
  }

  [[nodiscard]] ByteSink sink() {
    return {[](void* owner, size_t at_least) {
              auto& self = *static_cast<Http2End*>(owner);
              self.room_.assign(std::max<size_t>(at_least, 100), '\0');
              return MutableBytes(reinterpret_cast<std::byte*>(self.room_.data()), self.room_.size());
            },
            [](void* owner, size_t used) {
              auto& self = *static_cast<Http2End*>(owner);
              self.output.append(self.room_.data(), used);
            },
            this};
  }

 private:
  static http::Http2Stream* on_request(void* owner) {
    auto& self = *static_cast<Http2End*>(owner);
    if (!self.accepts) return nullptr;
    Message& message = self.add_message();
    message.stream.expect_request(message.request);
    return &message.stream;
  }

  static void on_stream_change(void* owner, http::Http2Stream& stream) {
    auto& self = *static_cast<Http2End*>(owner);
    const auto found =
        std::ranges::find_if(self.messages, [&](const auto& message) { return &message->stream == &stream; });
    CHECK(found != self.messages.end());
    ++(*found)->changes;
    if (self.on_change) self.on_change(**found);
  }

  std::vector<char> room_;

 public:
  std::string output;
  bool accepts = true;  // server: requests
  std::function<void(Message&)> on_change;
  http::Http2Session session;
  std::vector<std::unique_ptr<Message>> messages;
};

// A client and a server of ours.
struct Http2Pair {
  Http2Pair() { run(); }

  // Carries bytes both ways until nobody has any.
  void run() {
    while (client.has_output() || server.has_output()) {
      if (!server.receive(client.take_output())) server_broke = true;
      if (!client.receive(server.take_output())) client_broke = true;
    }
  }

  Http2End client{Http2End::Role::client};
  Http2End server{Http2End::Role::server};
  bool client_broke = false;
  bool server_broke = false;
};

}  // namespace sluice::test

// One HTTP/1.1 connection of a server that may block: the admin and status ports and the sample
// upstream, not the data plane. Reads requests, writes responses, bounds both in bytes and time. A peer
// that is gone or too slow makes every later call do nothing: handlers need not look at each write.
// One thread, that of web::Server which serves this connection.
#pragma once

#include "base/arena.h"
#include "base/byte_sink.h"
#include "base/bytes.h"
#include "base/durations.h"
#include "http/head.h"
#include "http/http1_reader.h"
#include "http/http1_writer.h"
#include "io/blocking_socket.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::web {

struct ConnectionLimits {
  size_t head_bytes_max = 16 * 1024;          // of a request, and of what a response adds to it
  Duration idle = std::chrono::seconds(10);   // until the first byte of a request
  Duration head = std::chrono::seconds(5);    // then until the end of its head
  Duration stall = std::chrono::seconds(10);  // a body or a response that does not move
};

class Connection {
 public:
  struct Field {
    std::string_view name;  // lower case
    std::string_view value;
  };

  Connection(io::BlockingSocket socket, const ConnectionLimits& limits);

  // The next request, whose texts live until the next call. Null: the client has closed, was too slow, or
  // sent what is not HTTP, which has been answered.
  [[nodiscard]] const http::RequestHead* read_request();

  // The content of the request: calls sink for every piece. False: it broke off. Answers "100-continue".
  bool read_body(http::BodySink sink);

  // A whole response. To HEAD it shows its length and sends no content.
  void respond(uint16_t status, std::string_view content_type, std::string_view body, std::span<const Field> more = {});

  // A response in pieces: begin, write_content as often as needed, end.
  void begin_sized(uint16_t status, std::string_view content_type, uint64_t length);
  void begin_chunked(uint16_t status, std::string_view content_type);
  void write_content(ConstBytes content);
  void end_response();

  // 101 (RFC 9110 7.8); afterwards the bytes belong to the new protocol: read_raw and write_raw.
  void switch_protocols(std::string_view upgrade, std::span<const Field> more);
  // At least one byte; 0: the peer is gone, or was silent for `limits.idle`.
  [[nodiscard]] size_t read_raw(MutableBytes room);
  void write_raw(ConstBytes bytes);

  // After the handler: sends what is still buffered and reads off what the handler did not. True when the
  // connection can serve another request.
  [[nodiscard]] bool finish_request();
  // The orderly end: what has been written reaches a client that is still sending (RFC 9112 9.6).
  void close();

  // Waits, unless the client leaves or the server stops: then it is broken.
  void pause(Duration duration);

  [[nodiscard]] bool is_broken() const noexcept { return is_broken_; }
  // Content that is written now goes to the client: not for HEAD, not when it is gone.
  [[nodiscard]] bool takes_content() const noexcept { return !is_broken_ && !drops_content_; }
  // Any thread: whoever waits in a call comes back.
  void shutdown() const noexcept { socket_.shutdown(); }
  [[nodiscard]] SocketAddress peer_address() const noexcept { return socket_.peer_address(); }

 private:
  [[nodiscard]] bool fill_input(io::Deadline deadline);
  [[nodiscard]] const http::RequestHead* refuse();
  void begin_response(uint16_t status, std::string_view content_type, http::MessageFraming framing,
                      std::span<const Field> more);
  void flush();
  [[nodiscard]] ByteSink sink() noexcept;

  io::BlockingSocket socket_;
  ConnectionLimits limits_;
  Arena arena_;  // of the current request and the head of its response
  http::Http1Reader reader_;
  std::optional<http::RequestHead> head_;
  std::vector<std::byte> input_buffer_;
  ConstBytes input_;               // received and not consumed, in input_buffer_
  std::vector<std::byte> output_;  // to be sent
  size_t output_size_ = 0;         // of output_; the rest is room
  bool is_response_begun_ = false;
  bool is_chunked_ = false;
  bool drops_content_ = false;  // the response to HEAD
  bool has_to_close_ = false;   // after this response
  bool is_broken_ = false;
};

}  // namespace sluice::web

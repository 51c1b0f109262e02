// HTTP/1 messages: bytes in, events out (RFC 9112). llhttp reads heads and the chunked coding; bodies
// framed by length or by the connection's end are counted here. Strict: whatever RFC 9112 calls
// invalid or ambiguous is an error, never a guess. No I/O, no allocation but from the given arena.
//
// One reader per direction of a connection; it reads message after message:
//
//   begin_*()      once per message, with the arena of the exchange
//   read_head()    until it says `done`; the bytes after the head are left in the input
//   read_body()    until it says `done`; the bytes of the next message are left in the input
//
// One owner, one thread.
#pragma once

#include "base/bytes.h"
#include "http/head.h"
#include "http/reading.h"

#include <llhttp.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::http {

struct ReadStep {
  size_t consumed = 0;  // bytes of the input that the caller must drop
  Progress progress = Progress::more;
};

class Http1Reader {
 public:
  enum class Role : uint8_t { requests, responses };

  explicit Http1Reader(Role role) noexcept;
  Http1Reader(const Http1Reader&) = delete;
  Http1Reader& operator=(const Http1Reader&) = delete;

  // The next message's head goes into `head`, whose arena keeps the texts; it must stay until the
  // message is done. Blank lines before a request line are skipped (RFC 9112 2.2).
  void begin_request(RequestHead& head) noexcept;

  // `request_method` decides the framing (HEAD, CONNECT). A final and an informational response are
  // each one message: after a 1xx (but 101) call begin_response again with a fresh head.
  void begin_response(ResponseHead& head, std::string_view request_method) noexcept;

  [[nodiscard]] ReadStep read_head(ConstBytes input) noexcept;

  // Requires a head that is done. With framing `none` it is done at once and consumes nothing.
  // `input` may be empty. Trailers, when the message has them, are in trailers() afterwards.
  [[nodiscard]] ReadStep read_body(ConstBytes input, BodySink sink) noexcept;

  // The peer closed its side. False: the message is truncated (error() == truncated). True: the body
  // was framed by the close and is now complete, or no message had begun.
  [[nodiscard]] bool end_of_input() noexcept;

  // Bytes of the head were read, but not all of it.
  [[nodiscard]] bool is_inside_head() const noexcept;

  // Content bytes that may still come without touching the framing: the rest of a content_length
  // body, UINT64_MAX for until_close, 0 otherwise. What splice may move past this reader.
  [[nodiscard]] uint64_t passable_bytes() const noexcept;
  // `count` content bytes went by without read_body; count <= passable_bytes().
  void pass_by(uint64_t count) noexcept;
  // The body is complete (all content read or passed by).
  [[nodiscard]] bool is_body_done() const noexcept;

  // Trailer fields of a chunked message, once the body is done; framing fields are refused
  // (RFC 9110 6.5.1), and a request's x-forwarded-* and x-envoy-* are left out: only the edge sets them.
  [[nodiscard]] const HeaderList& trailers() const noexcept;

  [[nodiscard]] ReadError error() const noexcept { return error_; }
  // For the access log: "http1.codec_error"-like detail, a static text.
  [[nodiscard]] std::string_view error_text() const noexcept { return error_text_; }

 private:
  enum class Phase : uint8_t {
    idle,    // no message has begun
    head,    // until read_head says `done`
    body,    // content or its framing is still to come
    done,    // the message is complete
    failed,  // error_ says why; for good
  };

  struct Callbacks;  // llhttp's, in http1_reader.cc

  void begin(HeaderList& fields) noexcept;
  [[nodiscard]] size_t skip_blank_lines(ConstBytes input) noexcept;
  [[nodiscard]] ConstBytes copy_of_whole_head(ConstBytes input) noexcept;
  [[nodiscard]] size_t run_parser(ConstBytes input) noexcept;
  void check_protocol(ConstBytes input) noexcept;
  void finish_head() noexcept;
  [[nodiscard]] ReadStep read_counted(ConstBytes input, BodySink sink) noexcept;
  [[nodiscard]] ReadStep read_chunked(ConstBytes input, BodySink sink) noexcept;
  void fail_as_parser_did(ConstBytes input) noexcept;
  void refuse_too_large(bool is_trailer) noexcept;
  void fail(ReadError error, std::string_view text) noexcept;

  // What Callbacks do; false when the message was refused.
  [[nodiscard]] bool add_to_target(const char* at, size_t size) noexcept;
  void note_end_of_target() noexcept;
  [[nodiscard]] bool add_to_version(const char* at, size_t size) noexcept;
  [[nodiscard]] bool append(std::string_view& text, const char* at, size_t size) noexcept;
  [[nodiscard]] bool finish_field() noexcept;
  [[nodiscard]] bool finish_trailer(std::string_view name, std::string_view value) noexcept;
  [[nodiscard]] bool add_content(const char* at, size_t size) noexcept;
  [[nodiscard]] bool note_chunk_framing(size_t size) noexcept;
  [[nodiscard]] bool note_chunk_extension(size_t size) noexcept;

  llhttp_t parser_;
  const Role role_;
  Phase phase_ = Phase::idle;
  ReadError error_ = ReadError::none;
  std::string_view error_text_;

  // --- the message; the heads are set exactly in Phase::head ---
  RequestHead* request_ = nullptr;
  ResponseHead* response_ = nullptr;
  bool is_head_request_ = false;     // a response to HEAD
  bool is_connect_request_ = false;  // a response to CONNECT
  BodyFraming framing_ = BodyFraming::none;
  uint64_t rest_bytes_ = 0;             // of a content_length body
  std::optional<HeaderList> trailers_;  // from the head on

  // --- what is being read ---
  Arena* arena_ = nullptr;
  HeaderList* fields_ = nullptr;  // the head's, then trailers_
  const char* input_ = nullptr;   // of the current call
  size_t head_bytes_ = 0;         // before input_, without blank lines before them
  unsigned blank_line_bytes_ = 0;
  std::string_view start_text_;  // target or reason
  std::string_view method_;
  std::string_view field_name_;
  std::string_view field_value_;
  bool is_in_arena_ = false;  // the input is: texts are parts of it
  char version_[3] = {};
  uint8_t version_size_ = 0;
  size_t protocol_at_ = SIZE_MAX;  // where in the head "HTTP/" must stand, once the target has ended

  // --- the chunked coding ---
  BodySink sink_{};
  const char* framing_from_ = nullptr;  // in the current input: where the content ended
  size_t framing_bytes_ = 0;            // since the last content byte, before framing_from_
  size_t extension_bytes_ = 0;
  size_t trailer_bytes_ = 0;
};

}  // namespace sluice::http

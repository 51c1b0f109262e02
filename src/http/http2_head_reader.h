// From the fields of an HTTP/2 header block to a head or to trailers (RFC 9113 8.2 and 8.3): what HTTP/1's reader would
// have made of the same message, with the same bounds and refusals. nghttp2 has decoded the fields and has checked
// names, values, and the order and number of pseudo-header fields; the rest is checked here. A block that was refused
// is read to its end, because the decoder's state is the connection's, and nothing of it is kept.
//
// One per connection, since nothing comes between the frames of a block (RFC 9113 4.3):
//
//   begin_*()     the texts will be in this arena
//   add_field()   for each
//   finish()      then request(), response() or trailers()
//
// No I/O, no allocation but from the arena. One owner, one thread.
#pragma once

#include "http/head.h"
#include "http/message_rules.h"

#include <cstddef>
#include <optional>
#include <string_view>

namespace sluice::http {

class Http2HeadReader {
 public:
  void begin_request(Arena& arena) noexcept;
  // `is_head`, `is_connect`: the request's method.
  void begin_response(Arena& arena, bool is_head, bool is_connect) noexcept;
  void begin_trailers(Arena& arena, bool is_request) noexcept;

  void add_field(std::string_view name, std::string_view value) noexcept;
  // A field that nghttp2 found to have an invalid name or value, and gives nobody.
  void add_invalid_field() noexcept;

  // So far beyond the bounds that not even an answer is due.
  [[nodiscard]] bool is_excessive() const noexcept;
  [[nodiscard]] const Refusal& refusal() const noexcept { return refusal_; }

  // `is_end`: END_STREAM came with the block. What was read before a refusal is in the head.
  [[nodiscard]] Refusal finish(bool is_end) noexcept;

  [[nodiscard]] bool is_reading_trailers() const noexcept { return trailers_.has_value(); }
  [[nodiscard]] const RequestHead& request() const noexcept { return *request_; }
  [[nodiscard]] const ResponseHead& response() const noexcept { return *response_; }
  [[nodiscard]] const HeaderList& trailers() const noexcept { return *trailers_; }

 private:
  // A piece of the request's Cookie field; in the arena, the last one first.
  struct Crumb {
    std::string_view text;
    const Crumb* before;
  };

  void begin(Arena& arena) noexcept;
  void add_pseudo_field(std::string_view name, std::string_view value) noexcept;
  void add_crumb(std::string_view value) noexcept;
  void add_to(HeaderList& fields, std::string_view name, std::string_view value) noexcept;
  void join_crumbs() noexcept;
  void read_extended_connect() noexcept;
  [[nodiscard]] std::string_view copy(std::string_view text) noexcept;
  void refuse(ReadError error, std::string_view text) noexcept;
  void refuse_too_large() noexcept;

  // Exactly one of them, from begin on.
  std::optional<RequestHead> request_;
  std::optional<ResponseHead> response_;
  std::optional<HeaderList> trailers_;

  Arena* arena_ = nullptr;
  Refusal refusal_;
  size_t bytes_ = 0;            // as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 6.5.2)
  std::string_view authority_;  // :authority
  std::string_view protocol_;   // :protocol (RFC 8441 4); empty: there is none
  const Crumb* crumb_ = nullptr;
  size_t crumb_bytes_ = 0;   // with a separator for each
  bool is_request_ = false;  // also: trailers of one
  bool is_head_request_ = false;
  bool is_connect_request_ = false;
};

}  // namespace sluice::http

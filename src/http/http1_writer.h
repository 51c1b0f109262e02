// HTTP/1 messages as bytes: everything that leaves sluice is serialised anew from the parsed form.
// Field names and values in the lists were checked when they were read; the writers add the framing
// fields themselves (any content-length, transfer-encoding, connection, keep-alive, upgrade, trailer
// in the list has been removed by http/hygiene). Pure functions over memory.
#pragma once

#include "base/byte_sink.h"
#include "base/bytes.h"
#include "http/head.h"

#include <cstdint>
#include <string_view>

namespace sluice::http {

// What the writer puts around the end-to-end fields. HTTP/2 has only the content-length of it.
struct MessageFraming {
  BodyFraming body = BodyFraming::none;
  uint64_t content_length = 0;
  // `none` and a content-length is to be shown all the same: a response to HEAD, a 304, or a request
  // whose client said "content-length: 0".
  bool show_content_length = false;
  bool close = false;          // "connection: close"
  bool keep_alive = false;     // "connection: keep-alive", to an HTTP/1.0 peer
  std::string_view upgrade{};  // "connection: upgrade" and this Upgrade field

  [[nodiscard]] bool has_content_length_field() const noexcept {
    return body == BodyFraming::content_length || (body == BodyFraming::none && show_content_length);
  }
};

// "METHOD target HTTP/1.1"; `target` is what goes on the wire.
void write_request_head(ByteSink sink, std::string_view method, std::string_view target, const HeaderList& headers,
                        const MessageFraming& framing);

// "HTTP/1.1 status reason"; an empty reason becomes the standard one.
void write_response_head(ByteSink sink, uint16_t status, std::string_view reason, const HeaderList& headers,
                         const MessageFraming& framing);

// One chunk; `content` must not be empty (that would be the end).
void write_chunk(ByteSink sink, ConstBytes content);
// The last chunk and the trailers.
void write_last_chunk(ByteSink sink, const HeaderList* trailers);

// RFC 9110 15: "Not Found"; "Unknown" for a status without one.
[[nodiscard]] std::string_view reason_phrase(uint16_t status) noexcept;

}  // namespace sluice::http

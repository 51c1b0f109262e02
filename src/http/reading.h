// The words of reading a message, whatever version of HTTP it is in (http/http1_reader.h, http/http2_stream.h).
#pragma once

#include "base/bytes.h"

#include <cstdint>

namespace sluice::http {

// Why a message was refused, and what a server answers a client with.
enum class ReadError : uint8_t {
  none,
  malformed,              // 400, or 502 when an upstream sent it
  head_too_large,         // 431
  target_too_long,        // 414
  too_many_headers,       // 431
  trailers_too_large,     // 400
  version_not_supported,  // 505
  not_implemented,        // 501: a transfer coding other than chunked
  truncated,              // the peer closed in mid-message
};

enum class Progress : uint8_t {
  more,    // everything was consumed, more input is needed
  done,    // the head, or the whole message, is complete
  failed,  // the reader says why
};

// Receives the content of a body, piece by piece; the bytes are valid during the call. A plain function pointer with
// its owner: no allocation, no virtual call.
struct BodySink {
  void (*write)(void* owner, ConstBytes content);
  void* owner;
};

}  // namespace sluice::http

// What a head that was read means: where the request goes, how the content ends, whether the connection
// persists (RFC 9110 7.2, RFC 9112 3, 6 and 9.3). It fills in what the codec leaves empty, and refuses
// what is invalid or what two readers could understand differently. Functions over heads.
#pragma once

#include "http/head.h"
#include "http/http1_reader.h"

#include <string_view>

namespace sluice::http {

struct Refusal {
  ReadError error = ReadError::none;
  std::string_view text{};  // static

  [[nodiscard]] bool is_refused() const noexcept { return error != ReadError::none; }
};

// Needs method, target, version and headers; sets the rest of `head`.
[[nodiscard]] Refusal understand_request(RequestHead& head) noexcept;

// Needs status, version and headers; sets the rest. `is_head`, `is_connect`: the request's method.
[[nodiscard]] Refusal understand_response(ResponseHead& head, bool is_head, bool is_connect) noexcept;

// RFC 9110 8.6: a response without content tells the length that it would have, if `method` or the status allow that.
[[nodiscard]] bool may_tell_length(const ResponseHead& head, std::string_view method) noexcept;

}  // namespace sluice::http

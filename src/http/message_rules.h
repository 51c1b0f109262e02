// What a head that was read means: where the request goes, how the content ends, whether the connection
// persists (RFC 9110 7.2, RFC 9112 3, 6 and 9.3). It fills in what the codec leaves empty, and refuses
// what is invalid or what two readers could understand differently. Functions over heads.
#pragma once

#include "http/head.h"
#include "http/reading.h"

#include <llhttp.h>

#include <cstdint>
#include <string_view>

namespace sluice::http {

struct Refusal {
  ReadError error = ReadError::none;
  std::string_view text{};  // static

  [[nodiscard]] bool is_refused() const noexcept { return error != ReadError::none; }
};

// Needs method, target, version and headers; sets the rest of `head`. Of HTTP/2 also framing: `none` or, when no
// END_STREAM came with the head, `chunked`.
[[nodiscard]] Refusal understand_request(RequestHead& head) noexcept;

// Needs status, version and headers, of HTTP/2 also framing, as above; sets the rest. `is_head`, `is_connect`: the
// request's method.
[[nodiscard]] Refusal understand_response(ResponseHead& head, bool is_head, bool is_connect) noexcept;

// Whether a value of Upgrade, or of HTTP/2's :protocol, names protocols as RFC 9110 7.8 does, and none that would carry
// requests past us: h2c, which RFC 9113 3.1 has made obsolete, and whatever else is HTTP.
[[nodiscard]] bool may_upgrade_to(std::string_view protocols) noexcept;

// RFC 9110 8.6: a response without content tells the length that it would have, if `method` or the status allow that.
[[nodiscard]] bool may_tell_length(const ResponseHead& head, std::string_view method) noexcept;

// RFC 9110 6.5.1: fields that frame, route or concern one connection are no trailers. What only the edge
// may say of a client is left out.
enum class TrailerRule : uint8_t { keep, leave_out, refuse };
[[nodiscard]] TrailerRule trailer_rule(std::string_view lower_name, bool is_request) noexcept;

// RTSP's and Icecast's methods, which llhttp knows as well, are nothing of HTTP's; PRI is HTTP/2's preface.
[[nodiscard]] constexpr bool is_http_method(llhttp_method_t method) noexcept {
  return method <= HTTP_UNLINK || method == HTTP_QUERY;
}
// The method in static memory; empty: sluice does not know it (501).
[[nodiscard]] std::string_view known_method(std::string_view text) noexcept;
// Whether one begins so.
[[nodiscard]] bool begins_known_method(std::string_view text) noexcept;

}  // namespace sluice::http

#include "http/websocket.h"

#include "base/base64.h"
#include "base/sha1.h"
#include "http/chars.h"

#include <span>
#include <string>

namespace sluice::http {

bool is_websocket(std::string_view protocol) noexcept { return equals_ignoring_case(protocol, "websocket"); }

WebSocketKey::WebSocketKey(const uint64_t (&random)[2]) noexcept {
  write_base64(std::as_bytes(std::span(random)), text_);
}

WebSocketAccept::WebSocketAccept(std::string_view key) {
  const std::array<uint8_t, 20> digest = sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  write_base64(std::as_bytes(std::span(digest)), text_);
}

bool agrees_to_upgrade(const RequestHead& request, const ResponseHead& response) {
  if (!equals_ignoring_case(response.headers.find("upgrade").value_or(""), request.upgrade)) return false;
  if (!is_websocket(request.upgrade)) return true;
  const std::string_view key = request.headers.find("sec-websocket-key").value_or("");
  return response.headers.find("sec-websocket-accept") == WebSocketAccept(key).text();
}

}  // namespace sluice::http

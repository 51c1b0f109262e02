// A request head or response head as sluice understood it: the one reading that routing, hygiene and
// serialisation share (RFC 9110 5 and 6, RFC 9112 2 to 7). All texts are views into the exchange's
// arena, valid until it is reset. One owner, one thread.
#pragma once

#include "base/address.h"
#include "base/arena.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::http {

enum class Version : uint8_t { http_1_0, http_1_1, http_2 };

struct HeaderField {
  std::string_view name;   // lower case
  std::string_view value;  // without surrounding whitespace
};

// The fields of one message in the order in which they arrived. Names given to it are lower case.
class HeaderList {
 public:
  explicit HeaderList(Arena& arena) noexcept : arena_(&arena) {}

  // False beyond limits::header_list_count_max or the arena's bound. The texts are not copied.
  [[nodiscard]] bool add(std::string_view name, std::string_view value) noexcept;
  // Replaces every field of that name by one.
  [[nodiscard]] bool set(std::string_view name, std::string_view value) noexcept;
  void remove(std::string_view name) noexcept;

  // The first field of that name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] size_t count(std::string_view name) const noexcept;

  [[nodiscard]] size_t size() const noexcept { return size_; }
  [[nodiscard]] HeaderField* begin() noexcept { return fields_; }
  [[nodiscard]] HeaderField* end() noexcept { return fields_ + size_; }
  [[nodiscard]] const HeaderField* begin() const noexcept { return fields_; }
  [[nodiscard]] const HeaderField* end() const noexcept { return fields_ + size_; }

  // Keeps the fields for which keep(field) holds.
  template <typename Keep>
  void filter(Keep keep) noexcept {
    size_t kept = 0;
    for (size_t i = 0; i < size_; ++i) {
      if (keep(fields_[i])) fields_[kept++] = fields_[i];
    }
    size_ = static_cast<uint32_t>(kept);
  }

  [[nodiscard]] Arena& arena() const noexcept { return *arena_; }

 private:
  [[nodiscard]] bool grow() noexcept;

  Arena* arena_;
  HeaderField* fields_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

// How the end of a message's content is found (RFC 9112 6.3).
enum class BodyFraming : uint8_t {
  none,            // no content follows
  content_length,  // exactly content_length bytes, which may be 0
  chunked,         // the chunked transfer coding; in HTTP/2: the length is not known, END_STREAM is the end
  until_close,     // responses only: the connection's end is the content's end
};

struct RequestHead {
  explicit RequestHead(Arena& arena) noexcept : headers(arena) {}

  std::string_view method;     // "GET"; case-sensitive token
  std::string_view target;     // as on the wire: "/a?b", "*", "http://host/a", "host:443" (CONNECT)
  std::string_view path;       // origin form without query, never empty except for CONNECT and "*"
  std::string_view query;      // without "?"; empty when there is none
  bool has_query = false;      // distinguishes "/a?" from "/a"
  std::string_view authority;  // of absolute-form, else Host; as received, with port; may be empty (HTTP/1.0)
  std::string_view host;       // authority, lower case, without port, brackets kept and trailing dot removed
  uint16_t port = 0;           // of the authority; 0: it names none
  std::string_view scheme;     // of absolute-form, or :scheme; empty: the request does not say
  Version version = Version::http_1_1;
  HeaderList headers;  // Host included
  BodyFraming framing = BodyFraming::none;
  uint64_t content_length = 0;    // framing == content_length
  bool keep_alive = false;        // the client wants the connection to persist (RFC 9112 9.3)
  bool expects_continue = false;  // Expect: 100-continue, HTTP/1.1 (RFC 9110 10.1.1)
  // Connection: upgrade with an Upgrade field, HTTP/1.1, no body; or an extended CONNECT of HTTP/2 (RFC 8441), which is
  // read as the GET that it would have been in HTTP/1.
  bool wants_upgrade = false;
  std::string_view upgrade;     // to what: "websocket"
  std::string_view request_id;  // what hygiene set as x-request-id; empty before
  // Content follows, or may: with `chunked` that is not known before its end.
  [[nodiscard]] bool has_content() const noexcept { return framing == BodyFraming::chunked || content_length > 0; }
  // Whom the request is from: the peer, or what trusted proxies say; then the port is 0. Nothing before hygiene.
  std::optional<SocketAddress> client;
  bool is_https = false;  // so x-forwarded-proto says, which hygiene set
};

struct ResponseHead {
  explicit ResponseHead(Arena& arena) noexcept : headers(arena) {}

  uint16_t status = 0;      // 100 to 999
  std::string_view reason;  // may be empty
  Version version = Version::http_1_1;
  HeaderList headers;
  BodyFraming framing = BodyFraming::none;
  uint64_t content_length = 0;  // framing == content_length; also of a response to HEAD if has_content_length
  bool has_content_length = false;
  bool keep_alive = false;  // the upstream's connection may be used again afterwards
  // How long the upstream keeps it without a request, as it says (Keep-Alive: timeout, RFC 2068 19.7.1.1); 0: it does
  // not say.
  uint32_t keep_alive_seconds = 0;
};

}  // namespace sluice::http

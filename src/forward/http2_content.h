// Content on a stream of HTTP/2 (RFC 9113 6.1).
#pragma once

#include "forward/content.h"
#include "http/http2_stream.h"

namespace sluice::forward {

// Of the message that the peer sends on `stream`, whose head is done. The stream outlives it.
class Http2Source final : public ContentSource {
 public:
  explicit Http2Source(http::Http2Stream& stream) noexcept : stream_(stream) {}

  [[nodiscard]] Status read_content(size_t room, http::BodySink to) override;
  [[nodiscard]] const http::HeaderList& trailers() const noexcept override { return stream_.trailers(); }
  [[nodiscard]] uint64_t passable_bytes() const noexcept override { return 0; }
  void pass_by(uint64_t) noexcept override {}

 private:
  http::Http2Stream& stream_;
};

}  // namespace sluice::forward

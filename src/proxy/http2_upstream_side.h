// A request and its response on a stream of a connection of HTTP/2 (RFC 9113) that others share.
#pragma once

#include "forward/http2_content.h"
#include "proxy/upstream_side.h"
#include "upstream/http2_connection.h"

namespace sluice::proxy {

class Http2UpstreamSide final : public UpstreamSide, private forward::ContentSink {
 public:
  // `request` is ready.
  explicit Http2UpstreamSide(upstream::Http2Request& request) noexcept
      : request_(request), stream_(request.stream()), source_(stream_) {}

  void expect_head(http::ResponseHead& head, std::string_view method) override;
  void write_head(const http::RequestHead& request, std::string_view target) override;
  [[nodiscard]] forward::ContentSink& request() noexcept override { return *this; }
  void flush() override { request_.flush(); }
  [[nodiscard]] bool has_unsent() const noexcept override;
  [[nodiscard]] uint64_t bytes_sent() const noexcept override { return written_bytes_; }
  [[nodiscard]] uint64_t bytes_taken() const noexcept override { return written_bytes_; }

  [[nodiscard]] HeadStatus read_head() override;
  void switch_to_bytes() noexcept override {}  // content is bytes
  [[nodiscard]] forward::ContentSource& response() noexcept override { return source_; }

  [[nodiscard]] bool was_reset() const noexcept override { return stream_.reset_code() != 0; }
  [[nodiscard]] bool has_read_failed() const noexcept override;
  [[nodiscard]] bool may_have_been_stale() const noexcept override { return stream_.may_be_retried(); }
  [[nodiscard]] bool has_sent_nothing() const noexcept override { return stream_.may_be_retried(); }
  [[nodiscard]] transport::Transport* connection() noexcept override { return nullptr; }

 private:
  [[nodiscard]] bool read_as_101();

  // The request's content.
  [[nodiscard]] bool has_failed() const noexcept override { return stream_.is_lost() || stream_.is_sent(); }
  [[nodiscard]] size_t writable_bytes() const noexcept override { return request_.writable_bytes(); }
  void write_content(ConstBytes content) override;
  void finish_content(const http::HeaderList& trailers) override { stream_.finish(&trailers); }
  void make_room() override { request_.flush(); }
  [[nodiscard]] bool is_passable() const noexcept override { return false; }

  upstream::Http2Request& request_;
  http::Http2Stream& stream_;
  forward::Http2Source source_;
  http::ResponseHead* response_ = nullptr;      // the one that was expected last
  const http::RequestHead* upgrade_ = nullptr;  // exactly when it was sent as an extended CONNECT
  uint64_t written_bytes_ = 0;                  // of content
};

}  // namespace sluice::proxy

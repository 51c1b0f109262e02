// A request and its response on a connection of HTTP/1 (RFC 9112) that was borrowed for them.
#pragma once

#include "forward/http1_content.h"
#include "proxy/upstream_side.h"
#include "upstream/connection.h"

namespace sluice::proxy {

class Http1UpstreamSide final : public UpstreamSide {
 public:
  explicit Http1UpstreamSide(upstream::Connection& connection) noexcept
      : connection_(connection), sink_(connection.transport()), source_(connection.reader(), connection.transport()) {}

  void expect_head(http::ResponseHead& head, std::string_view method) override;
  void write_head(const http::RequestHead& request, std::string_view target) override;
  [[nodiscard]] forward::ContentSink& request() noexcept override { return sink_; }
  void flush() override { connection_.transport().flush(); }
  [[nodiscard]] bool has_unsent() const noexcept override { return stream().unsent_bytes() > 0; }
  [[nodiscard]] uint64_t bytes_sent() const noexcept override { return stream().bytes_sent(); }
  [[nodiscard]] uint64_t bytes_taken() const noexcept override { return stream().bytes_taken(); }

  [[nodiscard]] HeadStatus read_head() override;
  void switch_to_bytes() noexcept override {
    source_.switch_to_bytes();
    sink_.set_encoding(forward::BodyEncoding::bytes);
  }
  [[nodiscard]] forward::ContentSource& response() noexcept override { return source_; }

  [[nodiscard]] bool was_reset() const noexcept override;
  [[nodiscard]] bool has_read_failed() const noexcept override { return connection_.transport().has_read_failed(); }
  [[nodiscard]] bool may_have_been_stale() const noexcept override;
  [[nodiscard]] bool has_sent_nothing() const noexcept override { return connection_.has_sent_nothing(); }
  [[nodiscard]] transport::Transport* connection() noexcept override { return &connection_.transport(); }

 private:
  [[nodiscard]] const io::Stream& stream() const noexcept { return connection_.transport().stream(); }

  upstream::Connection& connection_;
  forward::Http1Sink sink_;
  forward::Http1Source source_;
};

}  // namespace sluice::proxy

// A request and its response on a connection of HTTP/1 (RFC 9112).
#pragma once

#include "forward/http1_content.h"
#include "proxy/client_side.h"

namespace sluice::proxy {

class Http1ClientSide : public ClientSide {
 public:
  explicit Http1ClientSide(transport::Transport& transport) noexcept;

  [[nodiscard]] HeadStatus read_head(http::RequestHead& head) override;
  [[nodiscard]] http::Refusal refusal() const noexcept override { return {reader_.error(), reader_.error_text()}; }
  [[nodiscard]] forward::ContentSource& request() noexcept override { return source_; }
  [[nodiscard]] ContentAtHand content_at_hand() override {
    return {.bytes = transport_.readable(), .is_all = transport_.is_at_end()};
  }

  void write_continue() override;
  void write_informational(const http::ResponseHead& response) override;
  [[nodiscard]] bool write_head(http::ResponseHead& response, const http::RequestHead& request, bool may_keep) override;
  void write_switched(http::ResponseHead& response, std::string_view protocol) override;
  [[nodiscard]] forward::ContentSink& response() noexcept override { return sink_; }
  [[nodiscard]] bool has_unsent() const noexcept override { return transport_.stream().unsent_bytes() > 0; }

  [[nodiscard]] bool has_left() override;
  [[nodiscard]] bool has_read_failed() const noexcept override { return transport_.has_read_failed(); }
  [[nodiscard]] transport::Transport* connection() noexcept override { return &transport_; }

 protected:
  ~Http1ClientSide() = default;

 private:
  transport::Transport& transport_;
  http::Http1Reader reader_;
  forward::Http1Source source_;
  forward::Http1Sink sink_;
  bool has_begun_ = false;  // the reader was given the head
};

}  // namespace sluice::proxy

// A request and its response on a stream of a client's connection of HTTP/2 (RFC 9113), which other streams share.
#pragma once

#include "forward/http2_content.h"
#include "http/http2_session.h"
#include "http/http2_stream.h"
#include "proxy/client_side.h"
#include "transport/transport.h"

namespace sluice::proxy {

class Http2ClientSide : public ClientSide, private forward::ContentSink {
 public:
  // Both outlive it. `transport` is the connection's: what is written goes into it, and out, when their owner flushes
  // both.
  Http2ClientSide(http::Http2Session& session, transport::Transport& transport) noexcept
      : transport_(transport), stream_(session, *this), source_(stream_) {}

  [[nodiscard]] http::Http2Stream& stream() noexcept { return stream_; }
  [[nodiscard]] static Http2ClientSide& of(http::Http2Stream& stream) noexcept {
    return static_cast<Stream&>(stream).side;
  }

  // Within Http2Session::Owner::on_request for the first time.
  [[nodiscard]] HeadStatus read_head(http::RequestHead& head) override;
  [[nodiscard]] http::Refusal refusal() const noexcept override { return {stream_.error(), stream_.error_text()}; }
  [[nodiscard]] forward::ContentSource& request() noexcept override { return source_; }
  [[nodiscard]] ContentAtHand content_at_hand() override {
    return {.bytes = stream_.content(), .is_all = stream_.has_all_content()};
  }

  void write_continue() override;
  void write_informational(const http::ResponseHead& response) override;
  [[nodiscard]] bool write_head(http::ResponseHead& response, const http::RequestHead& request, bool may_keep) override;
  void write_switched(http::ResponseHead& response, std::string_view protocol) override;
  [[nodiscard]] forward::ContentSink& response() noexcept override { return *this; }
  [[nodiscard]] bool has_unsent() const noexcept override { return waits_for_room_; }

  [[nodiscard]] bool has_left() override { return stream_.is_lost(); }
  [[nodiscard]] bool has_read_failed() const noexcept override { return transport_.has_read_failed(); }
  [[nodiscard]] transport::Transport* connection() noexcept override { return nullptr; }

 protected:
  ~Http2ClientSide() = default;

 private:
  struct Stream final : http::Http2Stream {
    Stream(http::Http2Session& session, Http2ClientSide& its_side) noexcept : Http2Stream(session), side(its_side) {}
    Http2ClientSide& side;
  };

  // The response's content.
  [[nodiscard]] bool has_failed() const noexcept override { return stream_.is_lost(); }
  [[nodiscard]] size_t writable_bytes() const noexcept override;
  void write_content(ConstBytes content) override;
  void finish_content(const http::HeaderList& trailers) override;
  void make_room() override;
  [[nodiscard]] bool is_passable() const noexcept override { return false; }

  transport::Transport& transport_;
  Stream stream_;
  forward::Http2Source source_;
  uint64_t bytes_to_end_ = 0;    // of content, behind which nothing follows; 0: that is not known
  bool has_begun_ = false;       // the stream was given the head
  bool has_ended_ = false;       // what was written was all of the response
  bool waits_for_room_ = false;  // content is here that neither window nor connection has taken
};

}  // namespace sluice::proxy

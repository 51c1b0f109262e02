// Content as HTTP/1 frames it (RFC 9112 6 and 7) on a connection that this message has to itself.
#pragma once

#include "forward/content.h"
#include "http/http1_reader.h"
#include "transport/transport.h"

namespace sluice::forward {

// Of the message whose head `reader` has read. Both outlive it.
class Http1Source final : public ContentSource {
 public:
  Http1Source(http::Http1Reader& reader, transport::Transport& transport) noexcept
      : reader_(reader), transport_(transport) {}

  // After a switch of protocols (RFC 9110 7.8): whatever comes, until the connection ends.
  void switch_to_bytes() noexcept { is_bytes_ = true; }

  [[nodiscard]] Status read_content(size_t room, http::BodySink to) override;
  [[nodiscard]] const http::HeaderList& trailers() const noexcept override { return reader_.trailers(); }
  [[nodiscard]] uint64_t passable_bytes() const noexcept override { return reader_.passable_bytes(); }
  void pass_by(uint64_t count) noexcept override { reader_.pass_by(count); }

 private:
  [[nodiscard]] Status read_bytes(size_t room, http::BodySink to);

  http::Http1Reader& reader_;
  transport::Transport& transport_;
  bool is_bytes_ = false;
};

// How content is framed.
enum class BodyEncoding : uint8_t {
  identity,
  chunked,
  bytes,  // not at all, after a switch of protocols: its end is the connection's
};

class Http1Sink final : public ContentSink {
 public:
  explicit Http1Sink(transport::Transport& transport) noexcept : transport_(transport) {}

  // As the head that was written says.
  void set_encoding(BodyEncoding encoding) noexcept { encoding_ = encoding; }

  [[nodiscard]] bool has_failed() const noexcept override { return transport_.has_send_failed(); }
  [[nodiscard]] size_t writable_bytes() const noexcept override { return transport_.writable_bytes(); }
  void write_content(ConstBytes content) override;
  void finish_content(const http::HeaderList& trailers) override;
  void make_room() override;
  [[nodiscard]] bool is_passable() const noexcept override { return encoding_ == BodyEncoding::identity; }

 private:
  transport::Transport& transport_;
  BodyEncoding encoding_ = BodyEncoding::identity;
};

}  // namespace sluice::forward

// The client's side of an exchange whose client speaks gRPC-Web (http/grpc_web.h): around the side that it is on the
// wire, so that for the exchange it is one of gRPC.
#pragma once

#include "base/base64.h"
#include "http/grpc_web.h"
#include "proxy/client_side.h"

namespace sluice::proxy {

class GrpcWebClientSide final : public ClientSide, private forward::ContentSource, private forward::ContentSink {
 public:
  // `client` outlives it; its request's head has been translated to what `web` says.
  GrpcWebClientSide(ClientSide& client, const http::GrpcWeb& web) noexcept : client_(client), web_(web) {}

  [[nodiscard]] HeadStatus read_head(http::RequestHead& head) override { return client_.read_head(head); }
  [[nodiscard]] http::Refusal refusal() const noexcept override;
  [[nodiscard]] forward::ContentSource& request() noexcept override { return *this; }
  [[nodiscard]] ContentAtHand content_at_hand() override { return client_.content_at_hand(); }

  void write_continue() override { client_.write_continue(); }
  void write_informational(const http::ResponseHead& response) override { client_.write_informational(response); }
  [[nodiscard]] bool write_head(http::ResponseHead& response, const http::RequestHead& request, bool may_keep) override;
  void write_switched(http::ResponseHead& response, std::string_view protocol) override {
    client_.write_switched(response, protocol);
  }
  [[nodiscard]] forward::ContentSink& response() noexcept override { return *this; }
  [[nodiscard]] bool has_unsent() const noexcept override { return client_.has_unsent(); }

  [[nodiscard]] bool has_left() override { return client_.has_left(); }
  [[nodiscard]] bool has_read_failed() const noexcept override { return client_.has_read_failed(); }
  void wake() override { client_.wake(); }
  // Content does not go by as it is.
  [[nodiscard]] transport::Transport* connection() noexcept override { return nullptr; }

 private:
  // The request's content.
  [[nodiscard]] Status read_content(size_t room, http::BodySink to) override;
  [[nodiscard]] const http::HeaderList& trailers() const noexcept override { return client_.request().trailers(); }
  [[nodiscard]] uint64_t passable_bytes() const noexcept override { return 0; }
  void pass_by(uint64_t) noexcept override {}
  void decode(ConstBytes text, http::BodySink to) noexcept;

  // The response's.
  [[nodiscard]] bool has_failed() const noexcept override { return client_.response().has_failed(); }
  [[nodiscard]] size_t writable_bytes() const noexcept override;
  void write_content(ConstBytes content) override;
  void finish_content(const http::HeaderList& trailers) override;
  void make_room() override { client_.response().make_room(); }
  [[nodiscard]] bool is_passable() const noexcept override { return false; }

  ClientSide& client_;
  http::GrpcWeb web_;
  Base64Reader base64_;
  bool is_malformed_ = false;      // base64 that is none
  bool is_grpc_response_ = false;  // else it goes as it is
  bool has_content_ = false;       // the response: what would be trailers is a frame of it
};

}  // namespace sluice::proxy

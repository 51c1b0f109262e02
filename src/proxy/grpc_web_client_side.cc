#include "proxy/grpc_web_client_side.h"

#include "http/grpc.h"

#include <algorithm>
#include <array>

namespace sluice::proxy {

using http::BodyFraming;

namespace {
constexpr size_t piece_bytes = 3 * 1024;  // of base64 at a time, 4 KiB of text
}

http::Refusal GrpcWebClientSide::refusal() const noexcept {
  if (is_malformed_) return {http::ReadError::malformed, "grpc_web.invalid_base64"};
  return client_.refusal();
}

// --- The request ------------------------------------------------------------------------------------

forward::ContentSource::Status GrpcWebClientSide::read_content(size_t room, http::BodySink to) {
  if (!web_.is_text_request) return client_.request().read_content(room, to);
  if (is_malformed_) return Status::failed;
  struct Decoder {
    GrpcWebClientSide& side;
    http::BodySink to;
  } decoder{*this, to};
  const auto decode_piece = [](void* self, ConstBytes text) {
    const auto& each = *static_cast<Decoder*>(self);
    each.side.decode(text, each.to);
  };
  const Status status = client_.request().read_content(room, {.write = decode_piece, .owner = &decoder});
  if (status == Status::done && !base64_.is_complete()) is_malformed_ = true;
  return is_malformed_ ? Status::failed : status;
}

// It becomes no longer than it was, but for the rest of a group that was read before.
void GrpcWebClientSide::decode(ConstBytes text, http::BodySink to) noexcept {
  std::array<std::byte, piece_bytes> bytes;
  while (!text.empty() && !is_malformed_) {
    const std::string_view piece = as_text(text.first(std::min(text.size(), piece_bytes)));
    size_t size = 0;
    is_malformed_ = !base64_.read(piece, bytes, size);
    if (!is_malformed_ && size > 0) to.write(to.owner, ConstBytes(bytes).first(size));
    text = text.subspan(piece.size());
  }
}

// --- The response -----------------------------------------------------------------------------------

bool GrpcWebClientSide::write_head(http::ResponseHead& response, const http::RequestHead& request, bool may_keep) {
  http::HeaderList& headers = response.headers;
  is_grpc_response_ = http::is_grpc_type(headers.find("content-type").value_or(""));
  if (is_grpc_response_) {
    static_cast<void>(headers.set("content-type", web_.response_type()));  // in its place: there is room
    has_content_ = response.framing != BodyFraming::none &&
                   (response.framing != BodyFraming::content_length || response.content_length > 0);
    if (has_content_) response.framing = BodyFraming::chunked;
  }
  return client_.write_head(response, request, may_keep);
}

size_t GrpcWebClientSide::writable_bytes() const noexcept {
  const size_t room = client_.response().writable_bytes();
  return is_grpc_response_ && web_.is_text_response ? room / 4 * 3 : room;
}

void GrpcWebClientSide::write_content(ConstBytes content) {
  if (!is_grpc_response_ || !web_.is_text_response) return client_.response().write_content(content);
  std::array<char, base64_size(piece_bytes)> room;
  while (!content.empty()) {
    const ConstBytes piece = content.first(std::min(content.size(), piece_bytes));
    const std::span<char> text = std::span(room).first(base64_size(piece.size()));
    write_base64(piece, text);
    client_.response().write_content(std::as_bytes(text));
    content = content.subspan(piece.size());
  }
}

void GrpcWebClientSide::finish_content(const http::HeaderList& trailers) {
  if (!has_content_) return client_.response().finish_content(trailers);
  if (trailers.size() > 0) write_content(as_bytes(http::grpc_web_trailers(trailers)));
  Arena arena(0);
  client_.response().finish_content(http::HeaderList(arena));
}

}  // namespace sluice::proxy

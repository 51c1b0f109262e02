#include "http/grpc_web.h"

#include "http/chars.h"

namespace sluice::http {

namespace {

// With or without "+proto", the only format that there is for it. Parameters are of no meaning.
bool is_type(std::string_view value, std::string_view type) noexcept {
  value = trim(value.substr(0, value.find(';')));
  if (value.size() < type.size() || !equals_ignoring_case(value.substr(0, type.size()), type)) return false;
  return value.size() == type.size() || equals_ignoring_case(value.substr(type.size()), "+proto");
}

bool is_text(std::string_view value) noexcept { return is_type(value, "application/grpc-web-text"); }

}  // namespace

std::optional<GrpcWeb> read_grpc_web(const RequestHead& head) noexcept {
  if (head.method != "POST") return std::nullopt;
  const std::string_view type = head.headers.find("content-type").value_or("");
  const bool is_text_request = is_text(type);
  if (!is_text_request && !is_type(type, "application/grpc-web")) return std::nullopt;
  return GrpcWeb{.is_text_request = is_text_request,
                 .is_text_response = is_text(head.headers.find("accept").value_or(""))};
}

bool translate_grpc_web(RequestHead& head, const GrpcWeb& web) noexcept {
  // The content's length will be another one.
  if (web.is_text_request && head.framing == BodyFraming::content_length) head.framing = BodyFraming::chunked;
  HeaderList& headers = head.headers;
  return headers.set("content-type", "application/grpc") && headers.set("te", "trailers") &&
         (headers.find("grpc-accept-encoding") || headers.add("grpc-accept-encoding", "identity,deflate,gzip"));
}

std::string grpc_web_trailers(const HeaderList& trailers) {
  constexpr char is_trailers = '\x80';
  std::string frame(5, is_trailers);
  for (const auto& [name, value] : trailers) frame.append(name).append(":").append(value).append("\r\n");
  const size_t size = frame.size() - 5;
  for (size_t i = 0; i < 4; ++i) frame[1 + i] = static_cast<char>(size >> (24 - 8 * i));
  return frame;
}

}  // namespace sluice::http

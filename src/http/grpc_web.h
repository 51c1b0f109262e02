// gRPC-Web (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md) as a gateway translates it: gRPC for clients
// that have no trailers, and perhaps no bytes but text. Pure functions.
#pragma once

#include "http/head.h"

#include <optional>
#include <string>

namespace sluice::http {

struct GrpcWeb {
  bool is_text_request = false;   // content is base64
  bool is_text_response = false;  // is to be

  [[nodiscard]] std::string_view response_type() const noexcept {
    return is_text_response ? "application/grpc-web-text+proto" : "application/grpc-web+proto";
  }
};

// Nothing: it is no request of gRPC-Web.
[[nodiscard]] std::optional<GrpcWeb> read_grpc_web(const RequestHead& head) noexcept;
// Makes it one of gRPC, but for its content. False: the head is full.
[[nodiscard]] bool translate_grpc_web(RequestHead& head, const GrpcWeb& web) noexcept;

// Trailers as the last frame of the content.
[[nodiscard]] std::string grpc_web_trailers(const HeaderList& trailers);

}  // namespace sluice::http

// What a proxy has to know of gRPC (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): requests that are
// its, the client's timeout, and the text of an error. Pure functions.
#pragma once

#include "base/arena.h"
#include "base/durations.h"
#include "http/head.h"

#include <optional>
#include <string_view>

namespace sluice::http {

// application/grpc, with or without a format ("application/grpc+proto").
[[nodiscard]] bool is_grpc_type(std::string_view content_type) noexcept;
// A POST of that type.
[[nodiscard]] bool is_grpc(const RequestHead& request) noexcept;

// The value of grpc-message: percent-encoded, cut after limits::grpc_message_bytes_max bytes of `text`. In the arena;
// empty when that is full.
[[nodiscard]] std::string_view grpc_message(std::string_view text, Arena& arena) noexcept;

// The value of grpc-timeout: up to eight digits and a unit, "100m"; more than a year is a year. Nothing: it is no such
// value.
[[nodiscard]] std::optional<Duration> read_grpc_timeout(std::string_view value) noexcept;
// The same from a duration, rounded up to what the digits can say. In the arena; empty when that is full.
[[nodiscard]] std::string_view write_grpc_timeout(Duration timeout, Arena& arena) noexcept;

}  // namespace sluice::http

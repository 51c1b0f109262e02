// Statuses of gRPC (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md), and how Envoy translates them into
// those of HTTP and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice {

enum class GrpcStatus : uint8_t {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

// "0" to "16": the value of grpc-status, and from there; nothing: it is no status that we know.
[[nodiscard]] std::string_view to_text(GrpcStatus status) noexcept;
[[nodiscard]] std::optional<GrpcStatus> read_grpc_status(std::string_view number) noexcept;
// "OK", "DeadlineExceeded": as Envoy writes it.
[[nodiscard]] std::string_view camel_name(GrpcStatus status) noexcept;
// From "UNAVAILABLE", as its names are written.
[[nodiscard]] std::optional<GrpcStatus> grpc_status_of(std::string_view name) noexcept;

// How an answer of HTTP is told to a client of gRPC, and the other way round.
[[nodiscard]] GrpcStatus to_grpc_status(uint16_t http_status) noexcept;
[[nodiscard]] uint16_t to_http_status(GrpcStatus status) noexcept;

}  // namespace sluice

#include "base/grpc_status.h"

#include <algorithm>
#include <array>

namespace sluice {

namespace {

using Texts = std::array<std::string_view, 17>;  // of each status

constexpr Texts status_names = {
    "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
};

constexpr Texts status_numbers = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                  "9", "10", "11", "12", "13", "14", "15", "16"};

std::optional<GrpcStatus> find(const Texts& texts, std::string_view text) noexcept {
  const auto found = std::ranges::find(texts, text);
  if (found == texts.end()) return std::nullopt;
  return static_cast<GrpcStatus>(found - texts.begin());
}

}  // namespace

std::string_view to_text(GrpcStatus status) noexcept { return status_numbers[static_cast<size_t>(status)]; }

std::optional<GrpcStatus> read_grpc_status(std::string_view number) noexcept { return find(status_numbers, number); }

std::string_view camel_name(GrpcStatus status) noexcept {
  constexpr Texts names = {"OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
                           "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
                           "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
                           "DataLoss", "Unauthenticated"};
  return names[static_cast<size_t>(status)];
}

std::optional<GrpcStatus> grpc_status_of(std::string_view name) noexcept { return find(status_names, name); }

GrpcStatus to_grpc_status(uint16_t http_status) noexcept {
  switch (http_status) {
    case 400: return GrpcStatus::internal;
    case 401: return GrpcStatus::unauthenticated;
    case 403: return GrpcStatus::permission_denied;
    case 404: return GrpcStatus::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return GrpcStatus::unavailable;
    default: return GrpcStatus::unknown;
  }
}

uint16_t to_http_status(GrpcStatus status) noexcept {
  switch (status) {
    case GrpcStatus::ok: return 200;
    case GrpcStatus::cancelled: return 499;
    case GrpcStatus::invalid_argument:
    case GrpcStatus::failed_precondition:
    case GrpcStatus::out_of_range: return 400;
    case GrpcStatus::deadline_exceeded: return 504;
    case GrpcStatus::not_found: return 404;
    case GrpcStatus::already_exists:
    case GrpcStatus::aborted: return 409;
    case GrpcStatus::permission_denied: return 403;
    case GrpcStatus::resource_exhausted: return 429;
    case GrpcStatus::unimplemented: return 501;
    case GrpcStatus::unavailable: return 503;
    case GrpcStatus::unauthenticated: return 401;
    case GrpcStatus::unknown:
    case GrpcStatus::internal:
    case GrpcStatus::data_loss: break;
  }
  return 500;
}

}  // namespace sluice

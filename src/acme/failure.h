// Why something that was asked of an ACME server did not happen, and when it is worth asking again.
#pragma once

#include "base/durations.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>

namespace sluice::acme {

// As renewal::FailureKind.
enum class FailureKind : uint8_t {
  passing,  // the network, a server that is busy
  order,    // of this order: its names could not be validated, or the server does not know it any more
  lasting,  // until somebody changes the configuration
};

struct Failure {
  std::string message;  // one line of printable text, whatever the server says
  FailureKind kind = FailureKind::passing;
  std::optional<Duration> retry_after;  // what the server asks for
  std::string type;                     // RFC 8555 6.7: "rateLimited"; empty: the server has named none of ACME's
};

template <typename T>
using Answer = std::expected<T, Failure>;

[[nodiscard]] inline std::unexpected<Failure> fail(FailureKind kind, std::string message) {
  return std::unexpected(Failure{.message = std::move(message), .kind = kind});
}

}  // namespace sluice::acme

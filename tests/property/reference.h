// Istio's rules of routing, read from top to bottom over the written documents for each request: slow, plain, and
// nothing of src/ in it. What sluice compiles must decide the same.
#pragma once

#include "installation.h"

#include <string>

namespace sluice::property {

struct Expected {
  enum class Kind : uint8_t {
    no_listener,  // no server for the port, or for the server name
    not_found,
    https_redirect,
    route,
  };
  Kind kind = Kind::not_found;
  const Route* route = nullptr;  // exactly when route
};

[[nodiscard]] Expected expected_decision(const Installation& installation, const Request& request);

}  // namespace sluice::property

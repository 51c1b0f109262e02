// The libraries that do the cryptography, as they are linked into this binary.
#pragma once

#include <string>

namespace sluice::tls {

// Names and versions, for people: "wolfSSL 5.7.2, crypto_mb 1.0.14 (this processor can use it)". Any thread.
[[nodiscard]] std::string describe_libraries();

}  // namespace sluice::tls

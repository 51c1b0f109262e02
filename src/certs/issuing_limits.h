// The bounds of making certificates; base/limits.h has all others. Not called limits.h: that is <limits.h>, too.
#pragma once

#include "base/durations.h"

#include <cstddef>

namespace sluice::limits {

inline constexpr size_t certificate_names_max = 100;                // as many as certificate authorities take
inline constexpr size_t self_signed_hosts_max = 1000;               // of a Gateway's server, or a command line
inline constexpr size_t certificate_name_bytes_max = 1024;          // e-mail addresses and URIs; a host has 253
inline constexpr size_t common_name_characters_max = 64;            // RFC 5280 appendix A: ub-common-name
inline constexpr size_t certificate_request_bytes_max = 16 * 1024;  // a user's, as PEM
inline constexpr size_t issuer_chain_certificates_max = 10;         // the CA, and who is above it
inline constexpr size_t issuer_pem_bytes_max = 256 * 1024;          // of these, as PEM
inline constexpr size_t private_key_pem_bytes_max = 16 * 1024;      // RSA-4096 takes 3 300
inline constexpr Duration certificate_duration_min = std::chrono::minutes(1);
inline constexpr Duration certificate_duration_max = std::chrono::hours(24 * 366 * 10);  // ten years
inline constexpr Duration certificate_backdating_max = std::chrono::minutes(5);  // for clients whose clock is behind

}  // namespace sluice::limits

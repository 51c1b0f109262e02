// PEM (RFC 7468): what stands between "-----BEGIN <label>-----" and "-----END <label>-----", as DER and back.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace sluice::tls {

inline constexpr std::string_view kCertificateLabel = "CERTIFICATE";
inline constexpr std::string_view kCrlLabel = "X509 CRL";

using Der = std::vector<std::byte>;

// Every block with that label, in their order; text around them is skipped. Fails when there is none, or
// when one is damaged. The error says what is wrong with the text, without naming it: "holds no ...".
[[nodiscard]] Result<std::vector<Der>> decode_pem(std::string_view text, std::string_view label);

// Lines of 64 characters, the last one ends with a newline, as OpenSSL writes it.
[[nodiscard]] std::string encode_pem(ConstBytes der, std::string_view label);

}  // namespace sluice::tls

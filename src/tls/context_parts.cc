#include "tls/context_parts.h"

#include <fmt/format.h>

#include <array>

namespace sluice::tls {
namespace {

constexpr size_t kAlpnNameBytesMax = 255;  // RFC 7301 3.1

}  // namespace

std::string describe_code(int code) {
  const char* text = code < 0 ? wolfSSL_ERR_reason_error_string(static_cast<unsigned long>(code)) : nullptr;
  return text == nullptr || *text == '\0' ? "no reason given" : text;
}

Status set_curves(WOLFSSL_CTX* context) {
  std::array<int, 3> groups{WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};
  if (const int code = wolfSSL_CTX_set_groups(context, groups.data(), static_cast<int>(groups.size()));
      code != WOLFSSL_SUCCESS) {
    return failure(fmt::format("the TLS library refuses the curves X25519, P-256, P-384: {}", describe_code(code)));
  }
  return {};
}

Status check_alpn_names(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name.empty() || name.size() > kAlpnNameBytesMax || name.contains(','))
      return failure(fmt::format("'{}' cannot be an ALPN protocol name", name));
  }
  return {};
}

LocalCertificate describe_own(const ParsedCertificate& certificate) {
  return {.subject = certificate.subject, .uris = certificate.uris, .dns_names = certificate.dns_names};
}

}  // namespace sluice::tls

// What contexts of servers and of clients are both made of: curves, names of protocols, what is said of the own
// certificate. For the sources of this folder only. Control plane.
#pragma once

#include "base/result.h"
#include "snapshot/snapshot.h"
#include "tls/local_certificate.h"
#include "tls/parsed_certificate.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

namespace sluice::tls {

struct FreeContext {
  void operator()(WOLFSSL_CTX* context) const noexcept { wolfSSL_CTX_free(context); }
};
using OwnedContext = std::unique_ptr<WOLFSSL_CTX, FreeContext>;

// wolfSSL's functions return 1, or a negative code, or 0. What such a code means.
[[nodiscard]] std::string describe_code(int code);

// X25519, P-256, P-384.
[[nodiscard]] Status set_curves(WOLFSSL_CTX* context);

[[nodiscard]] Status check_alpn_names(const std::vector<std::string>& names);

[[nodiscard]] LocalCertificate describe_own(const ParsedCertificate& certificate);

}  // namespace sluice::tls

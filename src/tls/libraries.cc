#include "tls/libraries.h"

#include <fmt/format.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#ifdef SLUICE_HAS_CRYPTO_MB
#include <crypto_mb/cpu_features.h>
#include <crypto_mb/version.h>
#endif

namespace sluice::tls {

std::string describe_libraries() {
  std::string text = fmt::format("wolfSSL {}", wolfSSL_lib_version());
#ifdef SLUICE_HAS_CRYPTO_MB
  const mbxVersion& version = *mbx_getversion();
  const bool is_usable = mbx_is_crypto_mb_applicable(mbx_get_cpu_features()) != 0;
  text += fmt::format(", crypto_mb {}.{}.{} (this processor {} use it)", version.major, version.minor, version.revision,
                      is_usable ? "can" : "cannot");
#endif
  return text;
}

}  // namespace sluice::tls

#include "tls/libraries.h"

#include "tls/private_key.h"
#include "tls/record_cipher.h"

#include <fmt/format.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#ifdef SLUICE_HAS_CRYPTO_MB
#include <crypto_mb/version.h>
#endif

#ifdef SLUICE_HAS_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

namespace sluice::tls {

std::string describe_libraries() {
  std::string text = fmt::format("wolfSSL {}", wolfSSL_lib_version());
#ifdef SLUICE_HAS_CRYPTO_MB
  const mbxVersion& version = *mbx_getversion();
  text += fmt::format(", crypto_mb {}.{}.{} (this processor {} use it)", version.major, version.minor, version.revision,
                      can_use_crypto_mb() ? "can" : "cannot");
#endif
#ifdef SLUICE_HAS_IPSEC_MB
  text += fmt::format(", ipsec-mb {} (this processor {} it)", imb_get_version_str(),
                      can_protect_records() ? "can use" : "lacks VAES for");
#endif
  return text;
}

}  // namespace sluice::tls

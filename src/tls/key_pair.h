// A certificate chain and its private key, as a Secret or two files have them. The errors name the two texts as the
// pair does (chain_name, key_name), not the pair. Control plane.
#pragma once

#include "base/result.h"
#include "snapshot/snapshot.h"
#include "tls/private_key.h"

#include <memory>

struct WOLFSSL_CTX;

namespace sluice::tls {

// The key, which signs for `context` from now on (crypto_device.h). Refuses, with the reason: a chain or a key that
// cannot be parsed or used, an encrypted key, a key that does not belong to the first certificate.
[[nodiscard]] Result<std::shared_ptr<const PrivateKey>> load_key_pair(WOLFSSL_CTX* context,
                                                                      const snapshot::KeyPair& pair);

// Whether load_key_pair() would take it.
[[nodiscard]] Status check_key_pair(const snapshot::KeyPair& pair);

}  // namespace sluice::tls

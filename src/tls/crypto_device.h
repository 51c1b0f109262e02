// The door between the TLS library and what sluice does itself: wolfSSL's crypto callback
// (wolfssl/wolfcrypt/cryptocb.h). Private keys are known to wolfSSL by an id and their operations end up
// here, with the session that runs on this thread; so does the protection of records.
#pragma once

#include "base/result.h"

#include <memory>

struct WOLFSSL_CTX;

namespace sluice::tls {

class PrivateKey;

// Once per process, after wolfSSL's own initialisation.
[[nodiscard]] Status register_crypto_device();

// The connections of `context` are protected by sluice's own functions where they are faster (record_cipher.h).
[[nodiscard]] Status use_crypto_device(WOLFSSL_CTX* context);

// `context` signs with `key` from now on, which must live as long as the context and all of its sessions. Its
// certificate is loaded already.
[[nodiscard]] Status use_private_key(WOLFSSL_CTX* context, const PrivateKey& key);

}  // namespace sluice::tls

#include "tls/random_source.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/random.h>

namespace sluice::tls {

RandomSource::RandomSource() : random_(wc_rng_new(nullptr, 0, nullptr)) {}

WC_RNG* RandomSource::of_thread() noexcept {
  static thread_local const RandomSource source;
  return source.get();
}

RandomSource::~RandomSource() {
  if (random_ != nullptr) wc_rng_free(random_);
}

}  // namespace sluice::tls

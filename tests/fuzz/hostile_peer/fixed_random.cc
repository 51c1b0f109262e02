#include "fixed_random.h"

#include "base/random.h"
#include "tls/x25519.h"

#define OPENSSL_SUPPRESS_DEPRECATED  // RAND_METHOD: what takes its place is a provider of one's own
#include <openssl/rand.h>

#include <sys/random.h>

#include <cstddef>

namespace {

sluice::Random& numbers() {
  static sluice::Random random(0);
  return random;
}

void fill(unsigned char* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(numbers().next() >> 56);
}

int fill_for_openssl(unsigned char* bytes, int size) {
  fill(bytes, static_cast<size_t>(size));
  return 1;
}

}  // namespace

// Takes the place of libc's: wolfSSL seeds itself with it, tls/ticket_keys.cc draws from it.
extern "C" __attribute__((visibility("default"))) ssize_t getrandom(void* bytes, size_t size, unsigned /*flags*/) {
  fill(static_cast<unsigned char*>(bytes), size);
  return static_cast<ssize_t>(size);
}

namespace sluice::fuzz {

void restart_random(uint64_t seed) {
  static const RAND_METHOD method{.seed = nullptr,
                                  .bytes = fill_for_openssl,
                                  .cleanup = nullptr,
                                  .add = nullptr,
                                  .pseudorand = fill_for_openssl,
                                  .status = [] { return 1; }};
  RAND_set_rand_method(&method);
  numbers() = Random(seed);
  // Keys that an earlier session has left over; without a source no new ones are made.
  tls::X25519KeyPair unused;
  while (tls::take_x25519_key_pair(unused, nullptr)) {
  }
}

}  // namespace sluice::fuzz

// wolfCrypt's random numbers (SP 800-90A Hash_DRBG, seeded by the operating system). One thread at a time.
#pragma once

struct WC_RNG;

namespace sluice::tls {

class RandomSource {
 public:
  RandomSource();
  RandomSource(const RandomSource&) = delete;
  RandomSource& operator=(const RandomSource&) = delete;
  ~RandomSource();

  // The calling thread's, made at its first call; as long as the thread.
  [[nodiscard]] static WC_RNG* of_thread() noexcept;

  // Null: the operating system gave no seed.
  [[nodiscard]] WC_RNG* get() const noexcept { return random_; }

 private:
  WC_RNG* random_;
};

}  // namespace sluice::tls

// RSA signatures on their way from a shard's handshakes to its signing thread and back. A batch of eight
// takes two to three times as long as one signature, and up to 9 ms (RSA-4096): so what the handshakes of one turn
// need is handed over together, and established connections do not wait for it.
//
// A handshake that comes alone is signed at once. While they come in numbers, a batch waits for company, for
// limits::signing_patience at most: a batch that is half full costs as much as a full one.
#pragma once

#include "base/list.h"
#include "tls/private_key.h"
#include "tls/random_source.h"

#include <array>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>

namespace sluice::tls {

// One signature. Belongs to the shard's thread, but to the signing thread from publish() to collect().
struct SigningJob : ListNode<SigningJob> {
  std::shared_ptr<const PrivateKey> key;
  std::array<std::byte, PrivateKey::rsa_bytes_max> input;   // the padded block, key->size_bytes()
  std::array<std::byte, PrivateKey::rsa_bytes_max> output;  // set exactly when has_succeeded
  bool has_succeeded = false;
  // Who waits for it, told by collect(); null: nobody any more, and collect() frees the job. Shard's thread only.
  void (*on_done)(void* owner) = nullptr;
  void* owner = nullptr;
};

class SigningQueue {
 public:
  SigningQueue() = default;
  SigningQueue(const SigningQueue&) = delete;
  SigningQueue& operator=(const SigningQueue&) = delete;
  ~SigningQueue();  // stopped and left by the signing thread

  // --- the shard's thread ---
  // Before the first handshake: there is somebody who calls serve(). `on_signed` is called by that thread after
  // every batch, and must make the shard call collect() soon.
  void begin_service(RsaBatching batching, void (*on_signed)(void* owner), void* owner) noexcept;
  [[nodiscard]] bool is_served() const noexcept { return on_signed_ != nullptr; }

  // Handed over by the next publish(); comes back by on_done, or is freed when that is null by then.
  void submit(SigningJob& job) noexcept;
  // At the end of each turn.
  void publish() noexcept;
  // Calls on_done for every job that is finished, which then belongs to its owner again.
  void collect() noexcept;

  // --- the signing thread ---
  // Signs until stop().
  void serve() noexcept;
  // One batch of keys of the same size; false: nothing was waiting.
  bool serve_one_batch() noexcept;

  // --- any thread ---
  void stop() noexcept;

 private:
  using Jobs = List<SigningJob>;
  void await_company(std::unique_lock<std::mutex>& lock) noexcept;
  size_t take_batch(std::array<SigningJob*, PrivateKey::rsa_batch_max>& batch) noexcept;
  void sign(std::span<SigningJob*> batch) noexcept;

  Jobs gathered_;  // in this turn
  size_t gathered_count_ = 0;
  RsaBatching batching_ = RsaBatching::automatic;
  void (*on_signed_)(void* owner) = nullptr;
  void* owner_ = nullptr;

  RandomSource random_;  // the signing thread's

  std::mutex mutex_;
  std::condition_variable has_work_;
  Jobs waiting_;                      // under mutex_
  Jobs signed_;                       // under mutex_
  size_t waiting_count_ = 0;          // under mutex_
  bool is_waiting_for_more_ = false;  // under mutex_: not to be woken before a batch is full
  bool had_company_ = false;          // the signing thread's: the last batch had several jobs
  bool stopping_ = false;             // under mutex_
};

}  // namespace sluice::tls

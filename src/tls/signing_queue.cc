#include "tls/signing_queue.h"

#include "base/limits.h"

#include <span>
#include <utility>

namespace sluice::tls {

namespace {

void free_all(List<SigningJob>& jobs) noexcept {
  while (!jobs.empty()) {
    SigningJob& job = jobs.pop_front();
    CHECK(job.on_done == nullptr);  // the handshakes have ended before
    delete &job;
  }
}

}  // namespace

SigningQueue::~SigningQueue() {
  free_all(gathered_);
  free_all(waiting_);
  free_all(signed_);
}

// --- The shard's thread ----------------------------------------------------------------------------

void SigningQueue::begin_service(RsaBatching batching, void (*on_signed)(void* owner), void* owner) noexcept {
  batching_ = batching;
  on_signed_ = on_signed;
  owner_ = owner;
}

void SigningQueue::submit(SigningJob& job) noexcept {
  gathered_.push_back(job);
  ++gathered_count_;
}

void SigningQueue::publish() noexcept {
  if (gathered_.empty()) return;
  bool is_to_wake = false;
  {
    const std::lock_guard lock(mutex_);
    waiting_.append(gathered_);
    waiting_count_ += std::exchange(gathered_count_, 0);
    is_to_wake = !is_waiting_for_more_ || waiting_count_ >= PrivateKey::rsa_batch_max;
  }
  if (is_to_wake) has_work_.notify_one();
}

void SigningQueue::collect() noexcept {
  while (true) {
    SigningJob* job = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (signed_.empty()) return;
      job = &signed_.pop_front();
    }
    if (job->on_done != nullptr) {
      job->on_done(job->owner);
    } else {
      delete job;
    }
  }
}

// --- The signing thread ----------------------------------------------------------------------------

void SigningQueue::serve() noexcept {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      has_work_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (!stopping_ && had_company_) await_company(lock);
      if (stopping_) return;
    }
    serve_one_batch();
  }
}

// A longer key takes longer, and is worth a longer wait: by the square of its length, as a batch does at most.
void SigningQueue::await_company(std::unique_lock<std::mutex>& lock) noexcept {
  const size_t size = waiting_.front().key->size_bytes();
  const Duration patience = limits::signing_patience * (size / 256) * (size / 256);
  is_waiting_for_more_ = true;
  has_work_.wait_for(lock, patience, [this] { return stopping_ || waiting_count_ >= PrivateKey::rsa_batch_max; });
  is_waiting_for_more_ = false;
}

bool SigningQueue::serve_one_batch() noexcept {
  std::array<SigningJob*, PrivateKey::rsa_batch_max> batch;
  const size_t count = take_batch(batch);
  if (count == 0) return false;
  had_company_ = count > 1;
  sign(std::span(batch).first(count));
  {
    const std::lock_guard lock(mutex_);
    for (SigningJob* job : std::span(batch).first(count)) signed_.push_back(*job);
  }
  on_signed_(owner_);
  return true;
}

// The oldest, and those right behind it with keys of the same size.
size_t SigningQueue::take_batch(std::array<SigningJob*, PrivateKey::rsa_batch_max>& batch) noexcept {
  const std::lock_guard lock(mutex_);
  size_t count = 0;
  while (count < batch.size() && !waiting_.empty() &&
         (count == 0 || waiting_.front().key->size_bytes() == batch[0]->key->size_bytes())) {
    batch[count++] = &waiting_.pop_front();
  }
  waiting_count_ -= count;
  return count;
}

void SigningQueue::sign(std::span<SigningJob*> batch) noexcept {
  std::array<RsaOperation, PrivateKey::rsa_batch_max> operations;
  for (size_t i = 0; i < batch.size(); ++i)
    operations[i] = {.key = batch[i]->key.get(), .input = batch[i]->input.data(), .output = batch[i]->output.data()};
  PrivateKey::run_batch(std::span(operations).first(batch.size()), batching_, random_.get());
  for (size_t i = 0; i < batch.size(); ++i) batch[i]->has_succeeded = operations[i].has_succeeded;
}

// --- Any thread ------------------------------------------------------------------------------------

void SigningQueue::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  has_work_.notify_one();
}

}  // namespace sluice::tls

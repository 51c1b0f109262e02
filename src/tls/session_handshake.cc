#include "tls/session_handshake.h"

#include "base/check.h"
#include "tls/private_key.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>

#include <cstring>

namespace sluice::tls {

// One step of wolfSSL's handshake, or the rest of one that has waited; false: it waits.
bool Session::advance_handshake() {
  Handshake& handshake = *handshake_;
  if (!handshake.fiber) {
    std::byte* stack = handshake.pool == nullptr ? nullptr : handshake.pool->stacks.take();
    if (stack == nullptr) {
      take_step();
      return true;
    }
    handshake.fiber.emplace(
        handshake.pool->stacks, stack, [](void* self) { static_cast<Session*>(self)->take_step(); }, this);
  }
  handshake.fiber->resume();
  if (!handshake.fiber->is_done()) return false;
  handshake.fiber.reset();
  return true;
}

void Session::take_step() { handshake_->result = peer_ == Side::client ? wolfSSL_accept(ssl_) : wolfSSL_connect(ssl_); }

bool Session::sign_block(const PrivateKey& key, const std::byte* block, std::byte* signature, WC_RNG* random) {
  // After the handshake nothing is signed.
  if (handshake_ == nullptr || handshake_->is_abandoned) return false;
  Handshake& handshake = *handshake_;
  DCHECK(handshake.key.get() == &key);
  if (handshake.job == nullptr) handshake.job = std::make_unique<SigningJob>();
  const bool can_wait = handshake.fiber && key.is_worth_queueing();
  std::memcpy(handshake.job->input.data(), block, key.size_bytes());
  const bool is_signed = can_wait ? wait_for_signature() : key.run(block, handshake.job->output.data(), random);
  if (!is_signed) return false;
  std::memcpy(signature, handshake.job->output.data(), key.size_bytes());
  return true;
}

// On the fiber. The job is the queue's until on_ready().
bool Session::wait_for_signature() {
  Handshake& handshake = *handshake_;
  SigningJob& job = *handshake.job;
  job.key = handshake.key;
  job.has_succeeded = false;
  job.on_done = on_ready;
  job.owner = this;
  handshake.pool->signing.submit(job);
  wait();
  return !handshake.is_abandoned && job.has_succeeded;  // an abandoned job is gone
}

bool Session::agree(const std::byte* private_key, const std::byte* peer_key, std::byte* secret) {
  if (handshake_ == nullptr || !handshake_->fiber || !can_use_crypto_mb()) return false;
  Handshake& handshake = *handshake_;
  X25519Agreement agreement;
  agreement.private_key = private_key;
  agreement.peer_key = peer_key;
  agreement.secret = secret;
  agreement.on_done = on_ready;
  agreement.owner = this;
  handshake.agreement = &agreement;
  handshake.pool->agreements.add(agreement);
  wait();
  handshake.agreement = nullptr;
  agreement.unlink_if_linked();  // abandoned
  return agreement.has_succeeded;
}

void Session::wait() {
  handshake_->is_waiting = true;
  handshake_->fiber->stop();
}

void Session::on_ready(void* self) {
  Handshake& handshake = *static_cast<Session*>(self)->handshake_;
  handshake.is_waiting = false;
  handshake.waiter.on_ready(handshake.waiter.owner);
}

// wolfSSL looks at what it has just signed, which was checked already (PrivateKey).
bool Session::open_block(const PrivateKey& key, const std::byte* signature, std::byte* block) {
  const SigningJob* job = handshake_ == nullptr ? nullptr : handshake_->job.get();
  if (job == nullptr || std::memcmp(job->output.data(), signature, key.size_bytes()) != 0)
    return key.run_public(signature, block);
  std::memcpy(block, job->input.data(), key.size_bytes());
  return true;
}

}  // namespace sluice::tls

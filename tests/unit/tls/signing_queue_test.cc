#include "tls/signing_queue.h"

#include "authority.h"
#include "connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

namespace sluice::tls {
namespace {

using test::ClientOptions;
using test::five_suites;

// The queue without a thread: the test is the signing thread when it wants to be.
struct Pool {
  Pool() {
    pool.signing.begin_service(RsaBatching::automatic, [](void* self) { ++static_cast<Pool*>(self)->batches; }, this);
  }
  // The end of a turn, the signing thread's work, the beginning of the next turn.
  void turn() {
    pool.end_turn();
    while (pool.signing.serve_one_batch()) {
    }
    pool.signing.collect();
  }

  int batches = 0;
  HandshakePool pool;
};

// A handshake that waits, between two turns.
struct Handshake {
  Handshake(Pool& shared, ServerContext& context, const ClientOptions& options)
      : pool(shared),
        session(Session::accept(
            context, {}, &pool.pool,
            {.on_ready = [](void* self) { ++static_cast<Handshake*>(self)->ready_count; }, .owner = this})),
        client(options) {}

  SessionStatus advance() {
    (void)client.handshake();
    from_client += client.take_output();
    ConstBytes input = as_bytes(from_client);
    const SessionStatus status = session->handshake(input, output.sink());
    from_client.erase(0, from_client.size() - input.size());
    if (status != SessionStatus::waiting) client.feed(as_bytes(output.take()));
    return status;
  }

  // With the shared secret, if that comes first (TLS 1.3), but without the signature.
  SessionStatus advance_to_signature() {
    if (advance() != SessionStatus::waiting) return SessionStatus::failed;
    pool.pool.agreements.run();
    return advance();
  }

  // With all that it waits for.
  SessionStatus advance_by_turns() {
    SessionStatus status = advance();
    for (int turns = 0; status == SessionStatus::waiting && turns < 3; ++turns) {
      pool.turn();
      status = advance();
    }
    return status;
  }

  void expect_to_end_well() {
    ASSERT_EQ(advance_by_turns(), SessionStatus::need_input);
    ASSERT_EQ(advance_by_turns(), SessionStatus::ok) << session->error_text();
    EXPECT_EQ(pool.pool.stacks.taken_count(), 0U);
  }

  Pool& pool;
  int ready_count = 0;
  std::unique_ptr<Session> session;
  test::OpensslClient client;
  test::StringSink output;
  std::string from_client;
};

class WaitingHandshake : public testing::TestWithParam<int> {
 protected:
  [[nodiscard]] ClientOptions options() const { return {.max_version = GetParam()}; }
  Pool pool;
  std::shared_ptr<ServerContext> context = test::make_context(five_suites());
};

TEST_P(WaitingHandshake, GoesOnWhenItsSignatureIsThere) {
  Handshake handshake(pool, *context, options());
  ASSERT_EQ(handshake.advance_to_signature(), SessionStatus::waiting);
  EXPECT_EQ(handshake.advance(), SessionStatus::waiting) << "asking again changes nothing";
  EXPECT_EQ(pool.pool.stacks.taken_count(), 1U);
  const int before = handshake.ready_count;
  pool.turn();
  EXPECT_EQ(handshake.ready_count, before + 1);
  handshake.expect_to_end_well();
}

TEST_P(WaitingHandshake, SharesABatchWithEightOthers) {
  std::vector<std::unique_ptr<Handshake>> handshakes;
  for (int i = 0; i < 9; ++i) {
    handshakes.push_back(std::make_unique<Handshake>(pool, *context, options()));
    ASSERT_EQ(handshakes.back()->advance(), SessionStatus::waiting);
  }
  pool.pool.agreements.run();
  for (const auto& handshake : handshakes) ASSERT_EQ(handshake->advance(), SessionStatus::waiting);
  pool.turn();
  EXPECT_EQ(pool.batches, 2) << "eight and one";
  for (const auto& handshake : handshakes) ASSERT_EQ(handshake->advance(), SessionStatus::need_input);
  // TLS 1.2 agrees on a secret now: all nine in one turn.
  std::vector<SessionStatus> statuses;
  for (const auto& handshake : handshakes) statuses.push_back(handshake->advance());
  pool.turn();
  for (size_t i = 0; i < handshakes.size(); ++i) {
    if (statuses[i] == SessionStatus::waiting) statuses[i] = handshakes[i]->advance();
    EXPECT_EQ(statuses[i], SessionStatus::ok) << i;
  }
}

TEST_P(WaitingHandshake, MayEndBeforeItsSignatureIsThere) {
  auto handshake = std::make_unique<Handshake>(pool, *context, options());
  ASSERT_EQ(handshake->advance_to_signature(), SessionStatus::waiting);
  handshake = nullptr;
  EXPECT_EQ(pool.pool.stacks.taken_count(), 0U);
  pool.turn();  // the job comes back to nobody
}

TEST_P(WaitingHandshake, MayEndWithASignatureThatItDidNotTake) {
  auto handshake = std::make_unique<Handshake>(pool, *context, options());
  ASSERT_EQ(handshake->advance_to_signature(), SessionStatus::waiting);
  pool.turn();
  handshake = nullptr;
  EXPECT_EQ(pool.pool.stacks.taken_count(), 0U);
}

TEST_P(WaitingHandshake, MayEndBeforeItsSecretIsThere) {
  auto handshake = std::make_unique<Handshake>(pool, *context, options());
  ASSERT_EQ(handshake->advance(), SessionStatus::waiting);
  if (GetParam() == TLS1_2_VERSION) {
    pool.turn();
    ASSERT_EQ(handshake->advance(), SessionStatus::need_input);
    (void)handshake->advance();
  }
  handshake = nullptr;
  EXPECT_EQ(pool.pool.stacks.taken_count(), 0U);
  pool.turn();
}

TEST_P(WaitingHandshake, OutlivesItsContext) {
  Handshake handshake(pool, *context, options());
  ASSERT_EQ(handshake.advance(), SessionStatus::waiting);
  context = nullptr;
  handshake.expect_to_end_well();
}

TEST_P(WaitingHandshake, SignsAtOnceWithAKeyThatIsQuick) {
  context = test::make_context({.cipher_suites = {"ECDHE-ECDSA-AES128-GCM-SHA256"}}, test::ecdsa_p256());
  Handshake handshake(pool, *context, options());
  handshake.expect_to_end_well();
  EXPECT_EQ(pool.batches, 0);
}

// The deepest that a step goes: it verifies the client's chain, signs, and agrees on a secret. What a stack was touched
// at shows in a pattern on it; the pool gives out again what came back last.
TEST_P(WaitingHandshake, LeavesHalfOfItsStackAlone) {
  const test::Authority root("root");
  const test::Authority intermediate("intermediate", &root, {.serial = 77, .is_ecdsa = false});
  const test::Pem pem = intermediate.issue({.is_ecdsa = false});
  snapshot::TlsSettings settings = five_suites();
  settings.client_certificates = snapshot::ClientCertificates::required;
  settings.client_verification.emplace().ca_pem = root.certificate();
  context = test::make_context(settings);
  ClientOptions with_certificate = options();
  with_certificate.certificate_pem = pem.certificate + intermediate.certificate();
  with_certificate.key_pem = pem.key;

  constexpr std::byte pattern{0xa5};
  const std::span<std::byte> stack(pool.pool.stacks.take(), FiberStacks::stack_bytes);
  std::ranges::fill(stack, pattern);
  pool.pool.stacks.give(stack.data());
  Handshake handshake(pool, *context, with_certificate);
  handshake.expect_to_end_well();
  const auto untouched = std::ranges::find_if(stack, [](std::byte byte) { return byte != pattern; }) - stack.begin();
  printf("stack of a handshake: %zd of %zu bytes\n", stack.end() - stack.begin() - untouched, stack.size());
  EXPECT_LT(untouched, std::ssize(stack)) << "this was its stack";
  EXPECT_GT(untouched, std::ssize(stack) / 2);
}

INSTANTIATE_TEST_SUITE_P(BothVersions, WaitingHandshake, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

// After a batch with company the thread waits for more before it signs: also when there is nothing, and the end comes.
TEST(SigningQueue, EndsWhileItWouldWaitForCompany) {
  CHECK(initialize().has_value());
  const auto key = PrivateKey::read(test::rsa_2048().key).value();
  std::atomic<int> batches{0};
  HandshakePool pool;
  pool.signing.begin_service(
      RsaBatching::automatic, [](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &batches);
  for (int i = 0; i < 2; ++i) {
    auto* job = new SigningJob;  // nobody waits for it: the queue frees it
    job->key = key;
    job->input.fill(std::byte{0});
    pool.signing.submit(*job);
  }
  pool.signing.publish();
  std::thread thread([&] { pool.signing.serve(); });
  while (batches == 0) std::this_thread::yield();
  pool.signing.stop();
  thread.join();
  pool.signing.collect();
}

TEST(SigningQueue, SignsOnItsThread) {
  struct Counter {
    static void on_signed(void* self) {
      static_cast<Counter*>(self)->word.fetch_add(1), static_cast<Counter*>(self)->word.notify_one();
    }
    std::atomic<int> word{0};
  } counter;
  HandshakePool pool;
  pool.signing.begin_service(RsaBatching::automatic, Counter::on_signed, &counter);
  std::thread thread([&] { pool.signing.serve(); });

  CHECK(initialize().has_value());
  const auto key = PrivateKey::read(test::rsa_2048().key).value();
  const std::string digest(32, 'd');
  const std::string block = test::padded_block(digest, 256);
  bool is_done = false;
  SigningJob job;
  job.key = key;
  std::memcpy(job.input.data(), block.data(), block.size());
  job.on_done = [](void* flag) { *static_cast<bool*>(flag) = true; };
  job.owner = &is_done;
  pool.signing.submit(job);
  pool.signing.publish();
  counter.word.wait(0);
  pool.signing.collect();
  EXPECT_TRUE(is_done && job.has_succeeded);
  EXPECT_TRUE(test::verifies(test::rsa_2048(), digest, std::string(as_text(ConstBytes(job.output).first(256)))));
  pool.signing.stop();
  thread.join();
}

}  // namespace
}  // namespace sluice::tls

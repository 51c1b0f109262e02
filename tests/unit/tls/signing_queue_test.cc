#include "tls/signing_queue.h"

#include "connection.h"

#include <gtest/gtest.h>

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
    pool.signing.publish();
    while (pool.signing.serve_one_batch()) {
    }
    pool.signing.collect();
  }

  int batches = 0;
  HandshakePool pool;
};

// A handshake that waits for its signature, between two turns.
struct Handshake {
  Handshake(Pool& pool, ServerContext& context, const ClientOptions& options)
      : session(Session::accept(
            context, &pool.pool,
            {.on_signed = [](void* self) { ++static_cast<Handshake*>(self)->signed_count; }, .owner = this})),
        client(options) {}

  SessionStatus advance() {
    (void)client.handshake();
    from_client += client.take_output();
    ConstBytes input = as_bytes(from_client);
    const SessionStatus status = session->handshake(input, output.sink());
    from_client.erase(0, from_client.size() - input.size());
    if (status != SessionStatus::signing) client.feed(as_bytes(output.take()));
    return status;
  }

  int signed_count = 0;
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
  ASSERT_EQ(handshake.advance(), SessionStatus::signing);
  EXPECT_EQ(handshake.advance(), SessionStatus::signing) << "asking again changes nothing";
  EXPECT_EQ(handshake.signed_count, 0);
  EXPECT_EQ(pool.pool.stacks.taken_count(), 1U);
  pool.turn();
  EXPECT_EQ(handshake.signed_count, 1);
  ASSERT_EQ(handshake.advance(), SessionStatus::need_input);
  EXPECT_EQ(pool.pool.stacks.taken_count(), 0U);
  ASSERT_EQ(handshake.advance(), SessionStatus::ok) << handshake.session->error_text();
}

TEST_P(WaitingHandshake, SharesABatchWithEightOthers) {
  std::vector<std::unique_ptr<Handshake>> handshakes;
  for (int i = 0; i < 9; ++i) {
    handshakes.push_back(std::make_unique<Handshake>(pool, *context, options()));
    ASSERT_EQ(handshakes.back()->advance(), SessionStatus::signing);
  }
  pool.turn();
  EXPECT_EQ(pool.batches, 2) << "eight and one";
  for (const auto& handshake : handshakes) {
    ASSERT_EQ(handshake->advance(), SessionStatus::need_input);
    ASSERT_EQ(handshake->advance(), SessionStatus::ok);
  }
}

TEST_P(WaitingHandshake, MayEndBeforeItsSignatureIsThere) {
  auto handshake = std::make_unique<Handshake>(pool, *context, options());
  ASSERT_EQ(handshake->advance(), SessionStatus::signing);
  handshake = nullptr;
  EXPECT_EQ(pool.pool.stacks.taken_count(), 0U);
  pool.turn();  // the job comes back to nobody
}

TEST_P(WaitingHandshake, MayEndWithASignatureThatItDidNotTake) {
  auto handshake = std::make_unique<Handshake>(pool, *context, options());
  ASSERT_EQ(handshake->advance(), SessionStatus::signing);
  pool.turn();
  handshake = nullptr;
  EXPECT_EQ(pool.pool.stacks.taken_count(), 0U);
}

TEST_P(WaitingHandshake, OutlivesItsContext) {
  Handshake handshake(pool, *context, options());
  ASSERT_EQ(handshake.advance(), SessionStatus::signing);
  context = nullptr;
  pool.turn();
  ASSERT_EQ(handshake.advance(), SessionStatus::need_input);
  ASSERT_EQ(handshake.advance(), SessionStatus::ok);
}

TEST_P(WaitingHandshake, SignsAtOnceWithAKeyThatIsQuick) {
  context = test::make_context({.cipher_suites = {"ECDHE-ECDSA-AES128-GCM-SHA256"}}, test::ecdsa_p256());
  Handshake handshake(pool, *context, options());
  ASSERT_EQ(handshake.advance(), SessionStatus::need_input);
  ASSERT_EQ(handshake.advance(), SessionStatus::ok);
}

INSTANTIATE_TEST_SUITE_P(BothVersions, WaitingHandshake, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

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

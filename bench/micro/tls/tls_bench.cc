// What TLS costs beside the network: records, and the RSA signatures of handshakes in batches. Each benchmark reports
// time, calls of malloc and a checksum of what it made.
#include "connection.h"
#include "fixed_sink.h"
#include "report.h"
#include "require.h"

#include "tls/private_key.h"
#include "tls/record_cipher.h"
#include "tls/signing_queue.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace sluice::tls {
namespace {

using bench::FixedSink;
using bench::Report;
using bench::require;

// --- Records ---------------------------------------------------------------------------------------

// What a response's bytes cost from plaintext to records, as the transport has them made.
void write_records(benchmark::State& state, const char* suite) {
  const std::string plaintext(static_cast<size_t>(state.range(0)), 'x');
  test::Connection connection({.cipher_suites = {"ECDHE-RSA-AES128-GCM-SHA256"}}, {.tls13_ciphers = suite});
  require(connection.handshake() == SessionStatus::ok);
  FixedSink out;
  Report report(state);
  for (auto _ : state) {
    out.used = 0;
    require(connection.session->write(as_bytes(plaintext), out.sink()));
    benchmark::ClobberMemory();
    report.checksum += out.used;
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(write_records, aes_128_gcm, "TLS_AES_128_GCM_SHA256")->Arg(100)->Arg(2048)->Arg(16'384);
BENCHMARK_CAPTURE(write_records, aes_256_gcm, "TLS_AES_256_GCM_SHA384")->Arg(100)->Arg(2048)->Arg(16'384);
BENCHMARK_CAPTURE(write_records, chacha20_poly1305, "TLS_CHACHA20_POLY1305_SHA256")->Arg(100)->Arg(2048)->Arg(16'384);

// The cipher alone, where the processor can: there and back.
void protect_record(benchmark::State& state, size_t key_bytes) {
  const auto size = static_cast<size_t>(state.range(0));
  const std::vector<std::byte> key(key_bytes, std::byte{7});
  const std::vector<std::byte> nonce(gcm_nonce_bytes, std::byte{1});
  const std::vector<std::byte> associated(5, std::byte{23});
  std::vector<std::byte> record(size + gcm_tag_bytes);
  std::byte* const tag = record.data() + size;
  const ConstBytes content = ConstBytes(record).first(size);
  Report report(state);
  for (auto _ : state) {
    encrypt_record(key, nonce.data(), associated, content, record.data(), tag);
    require(decrypt_record(key, nonce.data(), associated, content, tag, record.data()));
    report.checksum += static_cast<uint64_t>(record[0]) + record.size();
  }
  state.SetBytesProcessed(2 * state.iterations() * state.range(0));
}
[[maybe_unused]] const bool registered = [] {
  if (!can_protect_records()) return false;
  for (const size_t key_bytes : {16U, 32U}) {
    benchmark::RegisterBenchmark(("protect_record/aes_" + std::to_string(8 * key_bytes) + "_gcm").c_str(),
                                 [=](benchmark::State& state) { protect_record(state, key_bytes); })
        ->Arg(100)
        ->Arg(2048)
        ->Arg(16'384);
  }
  return true;
}();

// --- Signatures ------------------------------------------------------------------------------------

// So many handshakes of one turn wait for a signature: from the first submit() until all are collected. Items are
// signatures; RsaBatching::automatic, as `sluice run`.
void sign_batch(benchmark::State& state, const test::Pem& (*pair)()) {
  require(initialize().has_value());
  const std::shared_ptr<const PrivateKey> key = PrivateKey::read(pair().key).value();
  const std::string block = test::padded_block(std::string(32, 'd'), key->size_bytes());
  SigningQueue queue;
  queue.begin_service(RsaBatching::automatic, [](void*) {}, nullptr);
  std::deque<SigningJob> jobs(static_cast<size_t>(state.range(0)));
  uint64_t done = 0;
  for (SigningJob& job : jobs) {
    job.key = key;
    std::memcpy(job.input.data(), block.data(), block.size());
    job.owner = &done;
  }
  Report report(state);
  for (auto _ : state) {
    for (SigningJob& job : jobs) {
      job.on_done = [](void* count) { ++*static_cast<uint64_t*>(count); };
      queue.submit(job);
    }
    queue.publish();
    while (queue.serve_one_batch()) {
    }
    queue.collect();
    for (const SigningJob& job : jobs) require(job.has_succeeded);
    report.checksum += static_cast<uint64_t>(jobs[0].output[0]);
  }
  require(done == jobs.size() * static_cast<size_t>(state.iterations()));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(sign_batch, rsa_2048, test::rsa_2048)->Arg(1)->Arg(2)->Arg(4)->Arg(8)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sign_batch, rsa_4096, test::rsa_4096)->Arg(1)->Arg(2)->Arg(4)->Arg(8)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace sluice::tls

BENCHMARK_MAIN();

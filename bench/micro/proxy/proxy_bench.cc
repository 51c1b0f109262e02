// What the next snapshot costs a shard, and what the header operations of a route cost a request.
#include "documents.h"
#include "report.h"
#include "require.h"

#include "base/limits.h"
#include "base/random.h"
#include "proxy/adopted_snapshots.h"
#include "proxy/header_operations.h"
#include "snapshot/cell.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::bench {
namespace {

// What adopting costs a shard that has sent requests to every cluster, when nothing has changed; by clusters.
// `longest_us` is the bar: for so long the shard does nothing else.
void adopt_snapshot(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  snapshot::Cell cell(1);
  proxy::AdoptedSnapshots shard;
  Random random(1);
  double longest = 0;
  const auto adopt_next = [&] {
    cell.publish(load(many_services(count)));
    const auto start = std::chrono::steady_clock::now();
    shard.adopt(*cell.current());
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    cell.report(0, shard.current_version());
    cell.collect();
    return taken.count();
  };
  const auto use_all = [&] {
    uint64_t used = 0;
    for (uint32_t i = 0; i < count; ++i) used += shard.current()->clusters.choose(i, random, nullptr) != nullptr;
    require(used == count);
  };
  adopt_next();
  use_all();
  for (auto _ : state) {
    const double taken = adopt_next();
    state.SetIterationTime(taken);
    longest = std::max(longest, taken);
    use_all();
  }
  state.counters["longest_us"] = longest * 1e6;
  state.counters["checksum"] = static_cast<double>(shard.current_version());
  shard.clear();
}
BENCHMARK(adopt_snapshot)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(10'000)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

// --- Header operations ------------------------------------------------------------------------------

snapshot::Format literal(std::string_view text) {
  return {.source = {}, .parts = {{.op = snapshot::Operator::literal, .text = std::string(text)}}, .needs = {}};
}

snapshot::Format request_field(std::string_view name) {
  return {.source = {},
          .parts = {{.op = snapshot::Operator::request_field,
                     .field = {.kind = snapshot::FieldReference::Kind::field, .name = std::string(name)}}},
          .needs = {}};
}

// On a request of ten fields. What it costs to make the list anew is part of it, and is all that `none` measures.
void apply_header_operations(benchmark::State& state, bool has_any) {
  constexpr http::HeaderField fields[] = {
      {"host", "shop.example.com"},    {"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"},
      {"accept", "text/html"},         {"accept-language", "en-US,en;q=0.5"},
      {"accept-encoding", "gzip, br"}, {"cookie", "session=4f2a9c0e1b7d4e6f8a9b0c1d2e3f4a5b"},
      {"cache-control", "no-cache"},   {"x-forwarded-for", "203.0.113.9"},
      {"x-forwarded-proto", "https"},  {"x-request-id", "01234567-89ab-4def-bedc-ba9876543210"},
  };
  snapshot::FieldOperations operations;
  if (has_any) {
    operations.remove = {"cookie"};
    operations.set = {{"x-gateway", literal("sluice")},
                      {"x-agent", request_field("user-agent")},
                      {"cache-control", literal("no-store")}};
    operations.add = {{"x-team", literal("checkout")}};
  }
  Arena arena(limits::exchange_arena_bytes_max);
  (void)arena.allocate(1);  // the first block, which every exchange keeps
  Report report(state);
  for (auto _ : state) {
    arena.reset();
    http::HeaderList list(arena);
    for (const auto& [name, value] : fields) require(list.add(name, value));
    observe::RequestRecord record;
    record.request_fields = &list;
    require(proxy::apply_operations(operations, list, record));
    report.checksum += list.size();
  }
}
BENCHMARK_CAPTURE(apply_header_operations, none, false);
BENCHMARK_CAPTURE(apply_header_operations, of_five, true);

}  // namespace
}  // namespace sluice::bench

BENCHMARK_MAIN();

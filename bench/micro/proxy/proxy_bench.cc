// What the next snapshot costs a shard.
#include "documents.h"

#include "base/random.h"
#include "proxy/adopted_snapshots.h"
#include "snapshot/cell.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

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

}  // namespace
}  // namespace sluice::bench

BENCHMARK_MAIN();

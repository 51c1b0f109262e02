// What a large configuration costs: loading it, keeping it, and finding a route in it.
// Besides time: memory (resident, of the process), and a checksum of what was made.
#include "documents.h"

#include "base/heap.h"
#include "base/random.h"
#include "config/load.h"
#include "route/choose_route.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::bench {
namespace {

// --- Memory of the process -------------------------------------------------------------------------

// A line of /proc/self/status (proc_pid_status(5)): "VmRSS:     1234 kB".
double megabytes(std::string_view name) {
  double kilobytes = 0;
  std::FILE* file = std::fopen("/proc/self/status", "r");
  require(file != nullptr);
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::string_view(line).starts_with(name)) kilobytes = std::strtod(line + name.size() + 1, nullptr);
  }
  std::fclose(file);
  return kilobytes / 1024;
}

// VmHWM begins anew (proc_pid_clear_refs(5)).
void forget_peak() {
  std::FILE* file = std::fopen("/proc/self/clear_refs", "w");
  require(file != nullptr);
  std::fputs("5", file);
  std::fclose(file);
}

// --- Loading ---------------------------------------------------------------------------------------

// Of VirtualServices with five routes each. `kept_MB` is what the process has more after loading than before, when
// the heap has given back what it does not need; `peak_MB` what it had more at most, the texts not counted.
void load_services(benchmark::State& state) {
  heap::configure();
  const auto count = static_cast<uint32_t>(state.range(0));
  double kept = 0;
  double peak = 0;
  uint64_t checksum = 0;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<config::SourceText> files = many_services(count);
    heap::give_back_spare_memory();
    const double before = megabytes("VmRSS");
    forget_peak();
    state.ResumeTiming();
    std::unique_ptr<snapshot::Snapshot> loaded = load(std::move(files));
    state.PauseTiming();
    peak = std::max(peak, megabytes("VmHWM") - before);
    heap::give_back_spare_memory();
    kept = std::max(kept, megabytes("VmRSS") - before);
    require(loaded->routes.size() == size_t{count} * routes_per_service && loaded->clusters.size() == count);
    checksum = std::strtoull(loaded->hash.substr(0, 8).c_str(), nullptr, 16);
    loaded.reset();
    state.ResumeTiming();
  }
  state.counters["kept_MB"] = kept;
  state.counters["peak_MB"] = peak;
  state.counters["checksum"] = static_cast<double>(checksum);
}
BENCHMARK(load_services)->Arg(100)->Arg(1000)->Arg(10'000)->UseRealTime()->Unit(benchmark::kMillisecond);

// --- Matching --------------------------------------------------------------------------------------

using Documents = std::vector<config::SourceText> (*)(uint32_t count);
using ChooseTarget = Target (*)(uint32_t count, uint64_t random);

// A benchmark's function is called several times: the documents are loaded for the first one.
const snapshot::Snapshot& loaded_once(Documents documents, uint32_t count) {
  static std::pair<Documents, uint32_t> last;
  static std::unique_ptr<snapshot::Snapshot> loaded;
  if (last != std::pair(documents, count)) loaded = load(documents(count));
  last = {documents, count};
  return *loaded;
}

// `target_count` different requests, one after the other: with one of them all that it looks at stays in the cache,
// with many of them what it costs to fetch it from memory shows.
void choose_route(benchmark::State& state, Documents documents, uint32_t count, ChooseTarget choose,
                  size_t target_count) {
  const snapshot::Snapshot* loaded = &loaded_once(documents, count);
  const snapshot::RouteTable& table = loaded->route_tables.back();
  Random random(1);
  std::vector<Target> targets;
  for (size_t i = 0; i < target_count; ++i) targets.push_back(choose(count, random.next()));
  Arena arena(1024);
  http::RequestHead head(arena);
  head.method = "GET";
  size_t next = 0;
  uint64_t checksum = 0;
  for (auto _ : state) {
    const Target& target = targets[next];
    next = next + 1 == targets.size() ? 0 : next + 1;
    head.host = target.host;
    head.path = target.path;
    const route::Decision decision = route::choose_route(*loaded, table, head, 1);
    require(decision.outcome == route::Outcome::forward);
    checksum += decision.match->route;
  }
  state.counters["checksum"] = benchmark::Counter(static_cast<double>(checksum), benchmark::Counter::kAvgIterations);
}

constexpr size_t many_targets = 50'000;

void one_host(benchmark::State& state, size_t target_count) {
  choose_route(state, many_routes, static_cast<uint32_t>(state.range(0)), target_of_routes, target_count);
}
void one_host_each(benchmark::State& state, size_t target_count) {
  choose_route(state, many_services, static_cast<uint32_t>(state.range(0)) / routes_per_service, target_of_services,
               target_count);
}

void choose_same_in_one_host(benchmark::State& state) { one_host(state, 1); }
void choose_any_in_one_host(benchmark::State& state) { one_host(state, many_targets); }
void choose_same_of_hosts(benchmark::State& state) { one_host_each(state, 1); }
void choose_any_of_hosts(benchmark::State& state) { one_host_each(state, many_targets); }
BENCHMARK(choose_same_in_one_host)->RangeMultiplier(10)->Range(10, 100'000);
BENCHMARK(choose_any_in_one_host)->RangeMultiplier(10)->Range(10, 100'000);
BENCHMARK(choose_same_of_hosts)->RangeMultiplier(10)->Range(10, 100'000);
BENCHMARK(choose_any_of_hosts)->RangeMultiplier(10)->Range(10, 100'000);

}  // namespace
}  // namespace sluice::bench

BENCHMARK_MAIN();

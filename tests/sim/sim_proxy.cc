// The simulation of the whole data plane: many short lives of a gateway in a hostile world, each determined
// by its seed (tests/support/sim_io). Prints the seed and how to replay it when one ends badly.
//
//   sim_proxy --seeds 1-1000
//   sim_proxy --seed 42 --verbose
#include "sim/run.h"

#include <fmt/format.h>

#include <unistd.h>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

// For the signal handler, which can be told nothing: the seed that runs.
volatile uint64_t running_seed = 0;

// Every violation ends in abort(): sim::World::fail, CHECK, a sanitizer.
void tell_how_to_replay(int signal) {
  char text[96];
  const auto size = fmt::format_to_n(text, sizeof text, "sim: replay with: sim_proxy --seed {} --verbose\n",
                                     static_cast<uint64_t>(running_seed))
                        .size;
  if (write(STDERR_FILENO, text, size) < 0) _exit(1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

struct Options {
  uint64_t first = 1;
  uint64_t last = 100;
  bool is_verbose = false;
};

bool to_number(std::string_view text, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool read_options(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--verbose") {
      options.is_verbose = true;
      continue;
    }
    if (++i == count) return false;
    const std::string_view value = arguments[i];
    if (name == "--seed") {
      if (!to_number(value, options.first)) return false;
      options.last = options.first;
    } else if (name == "--seeds") {
      const size_t dash = value.find('-');
      if (dash == std::string_view::npos || !to_number(value.substr(0, dash), options.first) ||
          !to_number(value.substr(dash + 1), options.last))
        return false;
    } else {
      return false;
    }
  }
  return options.first <= options.last;
}

// A simulation in which nothing happens any more would succeed, too.
bool was_everything_exercised(const sluice::sim::Tally& tally) {
  return tally.answered > tally.requests / 3 && tally.local > 0 && tally.lost > 0 && tally.tunnels > 0 &&
         tally.streams > tally.streams_lost && tally.streams_lost > 0 && tally.http2_answered > 0 &&
         tally.http2_cancelled > 0 && tally.http2_broken > 0 && tally.spliced_bytes > 0 && tally.tls_handshakes > 0 &&
         tally.retries > 0 && tally.copies > 0 && tally.upstream_reuses > 0;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  if (!read_options(count, arguments, options)) {
    std::fputs("usage: sim_proxy [--seed N | --seeds A-B] [--verbose]\n", stderr);
    return 2;
  }
  std::signal(SIGABRT, tell_how_to_replay);

  sluice::sim::Tally total;
  for (uint64_t seed = options.first; seed <= options.last; ++seed) {
    running_seed = seed;
    total.add(sluice::sim::run_seed(seed, options.is_verbose));
  }
  fmt::print(
      "seeds {} to {}: {} requests: {} answered, {} local, {} lost, {} tunnels; {} streams, {} lost; {} of HTTP/2, {} "
      "cancelled, {} broken; {} executions, {} "
      "body bytes, {} "
      "spliced bytes, {} handshakes, {} retries, {} copies, {} reuses; {} turns\n",
      options.first, options.last, total.requests, total.answered, total.local, total.lost, total.tunnels,
      total.streams, total.streams_lost, total.http2_answered, total.http2_cancelled, total.http2_broken,
      total.executions, total.body_bytes, total.spliced_bytes, total.tls_handshakes, total.retries, total.copies,
      total.upstream_reuses, total.turns);
  if (options.last - options.first >= 500 && !was_everything_exercised(total)) {
    std::fputs("sim: something of the above did not happen at all, or too rarely: the plans must be made better\n",
               stderr);
    return 1;
  }
  return 0;
}

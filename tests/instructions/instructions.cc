// Runs fixed sequences of requests through the real code of a shard, over the simulated kernel, so that callgrind can
// count what they cost (scripts/instructions does). Prints each with the number of requests that were measured.
//
//   instructions               every sequence
//   instructions NAME          one of them, since callgrind counts for a whole process
//   instructions --list        their names
//   instructions --compiler    what has compiled it, on which the counts depend
#include "instructions/sequences.h"

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

namespace {

#ifdef __clang__
constexpr std::string_view kCompiler = "clang++";
constexpr int kCompilerVersion = __clang_major__;
#else
constexpr std::string_view kCompiler = "g++";
constexpr int kCompilerVersion = __GNUC__;
#endif
#ifdef NDEBUG  // meson.build: b_ndebug=if-release
constexpr std::string_view kBuild = "release";
#else
constexpr std::string_view kBuild = "debug";
#endif

}  // namespace

int main(int count, char** arguments) {
  const std::string_view wanted = count > 1 ? arguments[1] : "";
  if (wanted == "--compiler") {
    fmt::print("{} {} {}\n", kCompiler, kCompilerVersion, kBuild);
    return 0;
  }
  bool is_known = false;
  for (const auto& sequence : sluice::instructions::all_sequences()) {
    if (wanted == "--list") {
      fmt::print("{}\n", sequence.name);
    } else if (wanted.empty() || wanted == sequence.name) {
      fmt::print("{} {}\n", sequence.name, sequence.run());
    } else {
      continue;
    }
    is_known = true;
  }
  if (is_known) return 0;
  fmt::print(stderr, "instructions: there is no sequence {}; --list names them\n", wanted);
  return 2;
}

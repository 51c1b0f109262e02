// Documents of a large installation, as text: what a cluster with thousands of applications behind one gateway has.
#pragma once

#include "require.h"

#include "config/load.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice::bench {

inline constexpr uint32_t routes_per_service = 5;

// One Gateway (80 and 443) and `count` VirtualServices, each with its host, five routes (two exact paths, one of them
// with a header; two prefixes, one of them with methods; a catch-all) and a Service that they lead to. A hundred to a
// file.
[[nodiscard]] std::vector<config::SourceText> many_services(uint32_t count);

// The same with one VirtualService that has `count` routes: exact paths and prefixes in turn.
[[nodiscard]] std::vector<config::SourceText> many_routes(uint32_t count);

// A host and a path that the documents have a route for, each of them as often as any other one.
struct Target {
  std::string host;
  std::string path;
};
[[nodiscard]] Target target_of_services(uint32_t count, uint64_t random);
[[nodiscard]] Target target_of_routes(uint32_t count, uint64_t random);

// Ends the program, with what is wrong, when the documents do not load.
[[nodiscard]] std::unique_ptr<snapshot::Snapshot> load(std::vector<config::SourceText> files);

}  // namespace sluice::bench

// From the http routes of a VirtualService to routes of the snapshot and the matches that lead to them.
#pragma once

#include "config/cluster_builder.h"
#include "config/delegates.h"
#include "config/diagnostic.h"
#include "config/document_names.h"
#include "config/model.h"
#include "config/request_matches.h"
#include "snapshot/snapshot.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace sluice::config {

struct CompiledMatch {
  snapshot::RequestMatch match;
  const HttpMatch* server_specific = nullptr;  // null: it is for every server that the VirtualService is bound to
  const Node* node = nullptr;                  // of the match, or of a route without matches
};

// In the order in which they are tried.
using CompiledMatches = std::vector<CompiledMatch>;

class HttpRouteCompiler {
 public:
  HttpRouteCompiler(const Model& model, snapshot::Snapshot& snapshot, ClusterBuilder& clusters, DocumentNames& names,
                    Diagnostics& diagnostics);

  // Adds the routes to the snapshot. Matches that no request can reach are left out, with a warning.
  [[nodiscard]] CompiledMatches compile(const VirtualService& service);
  // When all are compiled.
  void warn_of_unused_delegates() const { delegates_.warn_of_unused(); }

 private:
  void compile(const HttpRoute& written, const VirtualService& owner, CompiledMatches& matches);
  [[nodiscard]] uint32_t add_route(const HttpRoute& written, const VirtualService& owner);
  [[nodiscard]] std::vector<snapshot::Mirror> compile_mirrors(const HttpRoute& written, const VirtualService& owner);
  [[nodiscard]] std::optional<uint32_t> add_operations(snapshot::HeaderOperations operations);
  void add_matches(const HttpRoute& written, uint32_t route, CompiledMatches& matches);
  [[nodiscard]] bool take_lint_steps(size_t count) noexcept;
  void warn_of_hidden(const CompiledMatches& matches);
  void warn_of_loops(const CompiledMatches& matches);
  void warn_of_prefixes(const VirtualService& service);

  snapshot::Snapshot& snapshot_;
  ClusterBuilder& clusters_;
  Diagnostics& diagnostics_;
  Delegates delegates_;
  DocumentNames& names_;
  size_t lint_steps_left_;  // bounded: documents could be made to need the square of their size
};

// What all routes of a snapshot are compiled with: those of Gateways, and those of outbound traffic.
struct RouteCompilers {
  ClusterBuilder& clusters;
  DocumentNames& names;
  HttpRouteCompiler& http;
};

}  // namespace sluice::config

// Routes of a VirtualService that leave the details to another one, its delegate (Istio's `delegate`): the delegate's
// routes take the place of the route, each narrowed by the route's matches and completed by what else it says.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice::config {

// A VirtualService without hosts is one.
[[nodiscard]] bool is_delegate(const VirtualService& service) noexcept;

class Delegates {
 public:
  // `model` outlives it.
  Delegates(const Model& model, Diagnostics& diagnostics);

  struct Routes {
    const VirtualService* delegate = nullptr;  // null: there is none, which was said
    std::vector<const HttpRoute*> routes;      // owned by Delegates
  };
  // In place of `route`, which delegates and is one of `root`.
  [[nodiscard]] Routes routes_for(const HttpRoute& route, const VirtualService& root);

  void warn_of_unused() const;

 private:
  [[nodiscard]] const VirtualService* find(const HttpRoute& route, const VirtualService& root);
  // Bounds what merging copies: a few documents could ask for any number of copies. False: too much, which was said.
  [[nodiscard]] bool take_nodes(const HttpRoute& root, const HttpRoute& delegate);
  // `name_space` is the root's.
  [[nodiscard]] std::optional<HttpRoute> merge(const HttpRoute& root, const HttpRoute& delegate,
                                               std::string_view name_space);
  [[nodiscard]] Destination named_by_root(const Destination& written, std::string_view name_space);
  [[nodiscard]] HttpMatch merge(const HttpMatch& root, const HttpMatch& delegate);
  [[nodiscard]] Text joined_name(const Text& root, const Text& delegate);

  Diagnostics& diagnostics_;
  bool all_are_known_;
  std::map<std::string, const VirtualService*, std::less<>> delegates_;  // by namespace/name
  std::set<const VirtualService*> used_;
  std::deque<HttpRoute> merged_;
  std::deque<std::string> names_;
  size_t nodes_left_;  // of limits::config_nodes_max
  bool has_too_many_ = false;
};

}  // namespace sluice::config

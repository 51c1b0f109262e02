#include "config/mesh_config.h"

#include "config/embedded_yaml.h"
#include "config/schema.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

constexpr std::string_view mesh_key = "mesh";
constexpr size_t named_keys_max = 12;  // in a message

const Node* mesh_text(const ConfigMap& map) noexcept {
  const auto found = std::ranges::find(map.data, mesh_key, &TextMap::value_type::first);
  return found == map.data.end() ? nullptr : found->second.node;
}

// meshNetworks is there in every installation: networks of several clusters, which a gateway that knows no pods
// has no use for.
void report_other_keys(const ConfigMap& map, Diagnostics& diagnostics) {
  std::vector<std::string_view> others;
  for (const auto& [key, value] : map.data) {
    if (key != mesh_key && others.size() < named_keys_max) others.push_back(key);
  }
  if (others.empty()) return;
  diagnostics.info(map.place(), fmt::format("of {} only the key {} is read, not {}", map.title(), in_quotes(mesh_key),
                                            quoted_list(others)));
}

}  // namespace

bool is_mesh_config_map(const ConfigMap& map) noexcept {
  return map.name() == "istio" && map.name_space() == gateway_namespace && mesh_text(map) != nullptr;
}

void read_mesh_config(Model& model, Diagnostics& diagnostics) {
  // A second one is an error already: no two documents may have the same name.
  const auto map = std::ranges::find_if(model.config_maps, is_mesh_config_map);
  if (map == model.config_maps.end()) return;
  report_other_keys(*map, diagnostics);
  model.mesh.map = &*map;
  std::optional<Node> document = parse_embedded_yaml(*mesh_text(*map), diagnostics);
  if (!document) return;
  model.mesh_document = std::make_unique<const Node>(std::move(*document));
  model.mesh.node = model.mesh_document.get();
  Reader(diagnostics).read_object(*model.mesh_document, &model.mesh, MeshConfig::schema);
}

}  // namespace sluice::config

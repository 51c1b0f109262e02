// VirtualServices that are for the mesh: their routes are for outbound traffic.
#pragma once

#include "config/diagnostic.h"
#include "config/gateway_labels.h"
#include "config/model.h"
#include "config/visibility.h"
#include "snapshot/host_map.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

[[nodiscard]] inline bool names_mesh(const std::vector<Text>& gateways) {
  return gateways.empty() || std::ranges::any_of(gateways, [](const Text& some) { return some.value == "mesh"; });
}

// Of OutboundBudget, for asking whether a match is for a port.
template <typename Match>
[[nodiscard]] size_t steps_of(const Match& match) noexcept {
  return 1 + match.source_labels.size() + match.gateways.size();
}

struct MeshHost {
  std::string pattern;
  const VirtualService* service = nullptr;
  const Text* written = nullptr;
};

class MeshServices {
 public:
  // Of several VirtualServices with http routes (or with tcp routes) for one host the first counts, as they are sorted:
  // in Istio routes of the mesh are not merged. The others get a warning.
  MeshServices(const Model& model, Diagnostics& diagnostics);

  [[nodiscard]] std::span<const MeshHost> http_hosts() const noexcept { return http_.hosts; }
  [[nodiscard]] std::span<const MeshHost> tcp_hosts() const noexcept { return tcp_.hosts; }
  // Those with tls routes, in order.
  [[nodiscard]] std::span<const VirtualService* const> with_tls() const noexcept { return with_tls_; }

  // The one whose host is the most specific; null: none.
  [[nodiscard]] const MeshHost* find_http(std::string_view host) const { return http_.find(host); }
  [[nodiscard]] const MeshHost* find_tcp(std::string_view host) const { return tcp_.find(host); }

  // The ports that matches ask for.
  [[nodiscard]] const std::vector<uint16_t>& ports() const noexcept { return ports_; }

  // Whether a match (of http, tls or tcp routes) is for outbound traffic to the port; 0: to one that nothing names.
  template <typename Match>
  [[nodiscard]] bool is_for(const Match& match, uint16_t port) const {
    const auto is_ours = [this](const auto& label) { return labels_.contains({label.first, label.second.value}); };
    return (!match.port || match.port.value == port) && names_mesh(match.gateways) &&
           std::ranges::all_of(match.source_labels, is_ours) &&
           (!match.source_namespace || match.source_namespace.value == gateway_namespace);
  }

 private:
  struct Hosts {
    std::vector<MeshHost> hosts;
    snapshot::HostMap by_pattern;  // -> index into hosts
    [[nodiscard]] const MeshHost* find(std::string_view host) const {
      const auto index = by_pattern.find(host);
      return index ? &hosts[*index] : nullptr;
    }
  };

  void add(const VirtualService& service);
  void add_hosts(const VirtualService& service, Hosts& hosts, std::string_view kind);
  template <typename Routes>
  void add_ports(const Routes& routes);

  Diagnostics& diagnostics_;
  GatewayLabels labels_;
  Hosts http_;
  Hosts tcp_;
  std::vector<const VirtualService*> with_tls_;
  std::vector<uint16_t> ports_;
};

}  // namespace sluice::config

#include "config/mesh_services.h"

#include "config/delegates.h"
#include "config/service_host.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::config {

MeshServices::MeshServices(const Model& model, Diagnostics& diagnostics)
    : diagnostics_(diagnostics), labels_(gateway_labels(model)) {
  for (const VirtualService& service : model.virtual_services) {
    if (service.is_broken || is_delegate(service) || !names_mesh(service.spec.gateways)) continue;
    if (is_exported(service.spec.export_to, service.name_space())) {
      add(service);
    } else {
      diagnostics.info(service.place(), fmt::format("{} is not exported to {}, where the gateway is: it is not for "
                                                    "outbound traffic",
                                                    service.title(), gateway_namespace));
    }
  }
  std::ranges::sort(ports_);
  const auto repeated = std::ranges::unique(ports_);
  ports_.erase(repeated.begin(), repeated.end());
}

void MeshServices::add(const VirtualService& service) {
  const VirtualServiceSpec& spec = service.spec;
  if (!spec.http.empty()) add_hosts(service, http_, "http");
  if (!spec.tcp.empty()) add_hosts(service, tcp_, "tcp");
  if (!spec.tls.empty()) with_tls_.push_back(&service);
  add_ports(spec.http);
  add_ports(spec.tls);
  add_ports(spec.tcp);
}

void MeshServices::add_hosts(const VirtualService& service, Hosts& hosts, std::string_view kind) {
  for (const Text& written : service.spec.hosts) {
    std::string pattern = full_host(written.value, service.name_space());
    if (pattern == "*") {
      diagnostics_.warning(written.node->place(),
                           fmt::format("host \"*\" of {} is not for outbound traffic: it would take the place of "
                                       "every registered host, and Istio refuses it for the mesh",
                                       service.title()));
      continue;
    }
    if (hosts.by_pattern.add(pattern, static_cast<uint32_t>(hosts.hosts.size()))) {
      hosts.hosts.push_back({std::move(pattern), &service, &written});
      continue;
    }
    const MeshHost& first = hosts.hosts[*hosts.by_pattern.find_pattern(pattern)];
    if (first.service == &service) continue;
    diagnostics_.warning(written.node->place(),
                         fmt::format("the {} routes of {} for host {} have no effect on outbound traffic: {} ({}) "
                                     "comes first, and for the mesh they are not merged",
                                     kind, service.title(), in_quotes(pattern), first.service->title(),
                                     first.service->place().to_string()));
  }
}

template <typename Routes>
void MeshServices::add_ports(const Routes& routes) {
  for (const auto& route : routes) {
    for (const auto& match : route.match) {
      if (match.port && names_mesh(match.gateways)) ports_.push_back(static_cast<uint16_t>(match.port.value));
    }
  }
}

}  // namespace sluice::config

#include "config/registered_ports.h"

#include "base/limits.h"
#include "config/address_block.h"
#include "config/host_name.h"
#include "config/service_host.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <memory>
#include <set>
#include <string_view>
#include <utility>

namespace sluice::config {

namespace {

class Registry {
 public:
  Registry(ClusterBuilder& clusters, Diagnostics& diagnostics) : clusters_(clusters), diagnostics_(diagnostics) {}

  void add(const Service& service);
  void add(const ServiceEntry& entry);
  [[nodiscard]] std::vector<RegisteredPort> take() { return std::move(ports_); }

 private:
  // False: it is there already, or there are too many.
  [[nodiscard]] bool take_place(const Document& document, const std::string& host, uint32_t number);
  void say_that_it_is_found_by_name(const ServiceEntry& entry, const ServiceEntryPort& port);

  ClusterBuilder& clusters_;
  Diagnostics& diagnostics_;
  std::vector<RegisteredPort> ports_;
  std::set<std::pair<std::string, uint32_t>> seen_;
};

Traffic traffic_of(PortProtocol protocol) noexcept {
  return protocol == PortProtocol::not_http ? Traffic::tcp : Traffic::http;
}

// TLS does, by SNI.
bool names_its_host(const ServiceEntryPort& port) {
  const std::string protocol = protocol_of(port);
  return protocol == "tls" || protocol == "https";
}

std::vector<std::string> short_names_of(const Service& service) {
  std::vector<std::string> names{fmt::format("{}.{}.svc", service.name(), service.name_space()),
                                 fmt::format("{}.{}", service.name(), service.name_space())};
  if (service.name_space() == gateway_namespace) names.emplace_back(service.name());
  return names;
}

bool Registry::take_place(const Document& document, const std::string& host, uint32_t number) {
  if (seen_.size() > limits::config_registered_ports_max) return false;
  if (!seen_.emplace(host, number).second) return false;
  if (seen_.size() <= limits::config_registered_ports_max) return true;
  diagnostics_.error(document.place(), fmt::format("more than {} pairs of a host and a port for outbound traffic",
                                                   limits::config_registered_ports_max));
  return false;
}

void Registry::add(const Service& service) {
  if (service.is_broken) return;
  const std::string host = fmt::format("{}.{}.{}", service.name(), service.name_space(), cluster_domain);
  const auto addresses = std::make_shared<std::vector<AddressRange>>();
  if (const auto address = AddressRange::parse(service.spec.cluster_ip.value)) addresses->push_back(*address);
  for (const ServicePort& port : service.spec.ports) {
    const bool is_tcp = port.protocol.value.empty() || port.protocol.value == "TCP";
    const PortProtocol protocol = port_protocol(protocol_of(port));
    if (!is_tcp || protocol == PortProtocol::udp || !take_place(service, host, port.port.value)) continue;
    RegisteredPort& added = ports_.emplace_back();
    added.document = &service;
    added.host = host;
    added.number = static_cast<uint16_t>(port.port.value);
    added.protocol = protocol;
    added.short_names = short_names_of(service);
    added.addresses = addresses;
    added.cluster = clusters_.of_registered(service, port, traffic_of(protocol));
  }
}

void Registry::say_that_it_is_found_by_name(const ServiceEntry& entry, const ServiceEntryPort& port) {
  diagnostics_.info(
      port.node->place(),
      fmt::format(
          "port {} of {} is not HTTP, and the entry has no addresses: it is found by the name that CONNECT says, "
          "and not by the address that a client connects to",
          port.number.value, entry.title()));
}

void Registry::add(const ServiceEntry& entry) {
  if (entry.is_broken || !is_exported(entry.spec.export_to, entry.name_space())) return;
  const auto addresses = std::make_shared<const std::vector<AddressRange>>(address_blocks(entry.spec.addresses));
  for (const ServiceEntryPort& port : entry.spec.ports) {
    const PortProtocol protocol = port_protocol(protocol_of(port));
    if (protocol == PortProtocol::udp) continue;
    if (protocol == PortProtocol::not_http && addresses->empty() && !names_its_host(port))
      say_that_it_is_found_by_name(entry, port);
    for (const Text& written : entry.spec.hosts) {
      const std::string host = normalised_host(written.value);
      // A Service of that name is what routes mean too.
      if (clusters_.has_service(host) || !take_place(entry, host, port.number.value)) continue;
      RegisteredPort& added = ports_.emplace_back();
      added.document = &entry;
      added.host = host;
      added.number = static_cast<uint16_t>(port.number.value);
      added.protocol = protocol;
      added.is_opaque = protocol == PortProtocol::not_http && !names_its_host(port);
      added.addresses = addresses;
      added.cluster = clusters_.of_registered(entry, port, host, traffic_of(protocol));
    }
  }
}

}  // namespace

std::vector<RegisteredPort> registered_ports(const Model& model, ClusterBuilder& clusters, Diagnostics& diagnostics) {
  Registry registry(clusters, diagnostics);
  for (const Service& service : model.services) registry.add(service);
  for (const ServiceEntry& entry : model.service_entries) registry.add(entry);
  return registry.take();
}

}  // namespace sluice::config

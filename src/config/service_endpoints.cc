#include "config/service_endpoints.h"

#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace sluice::config {

namespace {

constexpr std::string_view service_label = "kubernetes.io/service-name";

std::string_view label(const Document& document, std::string_view name) {
  const TextMap& labels = document.metadata.labels;
  const auto found = std::ranges::find(labels, name, &TextMap::value_type::first);
  return found == labels.end() ? std::string_view() : found->second.value;
}

bool value_or(const Flag& flag, bool otherwise) noexcept { return flag.node == nullptr ? otherwise : flag.value; }

// The port of the pods, or nothing: these pods do not have it. Without a number every port is meant.
std::optional<uint32_t> pod_port(const std::vector<EndpointPort>& ports, const ServicePort& wanted) {
  const auto is_meant = [&](const EndpointPort& some) {
    return some.name.value == wanted.name.value && (some.protocol.value.empty() || some.protocol.value == "TCP");
  };
  const auto port = std::ranges::find_if(ports, is_meant);
  if (port == ports.end()) return std::nullopt;
  if (port->port) return port->port.value;
  return wanted.target_port.number != 0 ? wanted.target_port.number : wanted.port.value;
}

}  // namespace

ServiceEndpoints::ServiceEndpoints(const Model& model, Diagnostics& diagnostics) {
  std::set<std::string, std::less<>> services;
  for (const Service& service : model.services) services.insert(service.key());
  const Document* unused = nullptr;
  size_t unused_count = 0;
  const auto pods_of = [&](const Document& document, std::string_view kind, const std::string& service) -> Pods* {
    if (document.is_broken) return nullptr;
    if (!services.contains(service)) {
      if (unused == nullptr) unused = &document;
      ++unused_count;
      return nullptr;
    }
    return &by_service_.try_emplace(service, Pods{kind, {}}).first->second;
  };
  for (const EndpointSlice& slice : model.endpoint_slices) {
    const std::string service = fmt::format("{}/{}", slice.name_space(), label(slice, service_label));
    if (Pods* pods = pods_of(slice, "EndpointSlices", service)) add(slice, *pods);
  }
  for (const Endpoints& endpoints : model.endpoints) {
    Pods* pods = pods_of(endpoints, "Endpoints", endpoints.key());
    if (pods != nullptr && pods->kind == "Endpoints") add(endpoints, *pods);
  }
  if (unused == nullptr || !model.is_complete) return;
  diagnostics.info(unused->place(),
                   fmt::format("{} is of no Service that is known, and ignored{}", unused->title(),
                               unused_count == 1 ? "" : fmt::format(", as are {} others", unused_count - 1)));
}

// What is not said means ready, serving as ready, and not ending. Of several addresses only the first has a meaning
// (EndpointSlice v1).
void ServiceEndpoints::add(const EndpointSlice& slice, Pods& pods) {
  for (const SliceEndpoint& endpoint : slice.endpoints) {
    if (endpoint.addresses.empty()) continue;
    const EndpointConditions& conditions = endpoint.conditions;
    const bool is_ready = value_or(conditions.ready, true);
    const bool is_ending = value_or(conditions.serving, is_ready) && value_or(conditions.terminating, false);
    pods.pods.push_back({endpoint.addresses.front().value, is_ready, is_ending, &slice.ports});
  }
}

void ServiceEndpoints::add(const Endpoints& endpoints, Pods& pods) {
  for (const EndpointSubset& subset : endpoints.subsets) {
    for (const EndpointAddress& address : subset.addresses)
      pods.pods.push_back({address.ip.value, true, false, &subset.ports});
  }
}

size_t ServiceEndpoints::count(const Service& service) const {
  const auto found = by_service_.find(service.key());
  return found == by_service_.end() ? 0 : found->second.pods.size();
}

std::string_view ServiceEndpoints::kind(const Service& service) const {
  const auto found = by_service_.find(service.key());
  return found == by_service_.end() ? std::string_view() : found->second.kind;
}

std::vector<SocketAddress> ServiceEndpoints::find(const Service& service, const ServicePort& port) const {
  std::vector<SocketAddress> ready;
  std::vector<SocketAddress> ending;
  const auto found = by_service_.find(service.key());
  if (found == by_service_.end()) return ready;
  std::set<std::pair<bool, std::string>> seen;  // a pod may be in two slices while it moves between them
  const std::vector<EndpointPort>* ports = nullptr;
  std::optional<uint32_t> number;  // of `ports`
  for (const Pod& pod : found->second.pods) {
    if (pod.ports != ports) number = pod_port(*pod.ports, port);
    ports = pod.ports;
    if (!number || (!pod.is_ready && !pod.is_ending)) continue;
    const std::optional<SocketAddress> address = SocketAddress::from_ip(pod.address, static_cast<uint16_t>(*number));
    if (!address || !seen.emplace(pod.is_ready, address->to_string()).second) continue;
    (pod.is_ready ? ready : ending).push_back(*address);
  }
  return ready.empty() ? ending : ready;
}

}  // namespace sluice::config

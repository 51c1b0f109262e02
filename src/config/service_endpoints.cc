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

// "default/app-1", or nothing: it is not said which Pod it is.
std::string pod_key(const ObjectReference& reference, const Document& document) {
  if (reference.kind.value != "Pod" || reference.name.value.empty()) return {};
  const std::string_view name_space =
      reference.name_space.value.empty() ? document.name_space() : reference.name_space.value;
  return fmt::format("{}/{}", name_space, reference.name.value);
}

// A Pod that does not say where it is may be anywhere.
bool has_address(const Pod& pod, std::string_view address) {
  const auto is_same = [&](const Text& ip) {
    return SocketAddress::from_ip(ip.value, 0) == SocketAddress::from_ip(address, 0);
  };
  return pod.status.pod_ip.value.empty() || is_same(pod.status.pod_ip) ||
         std::ranges::any_of(pod.status.pod_ips, is_same, &PodIp::ip);
}

}  // namespace

ServiceEndpoints::ServiceEndpoints(const Model& model, Diagnostics& diagnostics) {
  std::set<std::string, std::less<>> services;
  for (const Service& service : model.services) services.insert(service.key());
  const Document* unused = nullptr;
  size_t unused_count = 0;
  const auto documents_of = [&](const Document& document, std::string_view kind,
                                const std::string& service) -> ServiceDocuments* {
    if (document.is_broken) return nullptr;
    if (!services.contains(service)) {
      if (unused == nullptr) unused = &document;
      ++unused_count;
      return nullptr;
    }
    return &by_service_.try_emplace(service, ServiceDocuments{kind, {}}).first->second;
  };
  for (const EndpointSlice& slice : model.endpoint_slices) {
    const std::string service = fmt::format("{}/{}", slice.name_space(), label(slice, service_label));
    if (ServiceDocuments* documents = documents_of(slice, "EndpointSlices", service)) add(slice, *documents);
  }
  for (const Endpoints& endpoints : model.endpoints) {
    ServiceDocuments* documents = documents_of(endpoints, "Endpoints", endpoints.key());
    if (documents != nullptr && documents->kind == "Endpoints") add(endpoints, *documents);
  }
  for (const Pod& pod : model.pods) {
    LabelledPod& labelled = pods_.try_emplace(pod.key(), LabelledPod{&pod, {}}).first->second;
    for (const auto& [name, value] : pod.metadata.labels) labelled.labels.emplace(name, value.value);
  }
  if (unused == nullptr || !model.is_complete) return;
  diagnostics.info(
      unused->place(),
      fmt::format("{} is of no Service that is known, and ignored{}", unused->title(),
                  unused_count == 1 ? "" : fmt::format(" ({} documents, this is the first)", unused_count)));
}

// What is not said means ready, serving as ready, and not ending. Of several addresses only the first has a meaning
// (EndpointSlice v1).
void ServiceEndpoints::add(const EndpointSlice& slice, ServiceDocuments& documents) {
  for (const SliceEndpoint& endpoint : slice.endpoints) {
    if (endpoint.addresses.empty()) continue;
    const EndpointConditions& conditions = endpoint.conditions;
    const bool is_ready = value_or(conditions.ready, true);
    const bool is_ending = value_or(conditions.serving, is_ready) && value_or(conditions.terminating, false);
    documents.endpoints.push_back(
        {endpoint.addresses.front().value, pod_key(endpoint.target_ref, slice), is_ready, is_ending, &slice.ports});
  }
}

void ServiceEndpoints::add(const Endpoints& endpoints, ServiceDocuments& documents) {
  for (const EndpointSubset& subset : endpoints.subsets) {
    for (const EndpointAddress& address : subset.addresses) {
      documents.endpoints.push_back(
          {address.ip.value, pod_key(address.target_ref, endpoints), true, false, &subset.ports});
    }
  }
}

size_t ServiceEndpoints::count(const Service& service) const {
  const auto found = by_service_.find(service.key());
  return found == by_service_.end() ? 0 : found->second.endpoints.size();
}

std::string_view ServiceEndpoints::kind(const Service& service) const {
  const auto found = by_service_.find(service.key());
  return found == by_service_.end() ? std::string_view() : found->second.kind;
}

bool ServiceEndpoints::has_labels(const Endpoint& endpoint, const TextMap& labels, Found& found) const {
  if (labels.empty()) return true;
  const auto known = pods_.find(endpoint.pod);
  if (known == pods_.end()) {
    if (found.without_labels++ == 0) found.missing_pod = endpoint.pod;
    return false;
  }
  const LabelledPod& pod = known->second;
  const bool has_all = std::ranges::all_of(labels, [&](const auto& wanted) {
    const auto label = pod.labels.find(wanted.first);
    return label != pod.labels.end() && label->second == wanted.second.value;
  });
  if (has_all && !has_address(*pod.pod, endpoint.address)) found.moved_pod = pod.pod;
  return has_all;
}

ServiceEndpoints::Found ServiceEndpoints::find(const Service& service, const ServicePort& port,
                                               const TextMap& labels) const {
  Found ready;
  Found ending;
  const auto documents = by_service_.find(service.key());
  if (documents == by_service_.end()) return ready;
  std::set<std::pair<bool, std::string>> seen;  // a pod may be in two slices while it moves between them
  const std::vector<EndpointPort>* ports = nullptr;
  std::optional<uint32_t> number;  // of `ports`
  for (const Endpoint& endpoint : documents->second.endpoints) {
    if (endpoint.ports != ports) number = pod_port(*endpoint.ports, port);
    ports = endpoint.ports;
    if (!number || (!endpoint.is_ready && !endpoint.is_ending)) continue;
    Found& found = endpoint.is_ready ? ready : ending;
    const auto address = SocketAddress::from_ip(endpoint.address, static_cast<uint16_t>(*number));
    if (!address || !seen.emplace(endpoint.is_ready, address->to_string()).second) continue;
    if (has_labels(endpoint, labels, found)) found.addresses.push_back(*address);
  }
  return ready.addresses.empty() && ready.without_labels == 0 ? ending : ready;
}

}  // namespace sluice::config

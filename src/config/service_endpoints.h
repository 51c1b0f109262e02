// Where the pods of Services are: EndpointSlices (discovery.k8s.io/v1), or Endpoints where a Service has none.
#pragma once

#include "base/address.h"
#include "config/diagnostic.h"
#include "config/model.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

class ServiceEndpoints {
 public:
  // Documents of no Service get one info line.
  ServiceEndpoints(const Model& model, Diagnostics& diagnostics);

  // How many endpoints, ready or not, the documents of this Service have; 0: also when there are no documents.
  [[nodiscard]] size_t count(const Service& service) const;
  // "EndpointSlices" or "Endpoints", whichever the Service has; empty: none.
  [[nodiscard]] std::string_view kind(const Service& service) const;

  struct Found {
    std::vector<SocketAddress> addresses;
    // Endpoints that would be among them if their labels were known: there is no document of their Pod.
    size_t without_labels = 0;
    std::string missing_pod;  // of the first of these; empty: it does not say which Pod it is
    // A Pod that says it has another address than the endpoint.
    const Pod* moved_pod = nullptr;
  };

  // Addresses that take traffic for this port of the Service, each once. These are the ready ones; when there are
  // none, those that still serve while they end, as in kube-proxy (KEP-1669). With `labels`, only of Pods that have
  // all of them.
  [[nodiscard]] Found find(const Service& service, const ServicePort& port, const TextMap& labels) const;

 private:
  struct Endpoint {
    std::string_view address;
    std::string pod;  // namespace/name; empty: it is not said
    bool is_ready;
    bool is_ending;                          // and serves
    const std::vector<EndpointPort>* ports;  // of the slice that it is in
  };
  struct ServiceDocuments {
    std::string_view kind;
    std::vector<Endpoint> endpoints;
  };
  struct LabelledPod {
    const Pod* pod;
    std::map<std::string_view, std::string_view> labels;
  };

  static void add(const EndpointSlice& slice, ServiceDocuments& documents);
  static void add(const Endpoints& endpoints, ServiceDocuments& documents);
  // Whether the endpoint's Pod has the labels; notes in `found` when that cannot be told.
  [[nodiscard]] bool has_labels(const Endpoint& endpoint, const TextMap& labels, Found& found) const;

  std::map<std::string, ServiceDocuments, std::less<>> by_service_;  // by namespace/name
  std::map<std::string, LabelledPod, std::less<>> pods_;             // by namespace/name
};

}  // namespace sluice::config

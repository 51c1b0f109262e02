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

  // Addresses that take traffic for this port of the Service, each once. These are the ready ones; when there are
  // none, those that still serve while they end, as in kube-proxy (KEP-1669).
  [[nodiscard]] std::vector<SocketAddress> find(const Service& service, const ServicePort& port) const;

 private:
  struct Pod {
    std::string_view address;
    bool is_ready;
    bool is_ending;                          // and serves
    const std::vector<EndpointPort>* ports;  // of the slice that it is in
  };
  struct Pods {
    std::string_view kind;
    std::vector<Pod> pods;
  };

  void add(const EndpointSlice& slice, Pods& pods);
  void add(const Endpoints& endpoints, Pods& pods);

  std::map<std::string, Pods, std::less<>> by_service_;  // by namespace/name
};

}  // namespace sluice::config

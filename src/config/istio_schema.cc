// The kinds of networking.istio.io (https://istio.io/latest/docs/reference/config/networking/) and those
// of security.istio.io that would change what a gateway does.
#include "config/model.h"
#include "config/schema.h"

namespace sluice::config {

namespace {

constexpr std::string_view networking_versions[] = {"v1", "v1beta1", "v1alpha3"};
constexpr std::string_view security_versions[] = {"v1", "v1beta1"};

constexpr KindSchema kinds[] = {
    document_kind<&Model::gateways>("Gateway", "networking.istio.io", networking_versions,
                                    "ports, hosts and certificates"),
    document_kind<&Model::virtual_services>("VirtualService", "networking.istio.io", networking_versions,
                                            "routes of hosts"),
    document_kind<&Model::service_entries>("ServiceEntry", "networking.istio.io", networking_versions,
                                           "a service outside of the cluster"),
    document_kind<&Model::destination_rules>("DestinationRule", "networking.istio.io", networking_versions,
                                             "how a service is called"),
    planned_kind("EnvoyFilter", "networking.istio.io", networking_versions, "changes of Envoy's configuration"),
    document_kind<&Model::workload_entries>("WorkloadEntry", "networking.istio.io", networking_versions,
                                            "an endpoint outside of the cluster, for ServiceEntries that select it"),
    document_kind<&Model::proxy_configs>("ProxyConfig", "networking.istio.io", networking_versions,
                                         "settings of the proxy"),
    planned_kind("AuthorizationPolicy", "security.istio.io", security_versions, "who may call"),
    planned_kind("RequestAuthentication", "security.istio.io", security_versions, "tokens of callers"),
};

}  // namespace

std::span<const KindSchema> istio_kinds() noexcept { return kinds; }

}  // namespace sluice::config

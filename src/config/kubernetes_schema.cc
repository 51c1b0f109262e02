// The kinds of Kubernetes' core group, and the metadata of every document.
#include "config/model.h"
#include "config/schema.h"

namespace sluice::config {

namespace {

using enum Presence;

constexpr uint32_t port_max = 65535;

constexpr FieldSchema metadata_fields[] = {
    field<&Metadata::name>("name", "the name, unique with kind and namespace", required),
    field<&Metadata::name_space>("namespace", "the namespace; default when it is not given"),
    field<&Metadata::creation_timestamp>("creationTimestamp", "RFC 3339; earlier documents win over later ones"),
    field<&Metadata::labels>("labels", "labels"),
    field<&Metadata::annotations>("annotations", "annotations"),
    no_effect("generateName", "used at creation"),
    no_effect("uid", "written by the API server"),
    no_effect("resourceVersion", "written by the API server"),
    no_effect("generation", "written by the API server"),
    no_effect("selfLink", "written by the API server"),
    no_effect("deletionTimestamp", "written by the API server"),
    no_effect("deletionGracePeriodSeconds", "written by the API server"),
    no_effect("finalizers", "written by controllers"),
    no_effect("ownerReferences", "written by controllers"),
    no_effect("managedFields", "written by the API server"),
    no_effect("clusterName", "removed from the API"),
};

constexpr FieldSchema service_port_fields[] = {
    field<&ServicePort::name>("name", "a label of the port; its first part may say the protocol"),
    number<&ServicePort::port>("port", 1, port_max, "the port of the service", required),
    field<&ServicePort::target_port>("targetPort", "the port of the pods; port by default"),
    field<&ServicePort::protocol>("protocol", "TCP by default"),
    field<&ServicePort::app_protocol>("appProtocol", "the protocol above TCP"),
    no_effect("nodePort", "the port on each node"),
};

constexpr FieldSchema service_spec_fields[] = {
    field<&ServiceSpec::type>("type", "ClusterIP, NodePort, LoadBalancer or ExternalName"),
    field<&ServiceSpec::selector>("selector", "labels of the pods behind the service"),
    field<&ServiceSpec::ports>("ports", "the ports of the service"),
    field<&ServiceSpec::cluster_ip>("clusterIP", "the address of the service, or None"),
    field<&ServiceSpec::external_name>("externalName", "with type ExternalName: the DNS name of the service"),
    no_effect("clusterIPs", "the addresses of the service; clusterIP is the first"),
    no_effect("externalIPs", "further addresses of the service"),
    no_effect("externalTrafficPolicy", "for the nodes"),
    no_effect("internalTrafficPolicy", "for the nodes"),
    no_effect("ipFamilies", "for the API server"),
    no_effect("ipFamilyPolicy", "for the API server"),
    no_effect("loadBalancerIP", "for the load balancer"),
    no_effect("loadBalancerSourceRanges", "for the load balancer"),
    no_effect("loadBalancerClass", "for the load balancer"),
    no_effect("allocateLoadBalancerNodePorts", "for the load balancer"),
    no_effect("healthCheckNodePort", "for the load balancer"),
    no_effect("publishNotReadyAddresses", "for DNS"),
    no_effect("sessionAffinity", "for the nodes"),
    no_effect("sessionAffinityConfig", "for the nodes"),
    no_effect("trafficDistribution", "for the nodes"),
    no_effect("topologyKeys", "removed from the API"),
};

constexpr FieldSchema service_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&Service::metadata, Service>("metadata", "name and labels", required),
    field<&Service::spec>("spec", "the service"),
    no_effect("status", "written by controllers"),
};

constexpr FieldSchema secret_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&Secret::metadata, Secret>("metadata", "name and labels", required),
    field<&Secret::type>("type", "Opaque or kubernetes.io/tls"),
    field<&Secret::data>("data", "values in base64"),
    field<&Secret::string_data>("stringData", "values as text; wins over data"),
    no_effect("immutable", "for the API server"),
};

constexpr FieldSchema config_map_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&ConfigMap::metadata, ConfigMap>("metadata", "name and labels", required),
    field<&ConfigMap::data>("data", "values as text"),
    field<&ConfigMap::binary_data>("binaryData", "values in base64"),
    no_effect("immutable", "for the API server"),
};

constexpr std::string_view core_versions[] = {"v1"};

constexpr KindSchema kinds[] = {
    document_kind<&Model::services>("Service", "", core_versions, "a service of the cluster"),
    document_kind<&Model::secrets>("Secret", "", core_versions, "certificates and keys"),
    document_kind<&Model::config_maps>("ConfigMap", "", core_versions, "CA certificates, and MeshConfig"),
};

}  // namespace

constinit const ObjectSchema Metadata::schema{"ObjectMeta", metadata_fields};
constinit const ObjectSchema ServicePort::schema{"ServicePort", service_port_fields};
constinit const ObjectSchema ServiceSpec::schema{"ServiceSpec", service_spec_fields};
constinit const ObjectSchema Service::schema{"Service", service_fields};
constinit const ObjectSchema Secret::schema{"Secret", secret_fields};
constinit const ObjectSchema ConfigMap::schema{"ConfigMap", config_map_fields};

std::span<const KindSchema> kubernetes_kinds() noexcept { return kinds; }

}  // namespace sluice::config

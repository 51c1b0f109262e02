// The kinds of Kubernetes' core group and of discovery.k8s.io, and the metadata of every document.
#include "config/model.h"
#include "config/schema.h"

namespace sluice::config {

namespace {

using enum Presence;

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

constexpr FieldSchema object_reference_fields[] = {
    no_effect("apiVersion", "group and version of what is meant"),
    field<&ObjectReference::kind>("kind", "Pod, in general"),
    field<&ObjectReference::name_space>("namespace", "its namespace; by default that of this document"),
    field<&ObjectReference::name>("name", "its name"),
    no_effect("uid", "written by the API server"),
    no_effect("resourceVersion", "written by the API server"),
    no_effect("fieldPath", "a part of what is meant"),
};

constexpr FieldSchema endpoint_conditions_fields[] = {
    field<&EndpointConditions::ready>("ready", "whether it takes traffic; true by default"),
    field<&EndpointConditions::serving>("serving", "as ready, also while it ends; as ready by default"),
    field<&EndpointConditions::terminating>("terminating", "whether it ends; false by default"),
};

constexpr FieldSchema slice_endpoint_fields[] = {
    field<&SliceEndpoint::addresses>("addresses", "IP addresses of which the first is used", required),
    field<&SliceEndpoint::conditions>("conditions", "whether it takes traffic"),
    field<&SliceEndpoint::target_ref>("targetRef", "the Pod"),
    no_effect("hostname", "for DNS"),
    no_effect("nodeName", "the node that it is on"),
    no_effect("zone", "the zone that it is in"),
    no_effect("hints", "preference of near endpoints"),
    no_effect("deprecatedTopology", "removed from the API"),
};

constexpr FieldSchema endpoint_port_fields[] = {
    field<&EndpointPort::name>("name", "the name of the Service's port"),
    number<&EndpointPort::port>("port", 1, port_max, "the port of the pods"),
    field<&EndpointPort::protocol>("protocol", "TCP by default"),
    no_effect("appProtocol", "the Service's says it"),
};

constexpr Choice address_types[] = {{"IPv4"}, {"IPv6"}, {"FQDN", Support::planned}};

constexpr FieldSchema endpoint_slice_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&EndpointSlice::metadata, EndpointSlice>(
        "metadata", "name and labels; kubernetes.io/service-name says of which Service", required),
    choice<&EndpointSlice::address_type>("addressType", address_types, "IPv4 or IPv6", required),
    field<&EndpointSlice::endpoints>("endpoints", "where the pods are"),
    field<&EndpointSlice::ports>("ports", "the ports of all of these pods"),
};

constexpr FieldSchema endpoint_address_fields[] = {
    field<&EndpointAddress::ip>("ip", "the IP address", required),
    field<&EndpointAddress::target_ref>("targetRef", "the Pod"),
    no_effect("hostname", "for DNS"),
    no_effect("nodeName", "the node that it is on"),
};

constexpr FieldSchema endpoint_subset_fields[] = {
    field<&EndpointSubset::addresses>("addresses", "pods that take traffic"),
    field<&EndpointSubset::ports>("ports", "the ports of all of these pods"),
    no_effect("notReadyAddresses", "pods that take no traffic"),
};

constexpr FieldSchema endpoints_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&Endpoints::metadata, Endpoints>("metadata", "the name of the Service", required),
    field<&Endpoints::subsets>("subsets", "where the pods are"),
};

constexpr FieldSchema pod_ip_fields[] = {
    field<&PodIp::ip>("ip", "an IP address"),
};

constexpr FieldSchema pod_status_fields[] = {
    field<&PodStatus::pod_ip>("podIP", "the IP address; EndpointSlices should have the same"),
    field<&PodStatus::pod_ips>("podIPs", "the IP addresses of all families"),
    no_effect("phase", "written by the kubelet"),
    no_effect("conditions", "EndpointSlices say whether it is ready"),
    no_effect("message", "written by the kubelet"),
    no_effect("reason", "written by the kubelet"),
    no_effect("nominatedNodeName", "for the scheduler"),
    no_effect("hostIP", "written by the kubelet"),
    no_effect("hostIPs", "written by the kubelet"),
    no_effect("startTime", "written by the kubelet"),
    no_effect("initContainerStatuses", "written by the kubelet"),
    no_effect("containerStatuses", "written by the kubelet"),
    no_effect("ephemeralContainerStatuses", "written by the kubelet"),
    no_effect("qosClass", "written by the API server"),
    no_effect("resize", "written by the kubelet"),
    no_effect("resourceClaimStatuses", "written by controllers"),
    no_effect("extendedResourceClaimStatus", "written by controllers"),
    no_effect("allocatedResources", "written by the kubelet"),
    no_effect("resources", "written by the kubelet"),
    no_effect("observedGeneration", "written by the kubelet"),
};

constexpr FieldSchema pod_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&Pod::metadata, Pod>("metadata", "name and labels", required),
    no_effect("spec", "for the kubelet"),
    field<&Pod::status>("status", "its addresses"),
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
    document_kind<&Model::endpoint_slices>("EndpointSlice", "discovery.k8s.io", core_versions,
                                           "where the pods of a Service are"),
    document_kind<&Model::endpoints>("Endpoints", "", core_versions, "the same, in the older API"),
    document_kind<&Model::pods>("Pod", "", core_versions, "the labels of a Service's endpoints, for subsets"),
    document_kind<&Model::secrets>("Secret", "", core_versions, "certificates and keys"),
    document_kind<&Model::config_maps>("ConfigMap", "", core_versions, "CA certificates, and MeshConfig"),
};

}  // namespace

constinit const ObjectSchema Metadata::schema{"ObjectMeta", metadata_fields};
constinit const ObjectSchema ServicePort::schema{"ServicePort", service_port_fields};
constinit const ObjectSchema ServiceSpec::schema{"ServiceSpec", service_spec_fields};
constinit const ObjectSchema Service::schema{"Service", service_fields};
constinit const ObjectSchema ObjectReference::schema{"ObjectReference", object_reference_fields};
constinit const ObjectSchema EndpointConditions::schema{"EndpointConditions", endpoint_conditions_fields};
constinit const ObjectSchema SliceEndpoint::schema{"Endpoint", slice_endpoint_fields};
constinit const ObjectSchema EndpointPort::schema{"EndpointPort", endpoint_port_fields};
constinit const ObjectSchema EndpointSlice::schema{"EndpointSlice", endpoint_slice_fields};
constinit const ObjectSchema EndpointAddress::schema{"EndpointAddress", endpoint_address_fields};
constinit const ObjectSchema EndpointSubset::schema{"EndpointSubset", endpoint_subset_fields};
constinit const ObjectSchema Endpoints::schema{"Endpoints", endpoints_fields};
constinit const ObjectSchema PodIp::schema{"PodIP", pod_ip_fields};
constinit const ObjectSchema PodStatus::schema{"PodStatus", pod_status_fields};
constinit const ObjectSchema Pod::schema{"Pod", pod_fields};
constinit const ObjectSchema Secret::schema{"Secret", secret_fields};
constinit const ObjectSchema ConfigMap::schema{"ConfigMap", config_map_fields};

std::span<const KindSchema> kubernetes_kinds() noexcept { return kinds; }

}  // namespace sluice::config

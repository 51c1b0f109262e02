// ServiceEntry and DestinationRule: https://istio.io/latest/docs/reference/config/networking/service-entry/ and
// .../destination-rule/
#include "config/destination_model.h"

#include "config/schema.h"

#include <cstdint>
#include <limits>

namespace sluice::config {

namespace {

using enum Presence;

// --- ServiceEntry ----------------------------------------------------------------------------------

constexpr Choice locations[] = {{"MESH_EXTERNAL"}, {"MESH_INTERNAL"}};

constexpr Choice resolutions[] = {
    {"STATIC"}, {"DNS"}, {"NONE"}, {"DNS_ROUND_ROBIN"}, {"DYNAMIC_DNS"},
};

constexpr Choice service_protocols[] = {{"HTTP"}, {"HTTPS"}, {"HTTP2"}, {"GRPC"},  {"GRPC-WEB"}, {"TCP"},
                                        {"TLS"},  {"MONGO"}, {"MYSQL"}, {"REDIS"}, {"UDP"}};

constexpr FieldSchema service_entry_port_fields[] = {
    number<&ServiceEntryPort::number>("number", 1, port_max, "the port of the service", required),
    protocol<&ServiceEntryPort::protocol>("protocol", service_protocols, "what the service speaks"),
    field<&ServiceEntryPort::name>("name", "a label of the port", required),
    number<&ServiceEntryPort::target_port>("targetPort", 1, port_max, "the port of the endpoints; number by default"),
};

constexpr FieldSchema workload_endpoint_fields[] = {
    field<&WorkloadEndpoint::address>("address", "an IP address, or a DNS name with resolution DNS", required),
    number<&WorkloadEndpoint::ports>("ports", 1, port_max, "the endpoint's port for each name of a port"),
    number<&WorkloadEndpoint::weight>("weight", 0, int32_max, "the share of requests in relation to other endpoints"),
    field<&WorkloadEndpoint::labels>("labels", "labels of the endpoint, for subsets"),
    no_effect("network", "the endpoint's network"),
    no_effect("locality", "where the endpoint is"),
    no_effect("serviceAccount", "the endpoint's identity in the mesh"),
};

constexpr FieldSchema workload_labels_fields[] = {
    field<&WorkloadLabels::labels>("labels", "labels that endpoints must have", required),
};

constexpr FieldSchema service_entry_spec_fields[] = {
    field<&ServiceEntrySpec::hosts>("hosts", "the names of the service", required),
    field<&ServiceEntrySpec::ports>("ports", "the ports of the service", required),
    choice<&ServiceEntrySpec::location>("location", locations, "whether the service is a part of the mesh"),
    choice<&ServiceEntrySpec::resolution>("resolution", resolutions, "where addresses come from; NONE by default"),
    field<&ServiceEntrySpec::endpoints>("endpoints", "where the service is"),
    field<&ServiceEntrySpec::export_to>("exportTo", "namespaces that see it: *, . or a name"),
    field<&ServiceEntrySpec::addresses>("addresses", "addresses that clients connect to: of hosts, or CIDR blocks"),
    field<&ServiceEntrySpec::subject_alt_names>("subjectAltNames",
                                                "names that the service's certificate may have, for TLS to it"),
    field<&ServiceEntrySpec::workload_selector>("workloadSelector",
                                                "endpoints by their labels: WorkloadEntries and pods of the namespace"),
};

constexpr FieldSchema workload_entry_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&WorkloadEntry::metadata, WorkloadEntry>("metadata", "name and labels", required),
    field<&WorkloadEntry::spec>("spec", "the endpoint", required),
    no_effect("status", "written by controllers"),
};

constexpr FieldSchema service_entry_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&ServiceEntry::metadata, ServiceEntry>("metadata", "name and labels", required),
    field<&ServiceEntry::spec>("spec", "the service", required),
    no_effect("status", "written by controllers"),
};

// --- DestinationRule -------------------------------------------------------------------------------

constexpr Choice client_tls_modes[] = {{"DISABLE"}, {"SIMPLE"}, {"MUTUAL"}, {"ISTIO_MUTUAL", Support::refused}};

constexpr Choice load_balancers[] = {{"UNSPECIFIED"}, {"LEAST_REQUEST"}, {"LEAST_CONN"},
                                     {"ROUND_ROBIN"}, {"RANDOM"},        {"PASSTHROUGH", Support::planned}};

constexpr FieldSchema client_tls_fields[] = {
    choice<&ClientTls::mode>("mode", client_tls_modes, "whether there is TLS, and with a certificate of our own"),
    field<&ClientTls::client_certificate>("clientCertificate", "path of the certificate chain"),
    field<&ClientTls::private_key>("privateKey", "path of the key"),
    field<&ClientTls::ca_certificates>("caCertificates", "path of the CA certificates; the system's by default"),
    field<&ClientTls::ca_crl>("caCrl", "path of the revocation list"),
    field<&ClientTls::credential_name>("credentialName", "the Secret with CA certificates, certificate chain and key"),
    field<&ClientTls::subject_alt_names>("subjectAltNames", "names of certificates that are accepted"),
    field<&ClientTls::sni>("sni", "the server name that is asked for; the request's host by default"),
    field<&ClientTls::insecure_skip_verify>("insecureSkipVerify", "accept every certificate"),
};

constexpr FieldSchema load_balancer_fields[] = {
    choice<&LoadBalancer::simple>("simple", load_balancers, "how an endpoint is chosen; LEAST_REQUEST by default"),
    planned("consistentHash", "an endpoint for each value of a field or cookie"),
    planned("localityLbSetting", "preference of near endpoints"),
    planned("warmup", "a slow start of new endpoints"),
    planned("warmupDurationSecs", "a slow start of new endpoints"),
};

constexpr FieldSchema keepalive_probes_fields[] = {
    number<&KeepaliveProbes::probes>("probes", 0, limits::keepalive_probes_max,
                                     "without an answer, until the connection is lost; as the kernel by default (9)"),
    field<&KeepaliveProbes::time>("time", "silence until the first one; as the kernel by default (2h)"),
    field<&KeepaliveProbes::interval>("interval", "between two; as the kernel by default (75s)"),
};

constexpr FieldSchema tcp_connection_pool_fields[] = {
    field<&TcpConnectionPool::connect_timeout>("connectTimeout", "limit of connecting; 10s by default"),
    number<&TcpConnectionPool::max_connections>(
        "maxConnections", 0, std::numeric_limits<int32_t>::max(),
        "connections at a time, of either version of HTTP and without; requests wait for one; 0: no bound"),
    field<&TcpConnectionPool::tcp_keepalive>("tcpKeepalive", "keep-alive probes (tcp(7)); none by default"),
    field<&TcpConnectionPool::max_connection_duration>(
        "maxConnectionDuration", "a connection that is older serves no more requests; one that is not HTTP ends"),
    field<&TcpConnectionPool::idle_timeout>(
        "idleTimeout", "limit of silence on connections that are not HTTP; 1h by default, 0s: none"),
};

constexpr Choice h2_upgrade_policies[] = {{"DEFAULT"}, {"DO_NOT_UPGRADE"}, {"UPGRADE"}};

constexpr FieldSchema http_connection_pool_fields[] = {
    choice<&HttpConnectionPool::h2_upgrade_policy>("h2UpgradePolicy", h2_upgrade_policies,
                                                   "UPGRADE: HTTP/2, whatever the port says"),
    field<&HttpConnectionPool::use_client_protocol>("useClientProtocol",
                                                    "the version of HTTP that the client speaks, whatever else says"),
    number<&HttpConnectionPool::max_concurrent_streams>("maxConcurrentStreams", 1, std::numeric_limits<int32_t>::max(),
                                                        "requests at a time on one connection of HTTP/2; at most 100"),
    number<&HttpConnectionPool::http1_max_pending_requests>(
        "http1MaxPendingRequests", 0, std::numeric_limits<int32_t>::max(),
        "requests that wait for a connection to be opened, at a time; 0: no bound"),
    number<&HttpConnectionPool::http2_max_requests>("http2MaxRequests", 0, std::numeric_limits<int32_t>::max(),
                                                    "requests at a time, of either version of HTTP; 0: no bound"),
    number<&HttpConnectionPool::max_requests_per_connection>(
        "maxRequestsPerConnection", 0, std::numeric_limits<int32_t>::max(),
        "requests that a connection serves; 1: each has its own, 0: no bound"),
    number<&HttpConnectionPool::max_retries>("maxRetries", 0, std::numeric_limits<int32_t>::max(),
                                             "requests that are sent once more, at a time; 0: no bound"),
    field<&HttpConnectionPool::idle_timeout>(
        "idleTimeout", "how long a connection is kept without requests; 1h by default, 0s: for ever"),
    field<&HttpConnectionPool::http2_keep_alive>("http2KeepAlive", "PING frames on connections of HTTP/2"),
};

constexpr FieldSchema keepalive_pings_fields[] = {
    field<&KeepalivePings::interval>("interval", "between two", required),
    field<&KeepalivePings::timeout>("timeout", "of the answer, else the connection is lost", required),
};

constexpr FieldSchema connection_pool_fields[] = {
    field<&ConnectionPool::tcp>("tcp", "settings of connections"),
    field<&ConnectionPool::http>("http", "settings of requests on connections"),
};

constexpr Choice proxy_protocol_versions[] = {{"V1"}, {"V2"}};

constexpr FieldSchema proxy_protocol_fields[] = {
    choice<&UpstreamProxyProtocol::version>("version", proxy_protocol_versions, "of the header; V1 by default"),
};

constexpr FieldSchema retry_budget_fields[] = {
    field<&RetryBudget::percent>("percent", "of the requests under way; 20 by default"),
    number<&RetryBudget::min_retry_concurrency>("minRetryConcurrency", 0, std::numeric_limits<int32_t>::max(),
                                                "so many always; 3 by default"),
    planned("budgetInterval", "requests of a time, not those under way"),
};

constexpr FieldSchema port_traffic_policy_fields[] = {
    field<&PortTrafficPolicy::port>("port", "the port of the service", required),
    field<&PortTrafficPolicy::load_balancer>("loadBalancer", "how an endpoint is chosen"),
    field<&PortTrafficPolicy::connection_pool>("connectionPool", "settings of connections"),
    field<&PortTrafficPolicy::tls>("tls", "TLS to the service"),
    planned("outlierDetection", "leaving out endpoints that fail"),
};

constexpr FieldSchema traffic_policy_fields[] = {
    field<&TrafficPolicy::load_balancer>("loadBalancer", "how an endpoint is chosen"),
    field<&TrafficPolicy::connection_pool>("connectionPool", "settings of connections"),
    field<&TrafficPolicy::tls>("tls", "TLS to the service"),
    field<&TrafficPolicy::port_level_settings>("portLevelSettings", "what replaces all of this for single ports"),
    planned("outlierDetection", "leaving out endpoints that fail"),
    planned("tunnel", "connections through an HTTP proxy"),
    field<&TrafficPolicy::proxy_protocol>("proxyProtocol", "a PROXY header to the service, which names the client"),
    field<&TrafficPolicy::retry_budget>("retryBudget", "the most retries at a time, as a share of the requests"),
};

constexpr FieldSchema subset_fields[] = {
    field<&Subset::name>("name", "what destination.subset says", required),
    field<&Subset::labels>("labels", "the labels that its endpoints have; without labels all are of it"),
    field<&Subset::traffic_policy>("trafficPolicy", "how it is called; a field here replaces that of the rule"),
};

constexpr FieldSchema destination_rule_spec_fields[] = {
    field<&DestinationRuleSpec::host>("host", "a service of the registry; a short name is of the rule's namespace",
                                      required),
    field<&DestinationRuleSpec::traffic_policy>("trafficPolicy", "how the service is called"),
    field<&DestinationRuleSpec::export_to>("exportTo", "namespaces that see it: *, . or a name"),
    field<&DestinationRuleSpec::subsets>("subsets", "versions of the service, by labels of endpoints"),
    planned("workloadSelector", "the clients that the rule is for, by labels of pods"),
};

constexpr FieldSchema destination_rule_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&DestinationRule::metadata, DestinationRule>("metadata", "name and labels", required),
    field<&DestinationRule::spec>("spec", "the rule", required),
    no_effect("status", "written by controllers"),
};

}  // namespace

constinit const ObjectSchema ServiceEntryPort::schema{"ServicePort", service_entry_port_fields};
constinit const ObjectSchema WorkloadEndpoint::schema{"WorkloadEntry", workload_endpoint_fields};
constinit const ObjectSchema ServiceEntrySpec::schema{"ServiceEntrySpec", service_entry_spec_fields};
constinit const ObjectSchema WorkloadLabels::schema{"WorkloadSelector", workload_labels_fields};
constinit const ObjectSchema WorkloadEntry::schema{"WorkloadEntryDocument", workload_entry_fields};
constinit const ObjectSchema ServiceEntry::schema{"ServiceEntry", service_entry_fields};
constinit const ObjectSchema ClientTls::schema{"ClientTLSSettings", client_tls_fields};
constinit const ObjectSchema LoadBalancer::schema{"LoadBalancerSettings", load_balancer_fields};
constinit const ObjectSchema KeepaliveProbes::schema{"TcpKeepalive", keepalive_probes_fields};
constinit const ObjectSchema KeepalivePings::schema{"KeepAliveOptions", keepalive_pings_fields};
constinit const ObjectSchema TcpConnectionPool::schema{"TCPSettings", tcp_connection_pool_fields};
constinit const ObjectSchema HttpConnectionPool::schema{"HTTPSettings", http_connection_pool_fields};
constinit const ObjectSchema ConnectionPool::schema{"ConnectionPoolSettings", connection_pool_fields};
constinit const ObjectSchema RetryBudget::schema{"RetryBudget", retry_budget_fields};
constinit const ObjectSchema UpstreamProxyProtocol::schema{"ProxyProtocol", proxy_protocol_fields};
constinit const ObjectSchema PortTrafficPolicy::schema{"PortTrafficPolicy", port_traffic_policy_fields};
constinit const ObjectSchema TrafficPolicy::schema{"TrafficPolicy", traffic_policy_fields};
constinit const ObjectSchema Subset::schema{"Subset", subset_fields};
constinit const ObjectSchema DestinationRuleSpec::schema{"DestinationRuleSpec", destination_rule_spec_fields};
constinit const ObjectSchema DestinationRule::schema{"DestinationRule", destination_rule_fields};

}  // namespace sluice::config

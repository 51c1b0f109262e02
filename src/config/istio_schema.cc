// The kinds of networking.istio.io (https://istio.io/latest/docs/reference/config/networking/) and those
// of security.istio.io that would change what a gateway does.
#include "base/limits.h"
#include "config/model.h"
#include "config/schema.h"

namespace sluice::config {

namespace {

using enum Presence;

constexpr uint32_t port_max = 65535;
constexpr uint32_t int32_max = std::numeric_limits<int32_t>::max();

// --- Gateway ---------------------------------------------------------------------------------------

// The last two are refused by validation, which says why.
constexpr Choice tls_modes[] = {{"SIMPLE"},          {"PASSTHROUGH"},      {"MUTUAL"},
                                {"OPTIONAL_MUTUAL"}, {"AUTO_PASSTHROUGH"}, {"ISTIO_MUTUAL"}};

constexpr Choice tls_versions[] = {{"TLS_AUTO"}, {"TLSV1_0"}, {"TLSV1_1"}, {"TLSV1_2"}, {"TLSV1_3"}};

constexpr Choice server_protocols[] = {
    {"HTTP"},
    {"HTTPS"},
    {"HTTP2", Support::planned},
    {"GRPC", Support::planned},
    {"GRPC-WEB", Support::planned},
    {"TCP"},
    {"TLS"},
    {"MONGO"},
    {"MYSQL"},
    {"REDIS"},
};

constexpr Choice curves[] = {
    {"X25519"}, {"P-256"}, {"P-384"}, {"P-521", Support::planned}, {"X25519MLKEM768", Support::planned}};

constexpr FieldSchema port_fields[] = {
    number<&Port::number>("number", 1, port_max, "the port that clients use", required),
    protocol<&Port::protocol>("protocol", server_protocols, "HTTP, HTTPS, TLS or TCP", required),
    field<&Port::name>("name", "a label of the port, unique in its Gateway", required),
    no_effect("targetPort", "deprecated in the API; the ingress gateway's Service maps ports"),
};

constexpr FieldSchema tls_certificate_fields[] = {
    field<&TlsCertificate::server_certificate>("serverCertificate", "path of the certificate chain", required),
    field<&TlsCertificate::private_key>("privateKey", "path of the key", required),
    field<&TlsCertificate::ca_certificates>("caCertificates", "path of the CA certificates for client certificates"),
};

constexpr FieldSchema server_tls_fields[] = {
    field<&ServerTls::https_redirect>("httpsRedirect", "answer plain HTTP requests with a redirect (301) to https"),
    choice<&ServerTls::mode>("mode", tls_modes, "who shows a certificate; PASSTHROUGH when it is not given"),
    field<&ServerTls::credential_name>("credentialName", "the Secret with certificate chain and key"),
    choice<&ServerTls::min_protocol_version>("minProtocolVersion", tls_versions,
                                             "the lowest TLS version; 1.2 by default"),
    choice<&ServerTls::max_protocol_version>("maxProtocolVersion", tls_versions,
                                             "the highest TLS version; 1.3 by default"),
    field<&ServerTls::cipher_suites>("cipherSuites", "the suites of TLS 1.2, in order of preference"),
    field<&ServerTls::credential_names>("credentialNames", "two Secrets, one with an RSA and one with an ECDSA key"),
    field<&ServerTls::tls_certificates>("tlsCertificates", "the same from files"),
    field<&ServerTls::server_certificate>("serverCertificate", "path of the certificate chain"),
    field<&ServerTls::private_key>("privateKey", "path of the key"),
    field<&ServerTls::ca_certificates>("caCertificates", "path of the CA certificates for client certificates"),
    field<&ServerTls::ca_crl>("caCrl", "path of the revocation list for client certificates"),
    field<&ServerTls::ca_cert_credential_name>(
        "caCertCredentialName", "a Secret or ConfigMap with the CA certificates for client certificates"),
    field<&ServerTls::subject_alt_names>("subjectAltNames", "client certificates that are accepted, by name"),
    field<&ServerTls::verify_certificate_spki>("verifyCertificateSpki",
                                               "client certificates that are accepted, by hash of the public key"),
    field<&ServerTls::verify_certificate_hash>("verifyCertificateHash",
                                               "client certificates that are accepted, by hash"),
    choice<&ServerTls::ecdh_curves>("ecdhCurves", curves, "the groups of the key exchange"),
};

constexpr FieldSchema server_fields[] = {
    field<&Server::port>("port", "the port", required),
    field<&Server::bind>("bind", "the IP address to listen on; all IPv4 addresses by default"),
    field<&Server::hosts>("hosts", "the hosts that are served: [namespace/]name, *.name or *", required),
    field<&Server::tls>("tls", "TLS settings, or the redirect to https"),
    no_effect("defaultEndpoint", "not used by gateways"),
    no_effect("name", "a label of the server"),
};

constexpr FieldSchema gateway_spec_fields[] = {
    field<&GatewaySpec::selector>("selector", "labels of the gateway's pods; finds the Service that maps ports"),
    field<&GatewaySpec::servers>("servers", "the ports that are listened on", required),
};

constexpr FieldSchema gateway_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&Gateway::metadata, Gateway>("metadata", "name and labels", required),
    field<&Gateway::spec>("spec", "what is listened on", required),
    no_effect("status", "written by controllers"),
};

// --- VirtualService --------------------------------------------------------------------------------

constexpr FieldSchema string_match_fields[] = {
    field<&StringMatch::exact>("exact", "the whole value"),
    field<&StringMatch::prefix>("prefix", "the start of the value: /foo also matches /foobar"),
    planned("regex", "an RE2 expression for the whole value"),
};

constexpr FieldSchema http_match_fields[] = {
    no_effect("name", "a label of the match"),
    no_effect("statPrefix", "a label of statistics"),
    field<&HttpMatch::uri>("uri", "the path, without the query"),
    planned("ignoreUriCase", "compare the path regardless of case"),
    planned("scheme", "the scheme"),
    planned("method", "the method"),
    planned("authority", "the Host field"),
    planned("headers", "header fields"),
    planned("withoutHeaders", "header fields that must not match"),
    planned("queryParams", "parameters of the query"),
    planned("port", "the port that the request came to"),
    planned("sourceLabels", "labels of the calling workload"),
    planned("sourceNamespace", "namespace of the calling workload"),
    planned("gateways", "the gateways that the match is for"),
};

constexpr FieldSchema port_selector_fields[] = {
    number<&PortSelector::number>("number", 1, port_max, "the port of the service", required),
};

constexpr FieldSchema destination_fields[] = {
    field<&Destination::host>("host", "a service of the registry; a short name is of the VirtualService's namespace",
                              required),
    field<&Destination::port>("port", "the port of the service; needed when it has several"),
    field<&Destination::subset>("subset", "a subset of a DestinationRule"),
};

constexpr FieldSchema header_operations_fields[] = {
    field<&HeaderOperations::set>("set", "fields that replace those of the same name; Host rewrites the host"),
    field<&HeaderOperations::add>("add", "fields that are added"),
    field<&HeaderOperations::remove>("remove", "names of fields that are removed"),
};

constexpr FieldSchema headers_fields[] = {
    field<&Headers::request>("request", "before a request is forwarded"),
    field<&Headers::response>("response", "before a response is returned"),
};

constexpr FieldSchema route_destination_fields[] = {
    field<&RouteDestination::destination>("destination", "where requests go", required),
    number<&RouteDestination::weight>("weight", 0, int32_max, "the share of the requests, in relation to the sum"),
    field<&RouteDestination::headers>("headers", "changes of header fields, where requests go there"),
};

constexpr FieldSchema http_route_fields[] = {
    field<&HttpRoute::name>("name", "a label of the route, for logs"),
    field<&HttpRoute::match>("match", "requests that are meant: any of these; all when it is empty"),
    field<&HttpRoute::route>("route", "where requests go"),
    field<&HttpRoute::timeout>("timeout", "limit of the whole response, 504 beyond it; 0s is no limit"),
    planned("redirect", "an answer that names another place"),
    planned("directResponse", "a fixed answer"),
    planned("delegate", "routes of another VirtualService"),
    planned("rewrite", "another path or host for the destination"),
    planned("retries", "when to try again"),
    planned("fault", "injected delays and errors"),
    planned("mirror", "a copy of the request to another destination"),
    planned("mirrors", "copies of the request to other destinations"),
    planned("mirrorPercent", "the share of requests that are copied (deprecated)"),
    planned("mirrorPercentage", "the share of requests that are copied"),
    planned("corsPolicy", "cross-origin requests"),
    field<&HttpRoute::headers>("headers", "changes of header fields"),
};

constexpr FieldSchema connection_destination_fields[] = {
    field<&ConnectionDestination::destination>("destination", "where connections go", required),
    number<&ConnectionDestination::weight>("weight", 0, int32_max,
                                           "the share of the connections, in relation to the sum"),
};

constexpr FieldSchema tls_match_fields[] = {
    field<&TlsMatch::sni_hosts>("sniHosts", "the server names that clients ask for", required),
    number<&TlsMatch::port>("port", 1, port_max, "the port of the Gateway's server"),
    field<&TlsMatch::gateways>("gateways", "the gateways that the match is for"),
    planned("destinationSubnets", "the addresses that clients connect to"),
    planned("sourceLabels", "labels of the calling workload"),
    planned("sourceNamespace", "namespace of the calling workload"),
};

constexpr FieldSchema tls_route_fields[] = {
    field<&TlsRoute::match>("match", "connections that are meant: any of these", required),
    field<&TlsRoute::route>("route", "where connections go", required),
};

constexpr FieldSchema tcp_match_fields[] = {
    number<&TcpMatch::port>("port", 1, port_max, "the port of the Gateway's server"),
    field<&TcpMatch::gateways>("gateways", "the gateways that the match is for"),
    planned("destinationSubnets", "the addresses that clients connect to"),
    planned("sourceSubnet", "the addresses that clients connect from"),
    planned("sourceLabels", "labels of the calling workload"),
    planned("sourceNamespace", "namespace of the calling workload"),
};

constexpr FieldSchema tcp_route_fields[] = {
    field<&TcpRoute::match>("match", "connections that are meant: any of these; all when it is empty"),
    field<&TcpRoute::route>("route", "where connections go", required),
};

constexpr FieldSchema virtual_service_spec_fields[] = {
    field<&VirtualServiceSpec::hosts>("hosts", "the hosts that the routes are for", required),
    field<&VirtualServiceSpec::gateways>("gateways",
                                         "[namespace/]name of Gateways; only the mesh when it is not given"),
    field<&VirtualServiceSpec::http>("http", "routes, the first match wins"),
    field<&VirtualServiceSpec::export_to>("exportTo", "namespaces that see it: *, . or a name"),
    field<&VirtualServiceSpec::tls>("tls", "routes of TLS connections that are passed through"),
    field<&VirtualServiceSpec::tcp>("tcp", "routes of TCP connections, and of TLS that is terminated and is not HTTP"),
};

constexpr FieldSchema virtual_service_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&VirtualService::metadata, VirtualService>("metadata", "name and labels", required),
    field<&VirtualService::spec>("spec", "the routes", required),
    no_effect("status", "written by controllers"),
};

// --- ServiceEntry ----------------------------------------------------------------------------------

constexpr Choice locations[] = {{"MESH_EXTERNAL"}, {"MESH_INTERNAL"}};

constexpr Choice resolutions[] = {
    {"STATIC"},
    {"DNS"},
    {"NONE", Support::planned},
    {"DNS_ROUND_ROBIN", Support::planned},
    {"DYNAMIC_DNS", Support::planned},
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

constexpr FieldSchema service_entry_spec_fields[] = {
    field<&ServiceEntrySpec::hosts>("hosts", "the names of the service", required),
    field<&ServiceEntrySpec::ports>("ports", "the ports of the service", required),
    choice<&ServiceEntrySpec::location>("location", locations, "whether the service is a part of the mesh"),
    choice<&ServiceEntrySpec::resolution>("resolution", resolutions, "where addresses come from; NONE by default"),
    field<&ServiceEntrySpec::endpoints>("endpoints", "where the service is"),
    field<&ServiceEntrySpec::export_to>("exportTo", "namespaces that see it: *, . or a name"),
    no_effect("addresses", "addresses that clients of the mesh use"),
    field<&ServiceEntrySpec::subject_alt_names>("subjectAltNames",
                                                "names that the service's certificate may have, for TLS to it"),
    planned("workloadSelector", "endpoints by labels of pods"),
};

constexpr FieldSchema service_entry_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&ServiceEntry::metadata, ServiceEntry>("metadata", "name and labels", required),
    field<&ServiceEntry::spec>("spec", "the service", required),
    no_effect("status", "written by controllers"),
};

// --- DestinationRule -------------------------------------------------------------------------------

// ISTIO_MUTUAL is refused by validation, which says why.
constexpr Choice client_tls_modes[] = {{"DISABLE"}, {"SIMPLE"}, {"MUTUAL"}, {"ISTIO_MUTUAL"}};

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

constexpr FieldSchema tcp_connection_pool_fields[] = {
    field<&TcpConnectionPool::connect_timeout>("connectTimeout", "limit of connecting; 10s by default"),
    planned("maxConnections", "the most connections to a destination"),
    planned("tcpKeepalive", "keep-alive probes"),
    planned("maxConnectionDuration", "limit of the age of a connection"),
    planned("idleTimeout", "limit of silence on a connection"),
};

constexpr FieldSchema connection_pool_fields[] = {
    field<&ConnectionPool::tcp>("tcp", "settings of connections"),
    planned("http", "settings of requests on connections"),
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
    planned("proxyProtocol", "a PROXY header to the service"),
    planned("retryBudget", "the most retries at a time"),
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

// --- ProxyConfig -----------------------------------------------------------------------------------

constexpr FieldSchema workload_selector_fields[] = {
    field<&WorkloadSelector::match_labels>("matchLabels", "labels of pods"),
};

constexpr FieldSchema proxy_config_spec_fields[] = {
    field<&ProxyConfigSpec::selector>("selector", "the workloads that it is for; all of the namespace by default"),
    number<&ProxyConfigSpec::concurrency>("concurrency", 0, limits::shards_max,
                                          "shards, at the start; 0: one per CPU; the option --concurrency wins"),
    no_effect("environmentVariables", "variables of Istio's agent"),
    no_effect("image", "for the injector of sidecars"),
};

constexpr FieldSchema proxy_config_document_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&ProxyConfigDocument::metadata, ProxyConfigDocument>("metadata", "name and labels", required),
    field<&ProxyConfigDocument::spec>("spec", "the settings"),
    no_effect("status", "written by controllers"),
};

// --- Kinds -----------------------------------------------------------------------------------------

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
    planned_kind("WorkloadEntry", "networking.istio.io", networking_versions, "an endpoint outside of the cluster"),
    document_kind<&Model::proxy_configs>("ProxyConfig", "networking.istio.io", networking_versions,
                                         "settings of the proxy"),
    planned_kind("AuthorizationPolicy", "security.istio.io", security_versions, "who may call"),
    planned_kind("RequestAuthentication", "security.istio.io", security_versions, "tokens of callers"),
};

}  // namespace

constinit const ObjectSchema Port::schema{"Port", port_fields};
constinit const ObjectSchema TlsCertificate::schema{"TLSCertificate", tls_certificate_fields};
constinit const ObjectSchema ServerTls::schema{"ServerTLSSettings", server_tls_fields};
constinit const ObjectSchema Server::schema{"Server", server_fields};
constinit const ObjectSchema GatewaySpec::schema{"GatewaySpec", gateway_spec_fields};
constinit const ObjectSchema Gateway::schema{"Gateway", gateway_fields};
constinit const ObjectSchema StringMatch::schema{"StringMatch", string_match_fields};
constinit const ObjectSchema HttpMatch::schema{"HTTPMatchRequest", http_match_fields};
constinit const ObjectSchema PortSelector::schema{"PortSelector", port_selector_fields};
constinit const ObjectSchema Destination::schema{"Destination", destination_fields};
constinit const ObjectSchema HeaderOperations::schema{"HeaderOperations", header_operations_fields};
constinit const ObjectSchema Headers::schema{"Headers", headers_fields};
constinit const ObjectSchema RouteDestination::schema{"HTTPRouteDestination", route_destination_fields};
constinit const ObjectSchema HttpRoute::schema{"HTTPRoute", http_route_fields};
constinit const ObjectSchema ConnectionDestination::schema{"RouteDestination", connection_destination_fields};
constinit const ObjectSchema TlsMatch::schema{"TLSMatchAttributes", tls_match_fields};
constinit const ObjectSchema TlsRoute::schema{"TLSRoute", tls_route_fields};
constinit const ObjectSchema TcpMatch::schema{"L4MatchAttributes", tcp_match_fields};
constinit const ObjectSchema TcpRoute::schema{"TCPRoute", tcp_route_fields};
constinit const ObjectSchema VirtualServiceSpec::schema{"VirtualServiceSpec", virtual_service_spec_fields};
constinit const ObjectSchema VirtualService::schema{"VirtualService", virtual_service_fields};
constinit const ObjectSchema ServiceEntryPort::schema{"ServicePort", service_entry_port_fields};
constinit const ObjectSchema WorkloadEndpoint::schema{"WorkloadEntry", workload_endpoint_fields};
constinit const ObjectSchema ServiceEntrySpec::schema{"ServiceEntrySpec", service_entry_spec_fields};
constinit const ObjectSchema ServiceEntry::schema{"ServiceEntry", service_entry_fields};
constinit const ObjectSchema ClientTls::schema{"ClientTLSSettings", client_tls_fields};
constinit const ObjectSchema LoadBalancer::schema{"LoadBalancerSettings", load_balancer_fields};
constinit const ObjectSchema TcpConnectionPool::schema{"TCPSettings", tcp_connection_pool_fields};
constinit const ObjectSchema ConnectionPool::schema{"ConnectionPoolSettings", connection_pool_fields};
constinit const ObjectSchema PortTrafficPolicy::schema{"PortTrafficPolicy", port_traffic_policy_fields};
constinit const ObjectSchema TrafficPolicy::schema{"TrafficPolicy", traffic_policy_fields};
constinit const ObjectSchema WorkloadSelector::schema{"WorkloadSelector", workload_selector_fields};
constinit const ObjectSchema ProxyConfigSpec::schema{"ProxyConfigSpec", proxy_config_spec_fields};
constinit const ObjectSchema ProxyConfigDocument::schema{"ProxyConfig", proxy_config_document_fields};
constinit const ObjectSchema Subset::schema{"Subset", subset_fields};
constinit const ObjectSchema DestinationRuleSpec::schema{"DestinationRuleSpec", destination_rule_spec_fields};
constinit const ObjectSchema DestinationRule::schema{"DestinationRule", destination_rule_fields};

std::span<const KindSchema> istio_kinds() noexcept { return kinds; }

}  // namespace sluice::config

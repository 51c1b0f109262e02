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

constexpr Choice tls_modes[] = {{"SIMPLE"},
                                {"PASSTHROUGH"},
                                {"MUTUAL"},
                                {"OPTIONAL_MUTUAL"},
                                {"AUTO_PASSTHROUGH", Support::refused},
                                {"ISTIO_MUTUAL", Support::refused}};

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
    field<&StringMatch::regex>("regex", "an RE2 expression for the whole value"),
};

constexpr FieldSchema http_match_fields[] = {
    field<&HttpMatch::name>("name", "a label of the match, for logs: ROUTE.MATCH"),
    no_effect("statPrefix", "a label of statistics"),
    field<&HttpMatch::uri>("uri", "the path, without the query"),
    field<&HttpMatch::ignore_uri_case>("ignoreUriCase", "compare the path regardless of case; not for regex"),
    field<&HttpMatch::scheme>("scheme", "http or https"),
    field<&HttpMatch::method>("method", "the method"),
    field<&HttpMatch::authority>("authority", "the Host field, with its port"),
    field<&HttpMatch::headers>("headers", "header fields; {} is for any value"),
    field<&HttpMatch::without_headers>("withoutHeaders", "header fields that must not match"),
    field<&HttpMatch::query_params>("queryParams", "parameters of the query; {} is for any value"),
    number<&HttpMatch::port>("port", 1, port_max, "the port of the Gateway's server"),
    field<&HttpMatch::source_labels>("sourceLabels", "labels of the caller, which is the gateway: its selector"),
    field<&HttpMatch::source_namespace>("sourceNamespace", "namespace of the caller, which is the gateway"),
    field<&HttpMatch::gateways>("gateways", "the gateways that the match is for"),
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

constexpr Choice derived_ports[] = {{"FROM_PROTOCOL_DEFAULT"}, {"FROM_REQUEST_PORT"}};

constexpr FieldSchema redirect_fields[] = {
    field<&Redirect::uri>("uri", "replaces the whole path; the query stays unless this has one"),
    field<&Redirect::authority>("authority", "replaces the host"),
    field<&Redirect::scheme>("scheme", "replaces the scheme"),
    number<&Redirect::port>("port", 1, port_max, "replaces the port"),
    choice<&Redirect::derive_port>("derivePort", derived_ports, "the port that the request came to, or none"),
    number<&Redirect::redirect_code>("redirectCode", 300, 399, "301, 302, 303, 307 or 308; 301 by default"),
};

constexpr FieldSchema direct_response_body_fields[] = {
    content<&DirectResponseBody::string>("string", "the body as text"),
    field<&DirectResponseBody::bytes>("bytes", "the body in base64"),
};

constexpr FieldSchema direct_response_fields[] = {
    number<&DirectResponse::status>("status", 200, 599, "the status", required),
    field<&DirectResponse::body>("body", "the body; none by default"),
};

constexpr FieldSchema regex_rewrite_fields[] = {
    field<&RegexRewrite::match>("match", "an RE2 expression for parts of the path", required),
    field<&RegexRewrite::rewrite>("rewrite", "what replaces each of them; \\1 is what the first group has matched"),
};

constexpr FieldSchema rewrite_fields[] = {
    field<&Rewrite::uri>("uri", "replaces the prefix that was matched, or the whole path"),
    field<&Rewrite::authority>("authority", "replaces the host"),
    field<&Rewrite::uri_regex_rewrite>("uriRegexRewrite", "replaces parts of the path"),
};

constexpr FieldSchema percent_fields[] = {
    field<&Percent::value>("value", "a share of the requests in percent"),
};

constexpr FieldSchema fault_delay_fields[] = {
    field<&FaultDelay::fixed_delay>("fixedDelay", "how long requests wait", required),
    field<&FaultDelay::percentage>("percentage", "the share of the requests that wait; none by default"),
    field<&FaultDelay::percent>("percent", "the same (deprecated)"),
    planned("exponentialDelay", "not built by Istio either"),
};

constexpr Choice grpc_statuses[] = {
    {"CANCELLED"},      {"UNKNOWN"},           {"INVALID_ARGUMENT"}, {"DEADLINE_EXCEEDED"},  {"NOT_FOUND"},
    {"ALREADY_EXISTS"}, {"PERMISSION_DENIED"}, {"UNAUTHENTICATED"},  {"RESOURCE_EXHAUSTED"}, {"FAILED_PRECONDITION"},
    {"ABORTED"},        {"OUT_OF_RANGE"},      {"UNIMPLEMENTED"},    {"INTERNAL"},           {"UNAVAILABLE"},
    {"DATA_LOSS"},
};

constexpr FieldSchema fault_abort_fields[] = {
    number<&FaultAbort::http_status>("httpStatus", 200, 599, "the status of the answer"),
    choice<&FaultAbort::grpc_status>("grpcStatus", grpc_statuses, "the same as a status of gRPC"),
    planned("http2Error", "not built by Istio either"),
    field<&FaultAbort::percentage>("percentage", "the share of the requests that are answered so; none by default"),
};

constexpr FieldSchema fault_fields[] = {
    field<&Fault::delay>("delay", "requests that wait before they go on"),
    field<&Fault::abort>("abort", "requests that are answered with an error"),
};

constexpr Choice unmatched_preflights[] = {{"UNSPECIFIED"}, {"FORWARD"}, {"IGNORE"}};

constexpr FieldSchema cors_policy_fields[] = {
    field<&CorsPolicy::allow_origin>("allowOrigin", "origins that may ask (deprecated)"),
    field<&CorsPolicy::allow_origins>("allowOrigins", "origins that may ask"),
    field<&CorsPolicy::allow_methods>("allowMethods", "Access-Control-Allow-Methods"),
    field<&CorsPolicy::allow_headers>("allowHeaders", "Access-Control-Allow-Headers"),
    field<&CorsPolicy::expose_headers>("exposeHeaders", "Access-Control-Expose-Headers"),
    field<&CorsPolicy::max_age>("maxAge", "how long the answer to a preflight holds"),
    field<&CorsPolicy::allow_credentials>("allowCredentials", "whether requests may have cookies"),
    choice<&CorsPolicy::unmatched_preflights>("unmatchedPreflights", unmatched_preflights,
                                              "what becomes of preflights of other origins; FORWARD by default"),
};

constexpr FieldSchema retries_fields[] = {
    number<&Retries::attempts>("attempts", 0, limits::retries_max, "how often beyond the first time; 0 is never"),
    field<&Retries::per_try_timeout>("perTryTimeout", "limit of each attempt's response"),
    field<&Retries::retry_on>("retryOn", "what is tried again, with commas between: names of Envoy, statuses"),
    no_effect("retryRemoteLocalities", "for endpoints with localities"),
    field<&Retries::retry_ignore_previous_hosts>("retryIgnorePreviousHosts",
                                                 "another endpoint than the last one; true by default"),
    field<&Retries::backoff>("backoff", "what the pause before the next attempt is made of; 25ms by default"),
};

constexpr FieldSchema delegate_fields[] = {
    field<&Delegate::name>("name", "the VirtualService", required),
    field<&Delegate::name_space>("namespace", "its namespace; that of this document by default"),
};

constexpr FieldSchema http_route_fields[] = {
    field<&HttpRoute::name>("name", "a label of the route, for logs"),
    field<&HttpRoute::match>("match", "requests that are meant: any of these; all when it is empty"),
    field<&HttpRoute::route>("route", "where requests go"),
    field<&HttpRoute::timeout>("timeout", "limit of the whole response, 504 beyond it; 0s is no limit"),
    field<&HttpRoute::redirect>("redirect", "an answer that names another place"),
    field<&HttpRoute::direct_response>("directResponse", "a fixed answer"),
    field<&HttpRoute::delegate>("delegate", "a VirtualService without hosts, whose routes take the place of this one"),
    field<&HttpRoute::rewrite>("rewrite", "another path or host for the destination"),
    field<&HttpRoute::retries>("retries", "when to try again"),
    field<&HttpRoute::fault>("fault", "injected delays and errors"),
    planned("mirror", "a copy of the request to another destination"),
    planned("mirrors", "copies of the request to other destinations"),
    planned("mirrorPercent", "the share of requests that are copied (deprecated)"),
    planned("mirrorPercentage", "the share of requests that are copied"),
    field<&HttpRoute::cors_policy>("corsPolicy", "which origins' pages may ask (fetch.spec.whatwg.org)"),
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
    field<&VirtualServiceSpec::hosts>("hosts", "the hosts that the routes are for; none: others delegate to it"),
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
constinit const ObjectSchema Redirect::schema{"HTTPRedirect", redirect_fields};
constinit const ObjectSchema DirectResponseBody::schema{"HTTPBody", direct_response_body_fields};
constinit const ObjectSchema DirectResponse::schema{"HTTPDirectResponse", direct_response_fields};
constinit const ObjectSchema RegexRewrite::schema{"RegexRewrite", regex_rewrite_fields};
constinit const ObjectSchema Rewrite::schema{"HTTPRewrite", rewrite_fields};
constinit const ObjectSchema Percent::schema{"Percent", percent_fields};
constinit const ObjectSchema FaultDelay::schema{"Delay", fault_delay_fields};
constinit const ObjectSchema FaultAbort::schema{"Abort", fault_abort_fields};
constinit const ObjectSchema Fault::schema{"HTTPFaultInjection", fault_fields};
constinit const ObjectSchema CorsPolicy::schema{"CorsPolicy", cors_policy_fields};
constinit const ObjectSchema Retries::schema{"HTTPRetry", retries_fields};
constinit const ObjectSchema Delegate::schema{"Delegate", delegate_fields};
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

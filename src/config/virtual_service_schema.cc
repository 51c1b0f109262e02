// VirtualService: https://istio.io/latest/docs/reference/config/networking/virtual-service/
#include "config/virtual_service_model.h"

#include "base/limits.h"
#include "config/schema.h"

namespace sluice::config {

namespace {

using enum Presence;

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
    number<&HttpMatch::port>("port", 1, port_max,
                             "the port of the Gateway's server, or that outbound traffic asks for"),
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

constexpr FieldSchema mirror_fields[] = {
    field<&Mirror::destination>("destination", "where the copies go", required),
    field<&Mirror::percentage>("percentage", "the share of the requests that are copied; 100 by default"),
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
    field<&HttpRoute::mirror>(
        "mirror", "a destination that gets a copy of the requests, with content up to 1 MiB, without trailers"),
    field<&HttpRoute::mirrors>("mirrors",
                               "destinations, up to 8, that get a copy of the requests, in the place of mirror"),
    number<&HttpRoute::mirror_percent>("mirrorPercent", 0, 100, "the same as mirrorPercentage (deprecated)"),
    field<&HttpRoute::mirror_percentage>("mirrorPercentage",
                                         "the share of the requests that mirror gets; 100 by default"),
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
    number<&TlsMatch::port>("port", 1, port_max, "the port of the Gateway's server, or that outbound traffic asks for"),
    field<&TlsMatch::gateways>("gateways", "the gateways that the match is for"),
    field<&TlsMatch::destination_subnets>("destinationSubnets",
                                          "the addresses that clients connect to; for outbound traffic only"),
    field<&TlsMatch::source_labels>("sourceLabels", "labels of the caller, which is the gateway: its selector"),
    field<&TlsMatch::source_namespace>("sourceNamespace", "namespace of the caller, which is the gateway"),
};

constexpr FieldSchema tls_route_fields[] = {
    field<&TlsRoute::match>("match", "connections that are meant: any of these", required),
    field<&TlsRoute::route>("route", "where connections go", required),
};

constexpr FieldSchema tcp_match_fields[] = {
    number<&TcpMatch::port>("port", 1, port_max, "the port of the Gateway's server, or that outbound traffic asks for"),
    field<&TcpMatch::gateways>("gateways", "the gateways that the match is for"),
    field<&TcpMatch::destination_subnets>("destinationSubnets",
                                          "the addresses that clients connect to; for outbound traffic only"),
    field<&TcpMatch::source_labels>("sourceLabels", "labels of the caller, which is the gateway: its selector"),
    field<&TcpMatch::source_namespace>("sourceNamespace", "namespace of the caller, which is the gateway"),
    planned("sourceSubnet", "the addresses that clients connect from"),
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

}  // namespace

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
constinit const ObjectSchema Mirror::schema{"HTTPMirrorPolicy", mirror_fields};
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

}  // namespace sluice::config

// The documents as typed values: what was written, not yet what it means. Texts and places point into the
// nodes that were read (Documents owns them), which outlive the model. Which field of a document goes to
// which member, and what the field means, stands in *_schema.cc.
#pragma once

#include "config/schema.h"
#include "snapshot/regex.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::config {

struct Metadata {
  const Node* node = nullptr;
  Text name;
  Text name_space;  // empty means "default"
  Text creation_timestamp;
  TextMap labels;
  TextMap annotations;
  static const ObjectSchema schema;
};

// What every document has.
struct Document {
  const Node* node = nullptr;
  std::string_view kind;
  size_t index = 0;  // counts the documents as they were read
  Metadata metadata;
  bool is_broken = false;  // it has errors: not compiled, and what refers to it is not warned about

  [[nodiscard]] std::string_view name() const noexcept { return metadata.name.value; }
  [[nodiscard]] std::string_view name_space() const noexcept {
    return metadata.name_space.value.empty() ? std::string_view("default") : metadata.name_space.value;
  }
  [[nodiscard]] std::string key() const { return std::string(name_space()) + "/" + std::string(name()); }
  // `Gateway kyma-system/kyma-gateway`
  [[nodiscard]] std::string title() const { return std::string(kind) + " " + key(); }
  [[nodiscard]] SourcePlace place() const { return (metadata.name ? metadata.name.node : node)->place(); }
  // The order that decides conflicts: the smaller one wins.
  [[nodiscard]] std::pair<std::string_view, size_t> age() const noexcept {
    return {metadata.creation_timestamp.value, index};
  }
};

// --- networking.istio.io ---------------------------------------------------------------------------

struct Port {
  const Node* node = nullptr;
  Number number;
  Text protocol;
  Text name;
  static const ObjectSchema schema;
};

// One certificate of `tlsCertificates`: paths of files.
struct TlsCertificate {
  const Node* node = nullptr;
  Text server_certificate;
  Text private_key;
  Text ca_certificates;
  static const ObjectSchema schema;
};

struct ServerTls {
  const Node* node = nullptr;
  Flag https_redirect;
  Text mode;
  Text credential_name;
  std::vector<Text> credential_names;
  std::vector<TlsCertificate> tls_certificates;
  Text server_certificate;
  Text private_key;
  Text ca_certificates;
  Text ca_crl;
  Text ca_cert_credential_name;
  std::vector<Text> subject_alt_names;
  std::vector<Text> verify_certificate_spki;
  std::vector<Text> verify_certificate_hash;
  std::vector<Text> ecdh_curves;
  Text min_protocol_version;
  Text max_protocol_version;
  std::vector<Text> cipher_suites;
  static const ObjectSchema schema;
};

struct Server {
  const Node* node = nullptr;
  Port port;
  Text bind;
  std::vector<Text> hosts;
  ServerTls tls;
  static const ObjectSchema schema;
};

struct GatewaySpec {
  const Node* node = nullptr;
  TextMap selector;
  std::vector<Server> servers;
  static const ObjectSchema schema;
};

struct Gateway : Document {
  GatewaySpec spec;
  static const ObjectSchema schema;
};

struct StringMatch {
  const Node* node = nullptr;
  Text exact;
  Text prefix;
  Text regex;
  std::shared_ptr<const snapshot::Regex> compiled_regex;  // set by validation; null: none, or it is wrong
  static const ObjectSchema schema;
};

struct HttpMatch {
  const Node* node = nullptr;
  Text name;
  StringMatch uri;
  Flag ignore_uri_case;
  StringMatch scheme;
  StringMatch method;
  StringMatch authority;
  ObjectMap<StringMatch> headers;
  ObjectMap<StringMatch> without_headers;
  ObjectMap<StringMatch> query_params;
  Number port;
  TextMap source_labels;
  Text source_namespace;
  std::vector<Text> gateways;
  static const ObjectSchema schema;
};

struct PortSelector {
  const Node* node = nullptr;
  Number number;
  static const ObjectSchema schema;
};

struct Destination {
  const Node* node = nullptr;
  Text host;
  PortSelector port;
  Text subset;
  static const ObjectSchema schema;
};

struct HeaderOperations {
  const Node* node = nullptr;
  TextMap set;
  TextMap add;
  std::vector<Text> remove;
  static const ObjectSchema schema;
};

struct Headers {
  const Node* node = nullptr;
  HeaderOperations request;
  HeaderOperations response;
  static const ObjectSchema schema;
};

struct RouteDestination {
  const Node* node = nullptr;
  Destination destination;
  Number weight;
  Headers headers;
  static const ObjectSchema schema;
};

struct Redirect {
  const Node* node = nullptr;
  Text uri;
  Text authority;
  Text scheme;
  Number port;
  Text derive_port;
  Number redirect_code;
  static const ObjectSchema schema;
};

struct DirectResponseBody {
  const Node* node = nullptr;
  Text string;
  Text bytes;  // base64
  static const ObjectSchema schema;
};

struct DirectResponse {
  const Node* node = nullptr;
  Number status;
  DirectResponseBody body;
  static const ObjectSchema schema;
};

struct RegexRewrite {
  const Node* node = nullptr;
  Text match;
  Text rewrite;
  std::shared_ptr<const snapshot::Regex> compiled;  // set by validation; null: none, or it is wrong
  static const ObjectSchema schema;
};

struct Rewrite {
  const Node* node = nullptr;
  Text uri;
  Text authority;
  RegexRewrite uri_regex_rewrite;
  static const ObjectSchema schema;
};

struct Percent {
  const Node* node = nullptr;
  Percentage value;
  static const ObjectSchema schema;
};

struct FaultDelay {
  const Node* node = nullptr;
  TimeSpan fixed_delay;
  Percent percentage;
  Percentage percent;
  static const ObjectSchema schema;
};

struct FaultAbort {
  const Node* node = nullptr;
  Number http_status;
  Text grpc_status;
  Percent percentage;
  static const ObjectSchema schema;
};

struct Fault {
  const Node* node = nullptr;
  FaultDelay delay;
  FaultAbort abort;
  static const ObjectSchema schema;
};

struct CorsPolicy {
  const Node* node = nullptr;
  std::vector<Text> allow_origin;
  std::vector<StringMatch> allow_origins;
  std::vector<Text> allow_methods;
  std::vector<Text> allow_headers;
  std::vector<Text> expose_headers;
  TimeSpan max_age;
  Flag allow_credentials;
  Text unmatched_preflights;
  static const ObjectSchema schema;
};

struct Retries {
  const Node* node = nullptr;
  Number attempts;
  TimeSpan per_try_timeout;
  Text retry_on;
  Flag retry_ignore_previous_hosts;
  TimeSpan backoff;
  static const ObjectSchema schema;
};

struct Delegate {
  const Node* node = nullptr;
  Text name;
  Text name_space;
  static const ObjectSchema schema;
};

struct HttpRoute {
  const Node* node = nullptr;
  Text name;
  std::vector<HttpMatch> match;
  std::vector<RouteDestination> route;
  Redirect redirect;
  DirectResponse direct_response;
  Delegate delegate;
  Rewrite rewrite;
  TimeSpan timeout;
  Retries retries;
  Fault fault;
  CorsPolicy cors_policy;
  Headers headers;
  static const ObjectSchema schema;
};

// Of a route of connections, not of requests.
struct ConnectionDestination {
  const Node* node = nullptr;
  Destination destination;
  Number weight;
  static const ObjectSchema schema;
};

struct TlsMatch {
  const Node* node = nullptr;
  std::vector<Text> sni_hosts;
  Number port;
  std::vector<Text> gateways;
  static const ObjectSchema schema;
};

struct TlsRoute {
  const Node* node = nullptr;
  std::vector<TlsMatch> match;
  std::vector<ConnectionDestination> route;
  static const ObjectSchema schema;
};

struct TcpMatch {
  const Node* node = nullptr;
  Number port;
  std::vector<Text> gateways;
  static const ObjectSchema schema;
};

struct TcpRoute {
  const Node* node = nullptr;
  std::vector<TcpMatch> match;
  std::vector<ConnectionDestination> route;
  static const ObjectSchema schema;
};

struct VirtualServiceSpec {
  const Node* node = nullptr;
  std::vector<Text> hosts;
  std::vector<Text> gateways;
  std::vector<HttpRoute> http;
  std::vector<TlsRoute> tls;
  std::vector<TcpRoute> tcp;
  std::vector<Text> export_to;
  static const ObjectSchema schema;
};

struct VirtualService : Document {
  VirtualServiceSpec spec;
  static const ObjectSchema schema;
};

struct ServiceEntryPort {
  const Node* node = nullptr;
  Number number;
  Text protocol;
  Text name;
  Number target_port;
  static const ObjectSchema schema;
};

struct WorkloadEndpoint {
  const Node* node = nullptr;
  Text address;
  NumberMap ports;  // by the name of the ServiceEntry's port
  Number weight;
  TextMap labels;
  static const ObjectSchema schema;
};

struct ServiceEntrySpec {
  const Node* node = nullptr;
  std::vector<Text> hosts;
  std::vector<ServiceEntryPort> ports;
  Text location;
  Text resolution;
  std::vector<WorkloadEndpoint> endpoints;
  std::vector<Text> subject_alt_names;
  std::vector<Text> export_to;
  static const ObjectSchema schema;
};

struct ServiceEntry : Document {
  ServiceEntrySpec spec;
  static const ObjectSchema schema;
};

struct ClientTls {
  const Node* node = nullptr;
  Text mode;
  Text client_certificate;
  Text private_key;
  Text ca_certificates;
  Text ca_crl;
  Text credential_name;
  std::vector<Text> subject_alt_names;
  Text sni;
  Flag insecure_skip_verify;
  static const ObjectSchema schema;
};

struct LoadBalancer {
  const Node* node = nullptr;
  Text simple;
  static const ObjectSchema schema;
};

struct TcpConnectionPool {
  const Node* node = nullptr;
  TimeSpan connect_timeout;
  static const ObjectSchema schema;
};

struct ConnectionPool {
  const Node* node = nullptr;
  TcpConnectionPool tcp;
  static const ObjectSchema schema;
};

// What a rule says for one port; it replaces what the rule says for all of them.
struct PortTrafficPolicy {
  const Node* node = nullptr;
  PortSelector port;
  LoadBalancer load_balancer;
  ConnectionPool connection_pool;
  ClientTls tls;
  static const ObjectSchema schema;
};

struct TrafficPolicy {
  const Node* node = nullptr;
  LoadBalancer load_balancer;
  ConnectionPool connection_pool;
  ClientTls tls;
  std::vector<PortTrafficPolicy> port_level_settings;
  static const ObjectSchema schema;
};

struct Subset {
  const Node* node = nullptr;
  Text name;
  TextMap labels;
  TrafficPolicy traffic_policy;
  static const ObjectSchema schema;
};

struct DestinationRuleSpec {
  const Node* node = nullptr;
  Text host;
  TrafficPolicy traffic_policy;
  std::vector<Subset> subsets;
  std::vector<Text> export_to;
  static const ObjectSchema schema;
};

struct DestinationRule : Document {
  DestinationRuleSpec spec;
  static const ObjectSchema schema;
};

struct WorkloadSelector {
  const Node* node = nullptr;
  TextMap match_labels;
  static const ObjectSchema schema;
};

struct ProxyConfigSpec {
  const Node* node = nullptr;
  WorkloadSelector selector;
  Number concurrency;
  static const ObjectSchema schema;
};

// The kind; `ProxyConfig` is the part of MeshConfig.
struct ProxyConfigDocument : Document {
  ProxyConfigSpec spec;
  static const ObjectSchema schema;
};

// --- gateway.kyma-project.io -------------------------------------------------------------------------

struct ApiRuleService {
  const Node* node = nullptr;
  Text name;
  Text name_space;
  Number port;
  static const ObjectSchema schema;
};

struct ApiRuleRequest {
  const Node* node = nullptr;
  TextMap headers;
  TextMap cookies;
  static const ObjectSchema schema;
};

// One path of an APIRule.
struct ApiRulePath {
  const Node* node = nullptr;
  Text path;
  std::vector<Text> methods;
  Flag no_auth;
  ApiRuleService service;
  Number timeout_s;
  ApiRuleRequest request;
  static const ObjectSchema schema;
};

struct ApiRuleCorsPolicy {
  const Node* node = nullptr;
  std::vector<StringMatch> allow_origins;
  std::vector<Text> allow_methods;
  std::vector<Text> allow_headers;
  std::vector<Text> expose_headers;
  Flag allow_credentials;
  Number max_age_s;
  static const ObjectSchema schema;
};

struct ApiRuleSpec {
  const Node* node = nullptr;
  std::vector<Text> hosts;
  Text gateway;
  ApiRuleService service;
  Number timeout_s;
  ApiRuleCorsPolicy cors_policy;
  std::vector<ApiRulePath> rules;
  static const ObjectSchema schema;
};

struct ApiRule : Document {
  ApiRuleSpec spec;
  static const ObjectSchema schema;
};

// --- Kubernetes ------------------------------------------------------------------------------------

struct ServicePort {
  const Node* node = nullptr;
  Text name;
  Number port;
  PortReference target_port;
  Text protocol;
  Text app_protocol;
  static const ObjectSchema schema;
};

struct ServiceSpec {
  const Node* node = nullptr;
  Text type;
  TextMap selector;
  std::vector<ServicePort> ports;
  Text cluster_ip;
  Text external_name;
  static const ObjectSchema schema;
};

struct Service : Document {
  ServiceSpec spec;
  static const ObjectSchema schema;
};

struct ObjectReference {
  const Node* node = nullptr;
  Text kind;
  Text name_space;
  Text name;
  static const ObjectSchema schema;
};

struct EndpointConditions {
  const Node* node = nullptr;
  Flag ready;
  Flag serving;
  Flag terminating;
  static const ObjectSchema schema;
};

struct SliceEndpoint {
  const Node* node = nullptr;
  std::vector<Text> addresses;
  EndpointConditions conditions;
  ObjectReference target_ref;
  static const ObjectSchema schema;
};

// Of an EndpointSlice, and of Endpoints.
struct EndpointPort {
  const Node* node = nullptr;
  Text name;
  Number port;
  Text protocol;
  static const ObjectSchema schema;
};

struct EndpointSlice : Document {
  Text address_type;
  std::vector<SliceEndpoint> endpoints;
  std::vector<EndpointPort> ports;
  static const ObjectSchema schema;
};

struct EndpointAddress {
  const Node* node = nullptr;
  Text ip;
  ObjectReference target_ref;
  static const ObjectSchema schema;
};

struct EndpointSubset {
  const Node* node = nullptr;
  std::vector<EndpointAddress> addresses;
  std::vector<EndpointPort> ports;
  static const ObjectSchema schema;
};

struct Endpoints : Document {
  std::vector<EndpointSubset> subsets;
  static const ObjectSchema schema;
};

struct PodIp {
  const Node* node = nullptr;
  Text ip;
  static const ObjectSchema schema;
};

struct PodStatus {
  const Node* node = nullptr;
  Text pod_ip;
  std::vector<PodIp> pod_ips;
  static const ObjectSchema schema;
};

// Read for its labels.
struct Pod : Document {
  PodStatus status;
  static const ObjectSchema schema;
};

struct Secret : Document {
  Text type;
  TextMap data;         // base64
  TextMap string_data;  // wins over data
  static const ObjectSchema schema;
};

// Read for CA certificates, and for MeshConfig.
struct ConfigMap : Document {
  TextMap data;
  TextMap binary_data;  // base64
  static const ObjectSchema schema;
};

// --- MeshConfig, which is inside of a ConfigMap ------------------------------------------------------

struct Topology {
  const Node* node = nullptr;
  Number num_trusted_proxies;
  Text forward_client_cert_details;
  static const ObjectSchema schema;
};

struct ZipkinTracer {
  const Node* node = nullptr;
  static const ObjectSchema schema;
};

struct Tracing {
  const Node* node = nullptr;
  ZipkinTracer zipkin;
  static const ObjectSchema schema;
};

struct ProxyConfig {
  const Node* node = nullptr;
  Topology gateway_topology;
  Tracing tracing;
  Number concurrency;
  TimeSpan termination_drain_duration;
  static const ObjectSchema schema;
};

struct DefaultProviders {
  const Node* node = nullptr;
  static const ObjectSchema schema;
};

struct PathNormalization {
  const Node* node = nullptr;
  Text normalization;
  static const ObjectSchema schema;
};

struct MeshConfig {
  const Node* node = nullptr;  // null: there is none
  ProxyConfig default_config;
  DefaultProviders default_providers;
  PathNormalization path_normalization;
  Text access_log_file;
  Text access_log_format;
  Text access_log_encoding;
  TimeSpan connect_timeout;
  static const ObjectSchema schema;
};

// --- All of them -----------------------------------------------------------------------------------

// Deques: documents refer to one another by address.
struct Model {
  std::deque<Gateway> gateways;
  std::deque<VirtualService> virtual_services;  // APIRules are among them when they have been translated
  std::deque<ServiceEntry> service_entries;
  std::deque<DestinationRule> destination_rules;
  std::deque<ProxyConfigDocument> proxy_configs;
  std::deque<ApiRule> api_rules;
  std::deque<Node> api_rule_routes;  // what the VirtualServices made of `api_rules` point into
  std::deque<Service> services;
  std::deque<EndpointSlice> endpoint_slices;
  std::deque<Endpoints> endpoints;
  std::deque<Pod> pods;
  std::deque<Secret> secrets;
  std::deque<ConfigMap> config_maps;
  MeshConfig mesh;
  std::unique_ptr<const Node> mesh_document;  // what the texts and places of `mesh` point into
  bool is_complete = true;                    // false: something could not be read, so nothing can be called missing
};

// --- Lines of the tables of kinds -------------------------------------------------------------------

template <auto list>
constexpr KindSchema document_kind(std::string_view kind, std::string_view group,
                                   std::span<const std::string_view> versions, std::string_view doc) {
  using DocumentType = typename MemberPointer<decltype(list)>::Value::value_type;
  const auto read = [](Reader& reader, const Node& node, Model& model) -> Document& {
    DocumentType& document = (model.*list).emplace_back();
    document.node = &node;
    reader.read_object(node, &document, DocumentType::schema);
    return document;
  };
  return {
      .kind = kind, .group = group, .versions = versions, .doc = doc, .object = &DocumentType::schema, .read = read};
}

constexpr KindSchema planned_kind(std::string_view kind, std::string_view group,
                                  std::span<const std::string_view> versions, std::string_view doc) {
  return {.kind = kind, .group = group, .versions = versions, .doc = doc, .support = Support::planned};
}

}  // namespace sluice::config

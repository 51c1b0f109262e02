// VirtualService (networking.istio.io) as it is written.
#pragma once

#include "config/document.h"
#include "snapshot/regex.h"

#include <memory>
#include <vector>

namespace sluice::config {

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
  Rare<StringMatch> scheme;
  Rare<StringMatch> method;
  Rare<StringMatch> authority;
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
  Rare<Headers> headers;
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

struct Mirror {
  const Node* node = nullptr;
  Destination destination;
  Percent percentage;
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
  Rare<Redirect> redirect;
  Rare<DirectResponse> direct_response;
  Rare<Delegate> delegate;
  Rare<Rewrite> rewrite;
  TimeSpan timeout;
  Rare<Retries> retries;
  Rare<Fault> fault;
  Rare<CorsPolicy> cors_policy;
  Rare<Destination> mirror;
  Rare<Percent> mirror_percentage;
  Number mirror_percent;
  std::vector<Mirror> mirrors;
  Rare<Headers> headers;
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
  std::vector<Text> destination_subnets;
  Number port;
  TextMap source_labels;
  Text source_namespace;
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
  std::vector<Text> destination_subnets;
  Number port;
  TextMap source_labels;
  Text source_namespace;
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

}  // namespace sluice::config

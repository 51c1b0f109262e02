// ServiceEntry and DestinationRule (networking.istio.io) as they are written: where requests go, and how.
#pragma once

#include "config/virtual_service_model.h"

#include <vector>

namespace sluice::config {

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

// Of pods and WorkloadEntries.
struct WorkloadLabels {
  const Node* node = nullptr;
  TextMap labels;
  static const ObjectSchema schema;
};

struct ServiceEntrySpec {
  const Node* node = nullptr;
  std::vector<Text> hosts;
  std::vector<Text> addresses;
  std::vector<ServiceEntryPort> ports;
  Text location;
  Text resolution;
  std::vector<WorkloadEndpoint> endpoints;
  WorkloadLabels workload_selector;
  std::vector<Text> subject_alt_names;
  std::vector<Text> export_to;
  static const ObjectSchema schema;
};

struct ServiceEntry : Document {
  ServiceEntrySpec spec;
  static const ObjectSchema schema;
};

// An endpoint of the ServiceEntries that select it.
struct WorkloadEntry : Document {
  WorkloadEndpoint spec;
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

struct KeepaliveProbes {
  const Node* node = nullptr;
  Number probes;
  TimeSpan time;
  TimeSpan interval;
  static const ObjectSchema schema;
};

struct TcpConnectionPool {
  const Node* node = nullptr;
  TimeSpan connect_timeout;
  TimeSpan idle_timeout;
  Number max_connections;
  TimeSpan max_connection_duration;
  KeepaliveProbes tcp_keepalive;
  static const ObjectSchema schema;
};

struct KeepalivePings {
  const Node* node = nullptr;
  TimeSpan interval;
  TimeSpan timeout;
  static const ObjectSchema schema;
};

struct HttpConnectionPool {
  const Node* node = nullptr;
  Text h2_upgrade_policy;
  Flag use_client_protocol;
  Number max_concurrent_streams;
  Number http1_max_pending_requests;
  Number http2_max_requests;
  Number max_requests_per_connection;
  Number max_retries;
  TimeSpan idle_timeout;
  KeepalivePings http2_keep_alive;
  static const ObjectSchema schema;
};

struct ConnectionPool {
  const Node* node = nullptr;
  TcpConnectionPool tcp;
  HttpConnectionPool http;
  static const ObjectSchema schema;
};

struct RetryBudget {
  const Node* node = nullptr;
  Percentage percent;
  Number min_retry_concurrency;
  static const ObjectSchema schema;
};

struct UpstreamProxyProtocol {
  const Node* node = nullptr;
  Text version;
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
  UpstreamProxyProtocol proxy_protocol;
  RetryBudget retry_budget;
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

}  // namespace sluice::config

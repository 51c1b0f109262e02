// MeshConfig, which is inside of a ConfigMap, and the kind ProxyConfig, as they are written.
#pragma once

#include "config/document.h"

namespace sluice::config {

// Nothing can be said of it but that it is there.
struct ProxyProtocolConfiguration {
  const Node* node = nullptr;
  static const ObjectSchema schema;
};

struct Topology {
  const Node* node = nullptr;
  Number num_trusted_proxies;
  Text forward_client_cert_details;
  ProxyProtocolConfiguration proxy_protocol;
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
  Text interception_mode;
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

struct OutboundTrafficPolicy {
  const Node* node = nullptr;
  Text mode;
  static const ObjectSchema schema;
};

struct MeshConfig {
  const Node* node = nullptr;     // null: there is none
  const Document* map = nullptr;  // the ConfigMap that it is in, whose annotations say more; null: there is none
  ProxyConfig default_config;
  DefaultProviders default_providers;
  PathNormalization path_normalization;
  Text access_log_file;
  Text access_log_format;
  Text access_log_encoding;
  TimeSpan connect_timeout;
  Number proxy_http_port;
  Number proxy_listen_port;
  OutboundTrafficPolicy outbound_traffic_policy;
  TimeSpan protocol_detection_timeout;
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

}  // namespace sluice::config

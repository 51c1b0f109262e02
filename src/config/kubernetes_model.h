// Kinds of Kubernetes itself as they are written.
#pragma once

#include "config/document.h"

#include <vector>

namespace sluice::config {

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
  TextMap data;            // base64
  TextMap string_data;     // wins over data
  bool is_issued = false;  // of the state directory, not of the user: a certificate that sluice has obtained
  static const ObjectSchema schema;
};

// Read for CA certificates, and for MeshConfig.
struct ConfigMap : Document {
  TextMap data;
  TextMap binary_data;  // base64
  static const ObjectSchema schema;
};

}  // namespace sluice::config

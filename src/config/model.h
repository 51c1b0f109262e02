// The documents as typed values: what was written, not yet what it means. Texts and places point into the
// nodes that were read (Documents owns them), which outlive the model. Which field of a document goes to
// which member, and what the field means, stands in *_schema.cc; the kinds themselves in *_model.h.
#pragma once

#include "config/certificate_model.h"
#include "config/destination_model.h"
#include "config/document.h"
#include "config/gateway_model.h"
#include "config/kubernetes_model.h"
#include "config/kyma_model.h"
#include "config/mesh_model.h"
#include "config/schema.h"
#include "config/virtual_service_model.h"

#include <deque>
#include <memory>
#include <span>
#include <string_view>

namespace sluice::config {

// Deques: documents refer to one another by address.
struct Model {
  std::deque<Gateway> gateways;
  std::deque<VirtualService> virtual_services;  // APIRules are among them when they have been translated
  std::deque<ServiceEntry> service_entries;
  std::deque<WorkloadEntry> workload_entries;
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
  std::deque<IssuerDocument> issuers;
  std::deque<CertificateDocument> certificates;  // those of annotated Gateways are among them
  std::deque<Node> gateway_certificates;         // what those point into
  std::deque<RevocationDocument> revocations;
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
#include "config/gateway_certificates.h"

#include "base/text.h"
#include "config/certificate_names.h"
#include "config/gateway_key.h"
#include "config/host_name.h"
#include "config/made_node.h"
#include "config/server_role.h"
#include "config/validate_certificates.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

constexpr std::string_view prefix = "cert.gardener.cloud/";
constexpr std::string_view annotations[] = {"purpose",
                                            "issuer",
                                            "commonname",
                                            "dnsnames",
                                            "secret-labels",
                                            "secret-namespace",
                                            "private-key-algorithm",
                                            "class",
                                            "private-key-size",
                                            "preferred-chain",
                                            "private-key-encoding",
                                            "follow-cname",
                                            "renew-before"};
constexpr std::string_view own_class = "gardencert";  // the controller's default
constexpr size_t common_name_max = 64;
constexpr size_t names_max = 200;  // more than any certificate can have: validation refuses them

// A name of a certificate, and where it was written.
struct Name {
  std::string text;
  const Node* place;
};

// "a,b, c"
std::vector<Name> split(const Text& list) {
  std::vector<Name> items;
  std::string_view rest = list.value;
  while (!rest.empty() && items.size() < names_max) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view item = trimmed(rest.substr(0, comma), " ");
    if (!item.empty()) items.push_back({std::string(item), list.node});
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return items;
}

// A number, or true or false: as if written without quotes.
Node plain_at(const Node& place, std::string_view text) {
  Node node = text_at(place, std::string(text));
  node.is_plain = true;
  return node;
}

class GatewayCertificates {
 public:
  GatewayCertificates(Model& model, Diagnostics& diagnostics) : model_(model), diagnostics_(diagnostics) {}

  void add_all();

 private:
  using Names = std::vector<Name>;

  [[nodiscard]] const Text* find(const Gateway& gateway, std::string_view name) const {
    return find_annotation(gateway, std::string(prefix) + std::string(name));
  }
  [[nodiscard]] bool is_managed(const Gateway& gateway);
  void add_of(const Gateway& gateway);
  [[nodiscard]] Names names_of(const Gateway& gateway, const std::vector<const Server*>& servers);
  void add_host(Names& names, std::string host, const Node& place) const;
  void add_document(const Gateway& gateway, const ObjectKey& secret, const Names& names);
  [[nodiscard]] Node spec_of(const Gateway& gateway, const ObjectKey& secret, const Names& names);
  void add_labels(Node& spec, const Gateway& gateway);

  Model& model_;
  Diagnostics& diagnostics_;
  std::multimap<std::string, const VirtualService*> services_;  // by the keys of their Gateways
};

void GatewayCertificates::add_all() {
  std::vector<const Gateway*> managed;
  for (const Gateway& gateway : model_.gateways) {
    if (is_managed(gateway)) managed.push_back(&gateway);
  }
  if (managed.empty()) return;
  for (const VirtualService& service : model_.virtual_services) {
    if (service.is_broken) continue;
    for (const Text& reference : service.spec.gateways) services_.emplace(gateway_key(reference, service), &service);
  }
  for (const Gateway* gateway : managed) add_of(*gateway);
}

bool GatewayCertificates::is_managed(const Gateway& gateway) {
  const Text* purpose = find(gateway, "purpose");
  if (purpose == nullptr || gateway.is_broken) return false;
  if (purpose->value != "managed") {
    diagnostics_.warning(
        purpose->node->place(),
        fmt::format("{}purpose: {} has no effect; managed obtains certificates", prefix, in_quotes(purpose->value)));
    return false;
  }
  for (const auto& [name, value] : gateway.metadata.annotations) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view what = name.substr(prefix.size());
    if (std::ranges::find(annotations, what) == std::end(annotations))
      diagnostics_.warning(value.node->place(), fmt::format("the annotation {} has no effect", in_quotes(name)),
                           hint(what, annotations));
  }
  const Text* wanted = find(gateway, "class");
  if (wanted == nullptr || wanted->value.empty() || wanted->value == own_class) return true;
  diagnostics_.info(wanted->node->place(), fmt::format("{}class: {} is another controller's; sluice is {}, and obtains "
                                                       "no certificate for {}",
                                                       prefix, in_quotes(wanted->value), own_class, gateway.title()));
  return false;
}

void GatewayCertificates::add_of(const Gateway& gateway) {
  const Text* name_space = find(gateway, "secret-namespace");
  std::map<ObjectKey, std::vector<const Server*>> servers;
  for (const Server& server : gateway.spec.servers) {
    const std::string_view mode = server.tls.mode.value;
    const std::string_view name = server.tls.credential_name.value;
    if (name.empty() || mode.empty() || mode == "PASSTHROUGH" || is_plain_http(server.port.protocol.value)) continue;
    ObjectKey secret{std::string(name_space != nullptr ? name_space->value : gateway.name_space()), std::string(name)};
    if (const size_t slash = name.find('/'); slash != std::string_view::npos)
      secret = {std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))};
    servers[std::move(secret)].push_back(&server);
  }
  const Node& purpose = *find(gateway, "purpose")->node;
  if (servers.empty()) {
    diagnostics_.warning(purpose.place(), fmt::format("{} asks for certificates, and none of its servers has "
                                                      "credentialName: there is nothing to obtain",
                                                      gateway.title()));
  }
  for (const auto& [secret, of_secret] : servers) {
    const Names names = names_of(gateway, of_secret);
    if (!names.empty()) {
      add_document(gateway, secret, names);
      continue;
    }
    diagnostics_.warning(
        of_secret.front()->tls.credential_name.node->place(),
        fmt::format("no certificate can be obtained for Secret {}: its servers are for every host, and "
                    "no VirtualService of {} has one; write the names in {}dnsnames",
                    secret.text(), gateway.title(), prefix));
  }
}

// Not what a wildcard of the certificate has already: that is for one label.
void GatewayCertificates::add_host(Names& names, std::string host, const Node& place) const {
  const auto has = [&](const Name& name) {
    if (name.text == host) return true;
    const size_t dot = host.find('.');
    return name.text.starts_with("*.") && dot != std::string::npos && host.substr(dot) == name.text.substr(1);
  };
  if (names.size() < names_max && host.contains('.') && !std::ranges::any_of(names, has))
    names.push_back({std::move(host), &place});
}

GatewayCertificates::Names GatewayCertificates::names_of(const Gateway& gateway,
                                                         const std::vector<const Server*>& servers) {
  Names names;
  if (const Text* common_name = find(gateway, "commonname"); common_name != nullptr)
    names.push_back({std::string(trimmed(common_name->value, " ")), common_name->node});
  if (const Text* dns_names = find(gateway, "dnsnames"); dns_names != nullptr) {
    for (Name& name : split(*dns_names)) {
      if (std::ranges::find(names, name.text, &Name::text) == names.end()) names.push_back(std::move(name));
    }
    return names;
  }
  std::vector<std::string> hosts;  // of the servers
  for (const Server* server : servers) {
    for (const Text& host : server->hosts) {
      if (!host) continue;
      hosts.push_back(normalised_host(host.value.substr(host.value.find('/') + 1)));
      if (hosts.back() != "*") add_host(names, hosts.back(), *host.node);
    }
  }
  const auto [first, last] = services_.equal_range(gateway.key());
  for (auto service = first; service != last; ++service) {
    for (const Text& host : service->second->spec.hosts) {
      const std::string name = host ? normalised_host(host.value) : std::string();
      const auto is_served = [&](const std::string& of_server) { return covers(of_server, name); };
      if (!name.empty() && name != "*" && std::ranges::any_of(hosts, is_served)) add_host(names, name, *host.node);
    }
  }
  return names;
}

void GatewayCertificates::add_labels(Node& spec, const Gateway& gateway) {
  const Text* labels = find(gateway, "secret-labels");
  if (labels == nullptr) return;
  Node mapping = node_at(*labels->node, Node::Kind::mapping);
  for (const Name& label : split(*labels)) {  // "a=b"
    const size_t equals = label.text.find('=');
    const std::string name(trimmed(std::string_view(label.text).substr(0, equals), " "));
    if (equals == std::string::npos || name.empty() || mapping.has(name)) {
      diagnostics_.error(labels->node->place(),
                         fmt::format("{}secret-labels: {} is not name=value, once for each name, with commas between",
                                     prefix, in_quotes(label.text)));
      continue;
    }
    add(mapping, name, text_at(mapping, std::string(trimmed(std::string_view(label.text).substr(equals + 1), " "))));
  }
  add(spec, "secretLabels", std::move(mapping));
}

Node GatewayCertificates::spec_of(const Gateway& gateway, const ObjectKey& secret, const Names& names) {
  const Node& purpose = *find(gateway, "purpose")->node;
  Node spec = node_at(purpose, Node::Kind::mapping);
  Node reference = mapping_of("name", text_at(purpose, secret.name));
  add(reference, "namespace", text_at(purpose, secret.name_space));
  add(spec, "secretRef", std::move(reference));

  Node dns_names = node_at(*names.front().place, Node::Kind::list);
  for (const Name& name : names) {
    Node node = text_at(*name.place, name.text);
    if (&name == &names.front() && name.text.size() <= common_name_max) {
      add(spec, "commonName", std::move(node));
    } else {
      dns_names.items.push_back(std::move(node));
    }
  }
  if (!dns_names.items.empty()) add(spec, "dnsNames", std::move(dns_names));

  if (const Text* issuer = find(gateway, "issuer"); issuer != nullptr) {  // "name" or "namespace/name"
    const size_t slash = issuer->value.find('/');
    const bool has_namespace = slash != std::string_view::npos;
    Node named = mapping_of(
        "name", text_at(*issuer->node, std::string(has_namespace ? issuer->value.substr(slash + 1) : issuer->value)));
    if (has_namespace) add(named, "namespace", text_at(*issuer->node, std::string(issuer->value.substr(0, slash))));
    add(spec, "issuerRef", std::move(named));
  }
  Node key = node_at(purpose, Node::Kind::mapping);
  if (const Text* text = find(gateway, "private-key-algorithm"))
    add(key, "algorithm", text_at(*text->node, std::string(text->value)));
  if (const Text* text = find(gateway, "private-key-size")) add(key, "size", plain_at(*text->node, text->value));
  if (const Text* text = find(gateway, "private-key-encoding"))
    add(key, "encoding", text_at(*text->node, std::string(text->value)));
  if (!key.keys.empty()) add(spec, "privateKey", std::move(key));
  if (const Text* text = find(gateway, "preferred-chain"))
    add(spec, "preferredChain", text_at(*text->node, std::string(text->value)));
  if (const Text* text = find(gateway, "renew-before"))
    add(spec, "renewBefore", text_at(*text->node, std::string(text->value)));
  if (const Text* text = find(gateway, "follow-cname")) add(spec, "followCNAME", plain_at(*text->node, text->value));
  add_labels(spec, gateway);
  return spec;
}

void GatewayCertificates::add_document(const Gateway& gateway, const ObjectKey& secret, const Names& names) {
  const size_t errors_before = diagnostics_.error_count();
  const Node& purpose = *find(gateway, "purpose")->node;
  Node metadata =
      mapping_of("name", text_at(purpose, fmt::format("{}-gateway-{}", gateway.name(), name_suffix(secret.text()))));
  add(metadata, "namespace", text_at(purpose, std::string(gateway.name_space())));
  if (const Text* challenge = find_annotation(gateway, challenge_annotation); challenge != nullptr) {
    add(metadata, "annotations",
        mapping_of(challenge_annotation, text_at(*challenge->node, std::string(challenge->value))));
  }
  Node node = mapping_of("metadata", std::move(metadata));
  add(node, "spec", spec_of(gateway, secret, names));

  const Node& made = model_.gateway_certificates.emplace_back(std::move(node));
  CertificateDocument& document = model_.certificates.emplace_back();
  document.node = &made;
  document.kind = "Certificate";
  document.index = gateway.index;
  document.gateway = gateway.key();
  Reader(diagnostics_).read_object(made, &document, CertificateDocument::schema);
  document.is_broken = diagnostics_.error_count() != errors_before;
}

}  // namespace

void add_gateway_certificates(Model& model, Diagnostics& diagnostics) {
  GatewayCertificates(model, diagnostics).add_all();
}

}  // namespace sluice::config

#include "config/validate.h"

#include "base/address.h"
#include "base/address_range.h"
#include "base/limits.h"
#include "base/wipe.h"
#include "config/address_block.h"
#include "config/base64.h"
#include "config/delegates.h"
#include "config/header_operations.h"
#include "config/host_name.h"
#include "config/request_matches.h"
#include "config/route_actions.h"
#include "config/server_role.h"
#include "config/validate_certificates.h"
#include "config/validate_tls.h"
#include "config/wording.h"
#include "snapshot/host_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace sluice::config {

namespace {

constexpr size_t service_entry_hosts_max = 256;

bool is_ip(std::string_view text) { return SocketAddress::from_ip(text, 0).has_value(); }

bool names_unix_socket(std::string_view text) { return text.starts_with("unix:"); }

// Of what SocketAddress::from_unix() refuses.
std::string wrong_unix_name(const Text& name) {
  return fmt::format(
      "{} is no Unix socket: write unix:///path or unix://@name, of at most 107 bytes without spaces, "
      "quotes and backslashes",
      in_quotes(name.value));
}

// A required list that is there, and is a list, but has nothing in it.
bool is_empty_list(const Node* object, std::string_view field) {
  return object != nullptr && object->has_empty_list(field);
}

void check_host(const Text& host, std::string_view pattern, Diagnostics& diagnostics) {
  if (!host) return;  // an error of its type already
  const std::optional<std::string_view> wrong = wrong_with_host(pattern);
  if (wrong) diagnostics.error(host.node->place(), fmt::format("{} is not a host: {}", in_quotes(host.value), *wrong));
}

// The checks run over documents with errors too: every error of a run is said at once. So they look at
// what was written (Node::has) where the model cannot tell "not given" from "not readable".

// --- Gateway ---------------------------------------------------------------------------------------

void check_server_host(const Text& host, Diagnostics& diagnostics) {
  const size_t slash = host.value.find('/');
  if (slash == std::string_view::npos) return check_host(host, host.value, diagnostics);
  const std::string_view name_space = host.value.substr(0, slash);
  if (name_space != "*" && name_space != "." && !is_object_name(name_space)) {
    return diagnostics.error(host.node->place(), fmt::format("{}: before the slash stands a namespace, \".\" or \"*\"",
                                                             in_quotes(host.value)));
  }
  check_host(host, host.value.substr(slash + 1), diagnostics);
}

void check_bind(const Text& bind, const Number& port, Diagnostics& diagnostics) {
  const bool is_unix = names_unix_socket(bind.value);
  if (is_unix) {
    if (!SocketAddress::from_unix(bind.value)) diagnostics.error(bind.node->place(), "bind: " + wrong_unix_name(bind));
  } else if (bind && !is_ip(bind.value)) {
    diagnostics.error(
        bind.node->place(),
        fmt::format("bind: {} is neither an IP address nor unix:///path or unix://@name", in_quotes(bind.value)));
  }
  if (port && is_unix != (port.value == 0)) {
    diagnostics.error(port.node->place(), is_unix ? "number: it is 0 where bind names a Unix socket, which has no ports"
                                                  : "number: 0 is no port; it is for servers that bind a Unix socket");
  }
}

void check_plain_tls(const ServerTls& tls, Diagnostics& diagnostics) {
  if (tls.node == nullptr || tls.node->kind != Node::Kind::mapping) return;
  const bool has_more = std::ranges::any_of(
      tls.node->keys, [&](const Node::Key& key) { return key.text != "httpsRedirect" && tls.node->has(key.text); });
  if (has_more) {
    diagnostics.error(
        tls.node->place(),
        "server cannot have TLS settings for plain text HTTP ports; only httpsRedirect has a meaning there");
  }
}

void check_gateway(const Gateway& gateway, Diagnostics& diagnostics) {
  if (is_empty_list(gateway.spec.node, "servers")) {
    diagnostics.error(gateway.place(), "gateway must have at least one server");
  }
  std::set<std::string_view> names;
  for (const Server& server : gateway.spec.servers) {
    if (const Text& name = server.port.name; name && !names.insert(name.value).second) {
      diagnostics.error(name.node->place(),
                        fmt::format("port names in servers must be unique: duplicate name {}", in_quotes(name.value)));
    }
    check_bind(server.bind, server.port.number, diagnostics);
    if (is_empty_list(server.node, "hosts"))
      diagnostics.error(server.node->place(), "server config must contain at least one host");
    for (const Text& host : server.hosts) check_server_host(host, diagnostics);
    if (is_plain_http(server.port.protocol.value)) {
      check_plain_tls(server.tls, diagnostics);
    } else {
      check_server_tls(server, diagnostics);
    }
  }
}

// --- VirtualService --------------------------------------------------------------------------------

void check_gateway_reference(const Text& gateway, Diagnostics& diagnostics) {
  if (!gateway) return;
  const size_t slash = gateway.value.find('/');
  const bool has_namespace = slash != std::string_view::npos;
  const bool is_valid = is_object_name(has_namespace ? gateway.value.substr(slash + 1) : gateway.value) &&
                        (!has_namespace || is_object_name(gateway.value.substr(0, slash)));
  if (!is_valid) {
    diagnostics.error(gateway.node->place(),
                      fmt::format("{} is not the name of a Gateway: [namespace/]name", in_quotes(gateway.value)));
  }
}

void check_route_name(const Text& name, Diagnostics& diagnostics) {
  if (name.value.size() <= limits::route_name_bytes_max) return;
  diagnostics.error(name.node->place(), fmt::format("name: it is longer than {} bytes", limits::route_name_bytes_max));
}

void check_route(HttpRoute& route, RegexCompiler& regexes, Diagnostics& diagnostics) {
  for (HttpMatch& match : route.match) {
    check_match(match, regexes, diagnostics);
    check_route_name(match.name, diagnostics);
    for (const Text& gateway : match.gateways) check_gateway_reference(gateway, diagnostics);
  }
  const auto has_action = [&](std::string_view action) { return route.node->has(action); };
  check_route_name(route.name, diagnostics);
  check_actions(route, regexes, diagnostics);
  static constexpr std::string_view actions[] = {"redirect", "directResponse", "delegate"};
  const bool has_route = has_action("route") && !is_empty_list(route.node, "route");
  if (route.node->kind == Node::Kind::mapping && !has_route && std::ranges::none_of(actions, has_action)) {
    diagnostics.error(route.node->place(), "HTTP route, redirect or direct_response is required");
  }
  static_cast<void>(compile_header_operations(*route.headers, diagnostics));
  for (const RouteDestination& to : route.route) {
    check_host(to.destination.host, to.destination.host.value, diagnostics);
    static_cast<void>(compile_header_operations(*to.headers, diagnostics));
  }
}

void check_address_block(const Text& written, std::string_view field, Diagnostics& diagnostics) {
  if (!written) return;
  const std::optional<AddressRange> block = address_block(written.value);
  if (!block) {
    diagnostics.error(written.node->place(),
                      fmt::format("{}: {} is neither an IP address nor a CIDR block such as 10.0.0.0/8", field,
                                  in_quotes(written.value)));
  } else if (!AddressRange::parse(written.value)) {
    diagnostics.warning(written.node->place(), fmt::format("{}: {} means {}: bits beyond the prefix say nothing", field,
                                                           in_quotes(written.value), block->to_string()));
  }
}

template <typename Route>
void check_connection_route(const Route& route, Diagnostics& diagnostics) {
  if (is_empty_list(route.node, "route"))
    diagnostics.error(route.node->place(), "TLS/TCP route must have a destination");
  for (const ConnectionDestination& to : route.route) {
    check_host(to.destination.host, to.destination.host.value, diagnostics);
  }
  for (const auto& match : route.match) {
    for (const Text& gateway : match.gateways) check_gateway_reference(gateway, diagnostics);
    for (const Text& subnet : match.destination_subnets) check_address_block(subnet, "destinationSubnets", diagnostics);
  }
}

void check_tls_route(const TlsRoute& route, const snapshot::HostMap& hosts, Diagnostics& diagnostics) {
  check_connection_route(route, diagnostics);
  if (is_empty_list(route.node, "match")) {
    diagnostics.error(route.node->place(), "TLS route must have at least one match condition");
  }
  for (const TlsMatch& match : route.match) {
    if (is_empty_list(match.node, "sniHosts"))
      diagnostics.error(match.node->place(), "TLS match must have at least one SNI host");
    for (const Text& host : match.sni_hosts) {
      if (!host) continue;
      if (wrong_with_host(host.value)) {
        check_host(host, host.value, diagnostics);
      } else if (!hosts.find(normalised_host(host.value))) {
        diagnostics.error(host.node->place(), fmt::format("SNI host {} is not a compatible subset of the virtual "
                                                          "service hosts: no host of the VirtualService covers it",
                                                          in_quotes(host.value)));
      }
    }
  }
}

// A VirtualService without hosts: nothing but routes for others.
void check_delegate(const VirtualService& service, Diagnostics& diagnostics) {
  const VirtualServiceSpec& spec = service.spec;
  if (!spec.gateways.empty()) {
    return diagnostics.error(service.place(),
                             "virtual service must have at least one host; without hosts it is a delegate, which has "
                             "no gateways either");
  }
  if (!spec.tls.empty() || !spec.tcp.empty())
    diagnostics.error(service.place(), "a virtual service without hosts is a delegate, which has http routes only");
  for (const HttpRoute& route : spec.http) {
    if (route.delegate->node != nullptr)
      diagnostics.error(route.delegate->node->place(), "a delegate cannot delegate to another virtual service");
    for (const HttpMatch& match : route.match) {
      if (match.gateways.empty() && match.source_labels.empty() && !match.source_namespace) continue;
      diagnostics.error(match.node->place(), "a match of a delegate has no gateways, sourceLabels and sourceNamespace");
    }
  }
}

void check_virtual_service(VirtualService& service, RegexCompiler& regexes, Diagnostics& diagnostics) {
  VirtualServiceSpec& spec = service.spec;
  if (spec.node == nullptr || spec.node->kind != Node::Kind::mapping) return;
  if (is_delegate(service)) check_delegate(service, diagnostics);
  static constexpr std::string_view kinds_of_routes[] = {"http", "tcp", "tls"};
  const bool has_routes = std::ranges::any_of(
      kinds_of_routes, [&](std::string_view kind) { return spec.node->has(kind) && !is_empty_list(spec.node, kind); });
  if (!has_routes) diagnostics.error(service.place(), "http, tcp or tls must be provided in virtual service");
  for (const Text& host : spec.hosts) check_host(host, host.value, diagnostics);
  for (const Text& gateway : spec.gateways) check_gateway_reference(gateway, diagnostics);
  for (HttpRoute& route : spec.http) check_route(route, regexes, diagnostics);
  for (const TcpRoute& route : spec.tcp) check_connection_route(route, diagnostics);
  if (spec.tls.empty()) return;
  snapshot::HostMap hosts;  // which of them covers a name, wildcards included
  for (const Text& host : spec.hosts) hosts.add(normalised_host(host.value), 0);
  for (const TlsRoute& route : spec.tls) check_tls_route(route, hosts, diagnostics);
}

// --- ServiceEntry ----------------------------------------------------------------------------------

void check_unix_endpoint(const WorkloadEndpoint& endpoint, Diagnostics& diagnostics) {
  const SourcePlace place = endpoint.address.node->place();
  if (!SocketAddress::from_unix(endpoint.address.value)) diagnostics.error(place, wrong_unix_name(endpoint.address));
  if (!endpoint.ports.empty()) diagnostics.error(place, "a Unix socket has no ports: leave `ports` out");
}

void check_endpoint(const WorkloadEndpoint& endpoint, const ServiceEntrySpec& spec, Diagnostics& diagnostics) {
  const Text& address = endpoint.address;
  for (const auto& [name, number] : endpoint.ports) {
    if (!number ||
        std::ranges::any_of(spec.ports, [&](const ServiceEntryPort& port) { return port.name.value == name; }))
      continue;
    diagnostics.error(number.node->place(),
                      fmt::format("endpoint port {} is not defined by the service entry", in_quotes(name)));
  }
  if (!address || is_ip(address.value)) return;
  if (names_unix_socket(address.value)) {
    if (spec.resolution.value != "STATIC")
      diagnostics.error(address.node->place(), "a Unix socket is an endpoint of resolution STATIC only");
    return check_unix_endpoint(endpoint, diagnostics);
  }
  if (spec.resolution.value == "STATIC") {
    return diagnostics.error(address.node->place(),
                             fmt::format("{} is not an IP address, which resolution STATIC needs; "
                                         "resolution DNS takes names",
                                         in_quotes(address.value)));
  }
  check_host(address, address.value, diagnostics);
  if (is_wildcard(address.value))
    diagnostics.error(address.node->place(), "the address of an endpoint cannot be a wildcard");
}

void check_workload_entry(const WorkloadEntry& entry, Diagnostics& diagnostics) {
  const Text& address = entry.spec.address;
  if (!address || is_ip(address.value)) return;
  if (names_unix_socket(address.value)) return check_unix_endpoint(entry.spec, diagnostics);
  check_host(address, address.value, diagnostics);
  if (is_wildcard(address.value))
    diagnostics.error(address.node->place(), "the address of an endpoint cannot be a wildcard");
}

void check_ports(const ServiceEntrySpec& spec, Diagnostics& diagnostics) {
  std::set<std::string_view> names;
  std::set<uint32_t> numbers;
  for (const ServiceEntryPort& port : spec.ports) {
    if (port.name && !names.insert(port.name.value).second) {
      diagnostics.error(port.name.node->place(),
                        fmt::format("service entry port name {} already defined", in_quotes(port.name.value)));
    }
    if (port.number && !numbers.insert(port.number.value).second) {
      diagnostics.error(port.number.node->place(),
                        fmt::format("service entry port {} already defined", port.number.value));
    }
  }
}

bool has_endpoints(const ServiceEntrySpec& spec) {
  return spec.node->has("endpoints") && !is_empty_list(spec.node, "endpoints");
}

void check_endpoints_of_resolution(const ServiceEntrySpec& spec, Diagnostics& diagnostics) {
  const std::string_view resolution = spec.resolution ? spec.resolution.value : std::string_view("NONE");
  const WorkloadLabels& selector = spec.workload_selector;
  const Node* endpoints = spec.node->find("endpoints");
  if (selector.node != nullptr && selector.node->kind == Node::Kind::mapping && selector.labels.empty())
    diagnostics.error(selector.node->place(), "workloadSelector must have at least one label");
  if (selector.node != nullptr && has_endpoints(spec)) {
    diagnostics.error(selector.node->place(),
                      "only one of workloadSelector and endpoints is allowed in a service entry");
  }
  if (resolution == "STATIC" && !has_endpoints(spec) && selector.node == nullptr) {
    diagnostics.error(spec.resolution.node->place(),
                      "endpoints must be provided if service entry resolution is STATIC");
  }
  const bool is_open = resolution == "NONE" || resolution == "DYNAMIC_DNS";
  const std::string told =
      spec.resolution ? fmt::format("resolution {}", resolution) : std::string("resolution NONE, which is the default");
  if (is_open && has_endpoints(spec))
    diagnostics.error(endpoints->place(), fmt::format("no endpoints should be provided for {}", told));
  if ((is_open || resolution == "DNS_ROUND_ROBIN") && selector.node != nullptr) {
    diagnostics.error(selector.node->place(),
                      fmt::format("workloadSelector has no meaning for {}; STATIC takes it", told));
  }
  if (resolution == "DNS_ROUND_ROBIN" && spec.endpoints.size() > 1) {
    diagnostics.error(endpoints->place(),
                      "there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN; DNS takes several");
  }
}

void check_addresses(const ServiceEntrySpec& spec, Diagnostics& diagnostics) {
  const std::string_view resolution = spec.resolution.value;
  for (const Text& address : spec.addresses) {
    check_address_block(address, "addresses", diagnostics);
    if (address.value.contains('/') && (resolution == "DNS" || resolution == "DNS_ROUND_ROBIN"))
      diagnostics.error(address.node->place(), "CIDR addresses are allowed only for NONE/STATIC resolution types");
  }
}

void check_service_entry(const ServiceEntry& entry, Diagnostics& diagnostics) {
  const ServiceEntrySpec& spec = entry.spec;
  if (spec.node == nullptr || spec.node->kind != Node::Kind::mapping) return;
  if (is_empty_list(spec.node, "hosts")) diagnostics.error(entry.place(), "service entry must have at least one host");
  if (spec.hosts.size() > service_entry_hosts_max) {
    diagnostics.error(entry.place(), fmt::format("service entry must have at most {} hosts", service_entry_hosts_max));
  }
  if (is_empty_list(spec.node, "ports")) diagnostics.error(entry.place(), "service entry must have at least one port");
  check_endpoints_of_resolution(spec, diagnostics);
  check_addresses(spec, diagnostics);
  const std::string_view resolution = spec.resolution.value;
  const bool looks_up_hosts = (resolution == "DNS" || resolution == "DNS_ROUND_ROBIN") && !has_endpoints(spec) &&
                              spec.workload_selector.node == nullptr;
  for (const Text& host : spec.hosts) {
    check_host(host, host.value, diagnostics);
    if (host.value == "*") diagnostics.error(host.node->place(), "invalid host *");
    if (host && host.value != "*" && is_wildcard(host.value) && looks_up_hosts) {
      diagnostics.error(host.node->place(),
                        fmt::format("hosts must be FQDN if no endpoints are provided for resolution mode {}; "
                                    "resolution DYNAMIC_DNS looks up what requests ask for",
                                    resolution));
    }
  }
  check_ports(spec, diagnostics);
  for (const WorkloadEndpoint& endpoint : spec.endpoints) check_endpoint(endpoint, spec, diagnostics);
}

// --- DestinationRule -------------------------------------------------------------------------------

// One that is given, and would be zero.
void check_is_long(const TimeSpan& span, std::string_view name, Diagnostics& diagnostics) {
  if (span.node != nullptr && span.value <= Duration::zero())
    diagnostics.error(span.node->place(), fmt::format("{} must be longer than 0s", name));
}

void check_keepalive_time(const TimeSpan& span, std::string_view name, Diagnostics& diagnostics) {
  check_is_long(span, name, diagnostics);
  if (span.value <= limits::keepalive_time_max) return;
  diagnostics.error(span.node->place(), fmt::format("{} is longer than the kernel can wait ({} s)", name,
                                                    limits::keepalive_time_max / std::chrono::seconds(1)));
}

void check_connection_pool(const ConnectionPool& pool, Diagnostics& diagnostics) {
  check_is_long(pool.tcp.connect_timeout, "connectTimeout", diagnostics);
  check_is_long(pool.tcp.max_connection_duration, "maxConnectionDuration", diagnostics);
  check_keepalive_time(pool.tcp.tcp_keepalive.time, "tcpKeepalive.time", diagnostics);
  check_keepalive_time(pool.tcp.tcp_keepalive.interval, "tcpKeepalive.interval", diagnostics);
  check_is_long(pool.http.http2_keep_alive.interval, "http2KeepAlive.interval", diagnostics);
  check_is_long(pool.http.http2_keep_alive.timeout, "http2KeepAlive.timeout", diagnostics);
}

template <typename Policy>
void check_traffic_policy(const Policy& policy, Diagnostics& diagnostics) {
  check_client_tls(policy.tls, diagnostics);
  check_connection_pool(policy.connection_pool, diagnostics);
}

void check_policy_of_all_ports(const TrafficPolicy& policy, Diagnostics& diagnostics) {
  check_traffic_policy(policy, diagnostics);
  std::set<uint32_t> ports;
  for (const PortTrafficPolicy& of_port : policy.port_level_settings) {
    check_traffic_policy(of_port, diagnostics);
    const Number& number = of_port.port.number;
    if (number && !ports.insert(number.value).second)
      diagnostics.error(number.node->place(), fmt::format("portLevelSettings has port {} twice", number.value));
  }
}

// It is a part of the cluster's name.
bool is_subset_name(std::string_view name) noexcept { return is_object_name(to_lower(name)) && !name.contains('.'); }

void check_destination_rule(const DestinationRule& rule, Diagnostics& diagnostics) {
  check_host(rule.spec.host, rule.spec.host.value, diagnostics);
  check_policy_of_all_ports(rule.spec.traffic_policy, diagnostics);
  std::set<std::string_view> names;
  for (const Subset& subset : rule.spec.subsets) {
    check_policy_of_all_ports(subset.traffic_policy, diagnostics);
    if (!subset.name) continue;
    if (!is_subset_name(subset.name.value)) {
      diagnostics.error(
          subset.name.node->place(),
          fmt::format("{} is not the name of a subset: letters, digits and '-'", in_quotes(subset.name.value)));
    } else if (!names.insert(subset.name.value).second) {
      diagnostics.error(subset.name.node->place(),
                        fmt::format("subset {} is defined twice", in_quotes(subset.name.value)));
    }
  }
}

// --- MeshConfig ------------------------------------------------------------------------------------

void check_mesh_config(const MeshConfig& mesh, Diagnostics& diagnostics) {
  const TimeSpan& connect = mesh.connect_timeout;
  if (connect.node != nullptr && connect.value <= Duration::zero())
    diagnostics.error(connect.node->place(), "connectTimeout must be longer than 0s");
}

// --- Kubernetes ------------------------------------------------------------------------------------

void check_service(const Service& service, Diagnostics& diagnostics) {
  const ServiceSpec& spec = service.spec;
  if (const Text& ip = spec.cluster_ip; ip && !ip.value.empty() && ip.value != "None" && !is_ip(ip.value)) {
    diagnostics.error(ip.node->place(),
                      fmt::format("clusterIP: {} is neither an IP address nor None", in_quotes(ip.value)));
  }
  if (spec.type.value != "ExternalName") return;
  if (!spec.node->has("externalName"))
    return diagnostics.error(service.place(), "a Service of type ExternalName needs externalName");
  check_host(spec.external_name, spec.external_name.value, diagnostics);
}

// `family`: "IPv4", "IPv6", or empty: either.
void check_endpoint_address(const Text& address, std::string_view family, Diagnostics& diagnostics) {
  if (!address) return;
  const bool is_v6 = address.value.contains(':');
  if (is_ip(address.value) && (family.empty() || is_v6 == (family == "IPv6"))) return;
  diagnostics.error(address.node->place(), fmt::format("{} is not an {} address", in_quotes(address.value),
                                                       family.empty() ? std::string_view("IP") : family));
}

void check_endpoint_slice(const EndpointSlice& slice, Diagnostics& diagnostics) {
  const std::string_view family = slice.address_type.value;
  if (family != "IPv4" && family != "IPv6") return;
  for (const SliceEndpoint& endpoint : slice.endpoints) {
    if (is_empty_list(endpoint.node, "addresses"))
      diagnostics.error(endpoint.node->place(), "an endpoint must have an address");
    for (const Text& address : endpoint.addresses) check_endpoint_address(address, family, diagnostics);
  }
}

void check_endpoints(const Endpoints& endpoints, Diagnostics& diagnostics) {
  for (const EndpointSubset& subset : endpoints.subsets) {
    for (const EndpointAddress& address : subset.addresses) check_endpoint_address(address.ip, {}, diagnostics);
  }
}

void check_base64(const TextMap& values, std::string_view field, std::string_view field_of_text,
                  Diagnostics& diagnostics) {
  for (const auto& [name, text] : values) {
    std::optional<std::string> bytes = decode_base64(text.value);
    if (bytes) {
      wipe(*bytes);
    } else {
      diagnostics.error(text.node->place(), fmt::format("{}: the value of {} is not base64; {} takes text as it is",
                                                        field, in_quotes(name), field_of_text));
    }
  }
}

void check_secret(const Secret& secret, Diagnostics& diagnostics) {
  check_base64(secret.data, "data", "stringData", diagnostics);
}

void check_config_map(const ConfigMap& map, Diagnostics& diagnostics) {
  check_base64(map.binary_data, "binaryData", "data", diagnostics);
}

template <typename Documents, typename Check>
void validate_each(Documents& documents, Check check, Diagnostics& diagnostics) {
  for (auto& document : documents) {
    const size_t errors_before = diagnostics.error_count();
    check(document, diagnostics);
    if (diagnostics.error_count() != errors_before) document.is_broken = true;
  }
}

}  // namespace

void validate(Model& model, Diagnostics& diagnostics) {
  validate_each(model.gateways, check_gateway, diagnostics);
  RegexCompiler regexes(diagnostics);
  const auto check_service_routes = [&](VirtualService& service, Diagnostics& of_service) {
    check_virtual_service(service, regexes, of_service);
  };
  validate_each(model.virtual_services, check_service_routes, diagnostics);
  validate_each(model.service_entries, check_service_entry, diagnostics);
  validate_each(model.workload_entries, check_workload_entry, diagnostics);
  validate_each(model.destination_rules, check_destination_rule, diagnostics);
  validate_each(model.services, check_service, diagnostics);
  validate_each(model.endpoint_slices, check_endpoint_slice, diagnostics);
  validate_each(model.endpoints, check_endpoints, diagnostics);
  validate_each(model.secrets, check_secret, diagnostics);
  validate_each(model.config_maps, check_config_map, diagnostics);
  validate_each(model.issuers, check_issuer, diagnostics);
  validate_each(model.certificates, check_certificate, diagnostics);
  validate_each(model.revocations, check_revocation, diagnostics);
  check_mesh_config(model.mesh, diagnostics);
}

}  // namespace sluice::config

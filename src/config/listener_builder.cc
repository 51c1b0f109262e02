#include "config/listener_builder.h"

#include "config/host_name.h"
#include "config/labels.h"
#include "config/server_credentials.h"
#include "config/snapshot_hash.h"
#include "config/tls_settings.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace sluice::config {

namespace {

// Servers of one port are of one family.
std::string_view family(const snapshot::Listener& listener) {
  if (listener.is_tls) return "TLS";
  return listener.is_tcp ? "TCP" : "HTTP";
}

std::string_view family(const ServerRole& role) {
  if (role.is_tls) return "TLS";
  return role.kind == snapshot::ServerKind::tcp ? "TCP" : "HTTP";
}

// Whether a Service is in front of the pods that a Gateway is for. Both select pods by labels: when one
// selector includes the other, they mean the same pods.
bool select_same_pods(const TextMap& service, const TextMap& gateway) {
  return !service.empty() && !gateway.empty() && (has_labels(gateway, service) || has_labels(service, gateway));
}

// The Services in front of gateway pods, for Gateways without selector: they are for every gateway pod (gateway.proto).
// Which pods are gateways only the other Gateways tell; when none has a selector, a Service of type LoadBalancer is
// taken for the gateway's.
std::set<const Service*> services_of_any_gateway(const Model& model) {
  const bool is_told =
      std::ranges::any_of(model.gateways, [](const Gateway& some) { return !some.spec.selector.empty(); });
  std::set<const Service*> result;
  for (const Service& service : model.services) {
    const TextMap& selector = service.spec.selector;
    const bool is_selected = std::ranges::any_of(
        model.gateways, [&](const Gateway& some) { return select_same_pods(selector, some.spec.selector); });
    if (is_selected || (!is_told && !selector.empty() && service.spec.type.value == "LoadBalancer"))
      result.insert(&service);
  }
  return result;
}

}  // namespace

std::string server_title(const Gateway& gateway, const Server& server) {
  return fmt::format("server {} of {}", in_quotes(server.port.name.value), gateway.title());
}

ListenerBuilder::ListenerBuilder(const Model& model, Credentials& credentials, snapshot::Snapshot& snapshot,
                                 Diagnostics& diagnostics)
    : model_(model),
      snapshot_(snapshot),
      diagnostics_(diagnostics),
      credentials_(credentials),
      services_of_any_gateway_(services_of_any_gateway(model)) {}

std::vector<BoundServer> ListenerBuilder::build() {
  for (const Gateway& gateway : model_.gateways) {
    if (gateway.is_broken) continue;
    for (const Server& server : gateway.spec.servers) add_server(gateway, server);
  }
  return std::move(servers_);
}

void ListenerBuilder::add_server(const Gateway& gateway, const Server& server) {
  const SocketAddress address = listening_address(gateway, server);
  const ServerRole role(server);
  const bool redirects = server.tls.https_redirect.value && family(role) == "HTTP";
  BoundServer bound{&gateway, &server, 0, role, redirects, 0, {}};
  for (const Text& host : server.hosts) bound.hosts.emplace_back(host.value, gateway.name_space());

  const uint32_t index = find_or_add_listener(address, bound);
  snapshot::Listener& listener = snapshot_.listeners[index];
  if (family(listener) != family(role)) {
    return warn_of_loser(bound, listener_owners_[index],
                         fmt::format("{} speaks {} already", address.to_string(), family(listener)));
  }
  bound.index = static_cast<uint32_t>(snapshot_.gateway_servers.size());
  snapshot_.gateway_servers.push_back({gateway.key(), std::string(server.port.name.value), server.node->place()});
  listener.is_tls ? add_tls(listener, index, std::move(bound)) : add_plain(listener, std::move(bound));
}

uint32_t ListenerBuilder::find_or_add_listener(const SocketAddress& address, const BoundServer& server) {
  const auto [found, is_new] = by_address_.try_emplace(address, static_cast<uint32_t>(snapshot_.listeners.size()));
  if (!is_new) return found->second;
  const Server& written = *server.server;
  snapshot::Listener& listener = snapshot_.listeners.emplace_back();
  listener.address = address;
  listener.service_port = static_cast<uint16_t>(written.port.number.value);
  listener.is_tls = server.role.is_tls;
  listener.is_tcp = !listener.is_tls && server.role.kind == snapshot::ServerKind::tcp;
  listener_owners_.push_back({server.gateway, server.server});
  tls_owners_.emplace_back();
  if (!listener.is_tls) {
    const std::string bind = written.bind.value.empty() ? "" : fmt::format(".{}", written.bind.value);
    listener.route_table = add_table(fmt::format("{}.{}{}", listener.is_tcp ? "tcp" : "http", address.port, bind));
  }
  return found->second;
}

void ListenerBuilder::add_plain(snapshot::Listener& listener, BoundServer server) {
  server.route_table = listener.route_table;
  if (equals_ignoring_case(server.server->port.protocol.value, "GRPC-WEB")) listener.translates_grpc_web = true;
  listener.plain_servers.push_back(server.index);
  servers_.push_back(std::move(server));
}

void ListenerBuilder::add_tls(snapshot::Listener& listener, uint32_t listener_index, BoundServer server) {
  const Gateway& gateway = *server.gateway;
  const Server& written = *server.server;
  // As in Istio, a server that wants a host of an earlier one is left out with all of its hosts.
  for (const ServerHost& host : server.hosts) {
    const std::optional<uint32_t> taken = listener.server_names.find_pattern(host.pattern);
    if (!taken) continue;
    return warn_of_loser(
        server, tls_owners_[listener_index][*taken],
        fmt::format("host {} is served there already on {}", in_quotes(host.pattern), listener.address.to_string()));
  }

  const bool is_http = server.role.kind == snapshot::ServerKind::http;
  server.route_table = add_table(fmt::format("{}.{}.{}.{}.{}", is_http ? "https" : "tls", written.port.number.value,
                                             written.port.name.value, gateway.name(), gateway.name_space()));
  const uint32_t index = static_cast<uint32_t>(listener.tls_servers.size());
  snapshot::TlsServer& tls = listener.tls_servers.emplace_back();
  tls.name = fmt::format("{}/{}/{}", written.port.name.value, gateway.name_space(), gateway.name());
  tls.kind = server.role.kind;
  tls.route_table = server.route_table;
  tls.gateway_server = server.index;
  tls.place = written.node->place();
  const bool is_terminated = tls.kind != snapshot::ServerKind::passthrough;
  Diagnostics said_by_validation;
  tls.settings = tls_settings(is_terminated ? written.tls : ServerTls{}, said_by_validation);
  if (!is_http) tls.settings.alpn.clear();  // what the destination speaks is not known
  if (is_terminated) add_server_credentials(tls, written.tls, gateway, credentials_, diagnostics_);
  tls.identity = tls_identity(tls);
  for (const ServerHost& host : server.hosts) {
    // False where a server names a host twice, perhaps for two namespaces.
    if (listener.server_names.add(host.pattern, index)) tls.hosts.push_back(host.pattern);
  }
  tls_owners_[listener_index].push_back({&gateway, &written});
  servers_.push_back(std::move(server));
}

bool ListenerBuilder::is_in_front_of(const Service& service, const Gateway& gateway) const {
  return gateway.spec.selector.empty() ? services_of_any_gateway_.contains(&service)
                                       : select_same_pods(service.spec.selector, gateway.spec.selector);
}

// What validation has accepted.
SocketAddress ListenerBuilder::listening_address(const Gateway& gateway, const Server& server) {
  const std::string_view bind = server.bind.value.empty() ? std::string_view("0.0.0.0") : server.bind.value;
  if (const auto unix_socket = SocketAddress::from_unix(bind)) return *unix_socket;
  return SocketAddress::from_ip(bind, listening_port(gateway, server)).value();
}

// The Gateway names the port that clients use; the Service in front of the gateway maps it.
uint16_t ListenerBuilder::listening_port(const Gateway& gateway, const Server& server) {
  const uint32_t number = server.port.number.value;
  const Service* first_service = nullptr;
  uint32_t result = number;
  for (const Service& service : model_.services) {
    if (service.is_broken || !is_in_front_of(service, gateway)) continue;
    const auto port =
        std::ranges::find_if(service.spec.ports, [&](const ServicePort& some) { return some.port.value == number; });
    if (port == service.spec.ports.end()) continue;
    uint32_t target = port->target_port.number == 0 ? number : port->target_port.number;
    if (!port->target_port.name.empty()) {
      diagnostics_.warning(
          port->target_port.node->place(),
          fmt::format("targetPort {} is a name of the pods' ports, which sluice does not know: {} listens on {} itself",
                      in_quotes(port->target_port.name), server_title(gateway, server), number));
    }
    if (first_service == nullptr) {
      first_service = &service;
      result = target;
    } else if (target != result) {
      diagnostics_.warning(
          port->node->place(),
          fmt::format("{} maps port {} to {}, but {} came first and maps it to {}: {} listens on {}", service.title(),
                      number, target, first_service->title(), result, server_title(gateway, server), result));
    }
  }
  return static_cast<uint16_t>(result);
}

void ListenerBuilder::warn_of_loser(const BoundServer& loser, const Owner& winner, std::string_view reason) {
  diagnostics_.warning(
      loser.server->node->place(),
      fmt::format("{} is left out: {} ({}) comes first, and {}", server_title(*loser.gateway, *loser.server),
                  server_title(*winner.gateway, *winner.server), winner.server->node->place().to_string(), reason));
}

uint32_t ListenerBuilder::add_table(std::string name) {
  snapshot_.route_tables.emplace_back().name = std::move(name);
  return static_cast<uint32_t>(snapshot_.route_tables.size() - 1);
}

}  // namespace sluice::config

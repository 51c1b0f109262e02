#include "config/outbound_listeners.h"

#include "config/server_credentials.h"
#include "config/snapshot_hash.h"
#include "config/tls_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

namespace sluice::config {

namespace {

// One takes connections of the other, or cannot be bound beside it. "[::]" takes IPv4 too.
bool overlap(const SocketAddress& one, const SocketAddress& other) noexcept {
  return one.is_ip() && other.is_ip() && one.port == other.port &&
         (one.ip == other.ip || one.is_any() || other.is_any());
}

class ListenerAdder {
 public:
  ListenerAdder(const OutboundSettings& settings, Credentials& credentials, snapshot::Snapshot& snapshot,
                Diagnostics& diagnostics)
      : settings_(settings),
        credentials_(credentials),
        snapshot_(snapshot),
        diagnostics_(diagnostics),
        gateway_count_(snapshot.listeners.size()) {}

  void add_proxy();
  void add_redirected();

 private:
  // Null: a Gateway has the port, which is an error.
  [[nodiscard]] snapshot::Listener* add(const SocketAddress& address, snapshot::ListenerRole role, const Node& node);
  [[nodiscard]] snapshot::TlsServer tls_server();

  const OutboundSettings& settings_;
  Credentials& credentials_;
  snapshot::Snapshot& snapshot_;
  Diagnostics& diagnostics_;
  size_t gateway_count_;
};

snapshot::Listener* ListenerAdder::add(const SocketAddress& address, snapshot::ListenerRole role, const Node& node) {
  for (size_t i = 0; i < gateway_count_; ++i) {
    const snapshot::Listener& other = snapshot_.listeners[i];
    if (!overlap(other.address, address)) continue;
    const uint32_t server = other.is_tls ? other.tls_servers.front().gateway_server : other.plain_servers.front();
    diagnostics_.error(node.place(),
                       fmt::format("port {} is taken: Gateway {} ({}) listens on {}", address.port,
                                   snapshot_.gateway_servers[server].gateway,
                                   snapshot_.gateway_servers[server].place.to_string(), other.address.to_string()));
    return nullptr;
  }
  snapshot::Listener& listener = snapshot_.listeners.emplace_back();
  listener.address = address;
  listener.role = role;
  listener.service_port = address.port;
  listener.route_table = snapshot_.outbound->other_ports_table;
  return &listener;
}

// Without its certificate it closes connections, as a Gateway's does, and is never plain.
snapshot::TlsServer ListenerAdder::tls_server() {
  snapshot::TlsServer server;
  server.name = "proxy/" + settings_.document->key();
  server.hosts = {"*"};
  server.route_table = snapshot_.outbound->other_ports_table;
  server.gateway_server = static_cast<uint32_t>(snapshot_.gateway_servers.size() - 1);  // that of outbound traffic
  server.place = settings_.proxy_tls->node->place();
  Diagnostics of_defaults;
  server.settings = tls_settings(*settings_.proxy_tls, of_defaults);
  add_server_credentials(server, *settings_.proxy_tls, *settings_.document, credentials_, diagnostics_);
  server.identity = tls_identity(server);
  return server;
}

void ListenerAdder::add_proxy() {
  std::optional<snapshot::TlsServer> server;
  for (const SocketAddress& address : settings_.proxy_addresses) {
    snapshot::Listener* listener = add(address, snapshot::ListenerRole::proxy, *settings_.proxy_node);
    if (listener == nullptr) return;
    if (!settings_.proxy_tls) continue;
    if (!server) server = tls_server();
    listener->is_tls = true;
    listener->tls_servers.push_back(*server);
    listener->server_names.add("*", 0);
  }
}

void ListenerAdder::add_redirected() {
  for (const std::string_view any : {"0.0.0.0", "::"}) {
    const SocketAddress address = SocketAddress::from_ip(any, settings_.redirected_port).value();
    snapshot::Listener* listener = add(address, snapshot::ListenerRole::redirected, *settings_.redirected_node);
    if (listener == nullptr) return;
    listener->is_transparent = settings_.is_transparent;
  }
}

}  // namespace

void add_outbound_listeners(const OutboundSettings& settings, Credentials& credentials, snapshot::Snapshot& snapshot,
                            Diagnostics& diagnostics) {
  ListenerAdder adder(settings, credentials, snapshot, diagnostics);
  if (settings.proxy_node != nullptr) adder.add_proxy();
  if (settings.redirected_node != nullptr) adder.add_redirected();
}

}  // namespace sluice::config

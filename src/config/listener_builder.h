// From Gateways to listeners: which address each server is on, which TLS servers share a port, and who
// wins where two want the same.
#pragma once

#include "config/credentials.h"
#include "config/diagnostic.h"
#include "config/model.h"
#include "config/server_host.h"
#include "config/server_role.h"
#include "snapshot/snapshot.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace sluice::config {

// A server that is listened for: what VirtualServices are bound to.
struct BoundServer {
  const Gateway* gateway;
  const Server* server;
  uint32_t route_table;
  ServerRole role;
  bool redirects_to_https;
  uint32_t index;  // into Snapshot::gateway_servers
  std::vector<ServerHost> hosts;
};

// `server "https" of Gateway kyma-system/kyma-gateway`
[[nodiscard]] std::string server_title(const Gateway& gateway, const Server& server);

class ListenerBuilder {
 public:
  ListenerBuilder(const Model& model, Credentials& credentials, snapshot::Snapshot& snapshot, Diagnostics& diagnostics);

  // Adds listeners and their route tables, still without virtual hosts, to the snapshot.
  [[nodiscard]] std::vector<BoundServer> build();

 private:
  struct Owner {  // of a listener, or of a host: who came first
    const Gateway* gateway;
    const Server* server;
  };

  void add_server(const Gateway& gateway, const Server& server);
  [[nodiscard]] uint32_t find_or_add_listener(const SocketAddress& address, const BoundServer& server);
  void add_plain(snapshot::Listener& listener, BoundServer server);
  void add_tls(snapshot::Listener& listener, uint32_t listener_index, BoundServer server);
  [[nodiscard]] bool is_in_front_of(const Service& service, const Gateway& gateway) const;
  [[nodiscard]] SocketAddress listening_address(const Gateway& gateway, const Server& server);
  [[nodiscard]] uint16_t listening_port(const Gateway& gateway, const Server& server);
  void warn_of_loser(const BoundServer& loser, const Owner& winner, std::string_view reason);
  [[nodiscard]] uint32_t add_table(std::string name);

  const Model& model_;
  snapshot::Snapshot& snapshot_;
  Diagnostics& diagnostics_;
  Credentials& credentials_;
  const std::set<const Service*> services_of_any_gateway_;
  std::vector<BoundServer> servers_;
  std::map<SocketAddress, uint32_t> by_address_;  // -> index into the listeners
  std::vector<Owner> listener_owners_;            // of each listener
  std::vector<std::vector<Owner>> tls_owners_;    // of each TLS server of each listener
};

}  // namespace sluice::config

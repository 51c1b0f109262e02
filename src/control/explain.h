// What would become of a request: the way that it takes through a snapshot, found by the data plane's own functions
// without a connection. What is random is not drawn: of destinations, endpoints and injected faults all that can come
// is told. Pure; any thread.
//
// Stand-ins for what only a real request has: the request id is all zeros, the date of an answer is "now"; the client
// shows no certificate.
#pragma once

#include "base/address.h"
#include "base/durations.h"
#include "base/result.h"
#include "route/cors.h"
#include "snapshot/snapshot.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::control {

struct ExplainRequest {
  std::string url;  // "https://host[:port]/path?query": the port is the Gateway's, which clients use
  std::string method = "GET";
  std::vector<std::string> fields;  // "Name: value"; one of Host takes the place of the URL's
  SocketAddress client;             // the peer of the connection; its port does not matter
  std::string unix_socket;  // "/path" or "@name" that the client connects to, whatever the URL's port is; empty: none
  WallTime time{};          // for formats that say it
};

using ExplainedFields = std::vector<std::pair<std::string, std::string>>;

// A response of sluice's own.
struct ExplainedAnswer {
  uint16_t status = 0;
  std::string details;  // %RESPONSE_CODE_DETAILS%
  std::string body;
  ExplainedFields fields;
};

struct ExplainedDestination {
  const snapshot::Cluster* cluster = nullptr;
  uint32_t weight = 0;
  double percent = 0;
  std::string server_name;  // SNI, where the cluster has TLS
  // The request as it goes there, or why it does not: what header operations and rewriting came to. HTTP only.
  std::string method;
  std::string target;
  ExplainedFields fields;
  std::optional<ExplainedAnswer> answer;
  ExplainedFields response_fields;  // that the route sets in the response
};

struct Explanation {
  enum class Outcome : uint8_t {
    no_listener,      // nobody listens on that port: the connection is refused
    wrong_protocol,   // https where no TLS is spoken, or the other way round
    no_server,        // no server for this SNI: the connection is closed
    refused,          // `answer`: before a route was looked for, or when its path could not be rewritten
    not_found,        // `answer`: no virtual host, or no route of it
    misdirected,      // `answer`: the Host is another TLS server's
    acme_challenge,   // `answer`: an order of a certificate is under way
    https_redirect,   // `answer`
    redirect,         // `answer`
    direct_response,  // `answer`
    cors_preflight,   // `answer`
    no_cluster,       // `answer`: no destination of the route is known
    fault,            // `answer`: an injected abort that every request gets
    forward,          // to one of `destinations`
    tunnel,           // the bytes go to one of `destinations`
    no_tcp_route,     // the connection is closed
    no_tcp_cluster,   // the connection is closed: no destination of the route is known
  };

  Outcome outcome = Outcome::no_listener;
  uint16_t port = 0;                             // of the URL
  std::string unix_socket;                       // that was asked for instead; empty: none
  const snapshot::Listener* listener = nullptr;  // null: none
  size_t other_listeners = 0;                    // that have the same port on other addresses, and were not looked at
  const snapshot::TlsServer* tls_server = nullptr;          // null: plain, or none fits
  const snapshot::GatewayServer* gateway_server = nullptr;  // of the TLS server or the virtual host; null: none
  std::string server_name;                                  // SNI; empty: none is sent for an IP address
  const snapshot::RouteTable* route_table = nullptr;
  const snapshot::VirtualHost* virtual_host = nullptr;
  const snapshot::RequestMatch* match = nullptr;
  const snapshot::Route* route = nullptr;
  const snapshot::TcpRoute* tcp_route = nullptr;
  route::CorsRequest cors = route::CorsRequest::none;
  std::optional<ExplainedAnswer> answer;
  std::vector<ExplainedDestination> destinations;
};

// Points into the snapshot. Fails on a URL or a field that is none; what the proxy would refuse is an explanation.
[[nodiscard]] Result<Explanation> explain(const snapshot::Snapshot& snapshot, const ExplainRequest& request);

[[nodiscard]] std::string_view text_of(Explanation::Outcome outcome);  // "forward"

}  // namespace sluice::control

// The compiled configuration: flat tables that shards read and nobody writes. Made by config/,
// completed by control/ (TLS contexts, DNS answers), published by snapshot/cell.h. Everything refers to
// everything else by index into the vectors of Snapshot. Immutable once published; any thread may read.
#pragma once

#include "base/address.h"
#include "base/durations.h"
#include "base/source_place.h"
#include "snapshot/host_map.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::tls {
class ServerContext;  // tls/server_context.h; the tables carry it, only tls/ looks inside
}

namespace sluice::snapshot {

// --- Upstream side ---------------------------------------------------------------------------------

struct Endpoint {
  SocketAddress address;
  uint32_t weight = 1;
};

enum class LoadBalancing : uint8_t { least_request, round_robin, random };

// One port of one service (and one subset of it): `outbound|<port>|<subset>|<host>`.
struct Cluster {
  std::string name;               // "outbound|8000||httpbin.default.svc.cluster.local"
  std::string host;               // "httpbin.default.svc.cluster.local"; metrics: destination_service
  std::string service_name;       // "httpbin"; metrics: destination_service_name
  std::string service_namespace;  // "default", or "unknown" for a ServiceEntry outside the cluster
  LoadBalancing load_balancing = LoadBalancing::least_request;
  Duration connect_timeout{};
  std::vector<Endpoint> endpoints;  // empty: 503 UH

  // Names that control/ resolves and whose addresses it puts into `endpoints` before publishing.
  struct DnsName {
    std::string name;
    uint16_t port = 0;
    uint32_t weight = 1;
  };
  std::vector<DnsName> dns_names;
  SourcePlace place;
};

// --- Routing ---------------------------------------------------------------------------------------

struct PathMatch {
  enum class Kind : uint8_t { any, exact, prefix };
  Kind kind = Kind::any;
  std::string text;  // prefix: a plain string prefix, "/foo" matches "/foobar", as in Istio
};

struct WeightedDestination {
  uint32_t cluster = 0;  // index into Snapshot::clusters
  uint32_t weight = 1;
};

struct Route {
  std::string name;                               // for %ROUTE_NAME%; may be empty
  std::vector<PathMatch> matches;                 // OR; never empty
  std::vector<WeightedDestination> destinations;  // empty: a destination that is not known, 503 NC
  uint64_t total_weight = 0;                      // sum over destinations
  Duration timeout{};                             // of the whole response, 504 UT beyond it; zero: none
  SourcePlace place;
};

struct VirtualHost {
  std::string pattern;          // as written: "httpbin.local.kyma.dev", "*.local.kyma.dev", "*"
  bool https_redirect = false;  // 301 to https for every path; the routes are ignored
  std::vector<Route> routes;    // first match wins
  SourcePlace place;
};

// The routes of one TLS server, or of all plain servers of one port.
struct RouteTable {
  std::string name;  // Istio's: "http.8080", "https.443.https.kyma-gateway.kyma-system"
  std::vector<VirtualHost> virtual_hosts;
  HostMap hosts;  // -> index into virtual_hosts
};

// --- Listening -------------------------------------------------------------------------------------

enum class TlsVersion : uint8_t { tls_1_2, tls_1_3 };

// Certificate chain and key, PEM as the Secret has them. The key is wiped when the pair dies, which is
// before the snapshot is published: control/ hands it to tls/ and lets go of it.
struct KeyPair {
  std::string chain_pem;
  std::string key_pem;
  std::string secret_name;  // "istio-system/kyma-gateway-certs"
  SourcePlace place;        // of the Secret

  KeyPair() = default;
  KeyPair(const KeyPair&) = delete;
  KeyPair& operator=(const KeyPair&) = delete;
  ~KeyPair();
};

struct TlsSettings {
  TlsVersion min_version = TlsVersion::tls_1_2;
  TlsVersion max_version = TlsVersion::tls_1_3;
  std::vector<std::string> cipher_suites;  // TLS 1.2, OpenSSL's names, in order of preference; never empty
  std::vector<std::string> alpn{"http/1.1"};
};

// A server that terminates TLS, chosen by SNI.
struct TlsServer {
  std::string name;  // "https/kyma-system/kyma-gateway": port name, namespace, Gateway
  std::vector<std::string> hosts;
  TlsSettings settings;
  uint32_t route_table = 0;
  std::shared_ptr<const KeyPair> key_pair;      // until control/ has made `context`, then null
  std::shared_ptr<tls::ServerContext> context;  // set by control/; null: no usable certificate, connections are closed
  SourcePlace place;
};

// What is known of a certificate that serves: for /certs and /config_dump.
struct CertificateSummary {
  std::string secret_name;
  std::string subject;
  std::string issuer;
  std::string serial;              // hexadecimal
  std::vector<std::string> names;  // DNS names, IP addresses, URIs of subjectAltName
  std::string key_type;            // "RSA-4096", "ECDSA-P256"
  std::string not_before;          // RFC 3339
  std::string not_after;
  std::string fingerprint_sha256;  // hexadecimal
};

struct Listener {
  SocketAddress address;
  uint16_t service_port = 0;  // the Gateway's port number, which `targetPort` may map to address.port
  bool is_tls = false;

  uint32_t route_table = 0;            // plain
  std::vector<TlsServer> tls_servers;  // TLS
  HostMap server_names;                // TLS: SNI -> index into tls_servers; "*" also serves no SNI
};

struct Snapshot {
  uint64_t version = 0;  // counts up with every publication of this process
  std::string hash;      // hexadecimal; equal documents give equal hashes
  std::vector<Listener> listeners;
  std::vector<RouteTable> route_tables;
  std::vector<Cluster> clusters;
  std::vector<CertificateSummary> certificates;
};

}  // namespace sluice::snapshot

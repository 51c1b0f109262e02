// The compiled configuration: flat tables that shards read and nobody writes. Made by config/,
// completed by control/ (TLS contexts, DNS answers), published by snapshot/cell.h. Everything refers to
// everything else by index into the vectors of Snapshot. Immutable once published; any thread may read.
#pragma once

#include "base/address.h"
#include "base/durations.h"
#include "base/limits.h"
#include "base/path_normalization.h"
#include "base/source_place.h"
#include "snapshot/access_log_format.h"
#include "snapshot/acme_challenges.h"
#include "snapshot/cluster_keys.h"
#include "snapshot/connection_terms.h"
#include "snapshot/destination_load.h"
#include "snapshot/gateway_topology.h"
#include "snapshot/header_operations.h"
#include "snapshot/host_map.h"
#include "snapshot/outbound.h"
#include "snapshot/process_settings.h"
#include "snapshot/proxy_protocol.h"
#include "snapshot/requested_target.h"
#include "snapshot/route_actions.h"
#include "snapshot/route_list.h"
#include "snapshot/uses.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::tls {
class ClientContext;  // tls/client_context.h; the tables carry them, only tls/ looks inside
class ServerContext;  // tls/server_context.h
}  // namespace sluice::tls

namespace sluice::snapshot {

// --- TLS, both sides -------------------------------------------------------------------------------

enum class TlsVersion : uint8_t { tls_1_2, tls_1_3 };

// Certificate chain and key, PEM as the Secret or the files have them. The key is wiped when the pair dies,
// which is before the snapshot is published: control/ hands it to tls/ and lets go of it.
struct KeyPair {
  std::string chain_pem;
  std::string key_pem;
  std::string ocsp_staple;            // DER (RFC 6960); empty: none
  std::string secret_name;            // "istio-system/kyma-gateway-certs", or the path of the certificate's file
  SourcePlace place;                  // of the Secret, or of the field that names the file
  std::string chain_name{"tls.crt"};  // the Secret's key, or the field that names the file; for messages
  std::string key_name{"tls.key"};
  bool is_managed = false;  // sluice has obtained it: what is wrong with it is no fault of the documents
  // The certificate answers TLS-ALPN-01: its critical extension (RFC 8737 3) is one that wolfSSL does not know, so
  // certificate and key, which are sluice's own, are not compared.
  bool is_challenge = false;

  KeyPair() = default;
  KeyPair(const KeyPair&) = delete;
  KeyPair& operator=(const KeyPair&) = delete;
  ~KeyPair();
};

using Sha256Digest = std::array<uint8_t, 32>;

// Which certificates are accepted from the other side. All of what is set must hold: a chain to one of the
// CAs, one of the names, and one of the two kinds of hashes.
struct PeerVerification {
  std::string ca_pem;                          // PEM; empty: the system's trust store (upstreams), or missing (servers)
  std::string crl_pem;                         // PEM, several may follow each other; empty: revocation is not checked
  std::vector<std::string> subject_alt_names;  // exactly one of these: DNS names, URIs, IP addresses; empty: any
  std::vector<Sha256Digest> public_key_hashes;   // of the SubjectPublicKeyInfo
  std::vector<Sha256Digest> certificate_hashes;  // of the whole certificate
  std::string source_name;  // "istio-system/kyma-gateway-certs-cacert", for messages; empty: the system's
  SourcePlace place;
};

// --- Upstream side ---------------------------------------------------------------------------------

struct Endpoint {
  SocketAddress address;
  uint32_t weight = 1;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

enum class LoadBalancing : uint8_t { least_request, round_robin, random };

// TLS to the endpoints of a cluster (DestinationRule, trafficPolicy.tls).
struct UpstreamTls {
  std::string name;                         // "DestinationRule default/httpbin", for messages
  std::string server_name;                  // SNI; empty: the request's host
  bool verifies = true;                     // false: insecureSkipVerify
  PeerVerification verification;            // without names: the certificate must be of the server name that was asked
  std::shared_ptr<const KeyPair> key_pair;  // MUTUAL; until control/ has made `context`, then null
  bool is_complete = true;  // false: its Secret is missing, as config/ has reported: there will be no `context`
  bool is_managed = false;  // its Secret is one that sluice obtains
  std::shared_ptr<tls::ClientContext> context;  // set by control/; null: no usable certificate, requests get 503
  std::string identity;  // a digest of the above: a reload that leaves it as it is keeps the connections
  SourcePlace place;
};

// What requests to a cluster are carried by. HTTP/2: with TLS where the upstream chooses it (ALPN), else with prior
// knowledge (RFC 9113 3.3).
enum class UpstreamHttp : uint8_t {
  http1,
  http2,
  as_client,  // the version that the client speaks
};

// One port of one service (and one subset of it): `outbound|<port>|<subset>|<host>`.
struct Cluster {
  std::string name;               // "outbound|8000||httpbin.default.svc.cluster.local"
  std::string host;               // "httpbin.default.svc.cluster.local"; metrics: destination_service
  std::string service_name;       // "httpbin"; metrics: destination_service_name
  std::string service_namespace;  // "default", or "unknown" for a ServiceEntry outside the cluster
  LoadBalancing load_balancing = LoadBalancing::least_request;
  Duration connect_timeout{};
  UpstreamHttp http = UpstreamHttp::http1;
  uint32_t http2_streams_max = limits::http2_streams_max;  // at a time on one connection; the upstream may allow fewer
  ProxyProtocol proxy_protocol = ProxyProtocol::none;
  Resolution resolution = Resolution::configured;
  uint16_t requested_port = 0;      // of requested targets; 0: the one that was asked for
  AddressGuard guard;               // of requested targets
  std::vector<Endpoint> endpoints;  // empty, and they are configured: 503 UH
  ConnectionTerms connection_terms;
  DestinationBounds bounds;               // 503 UO beyond them
  std::shared_ptr<DestinationLoad> load;  // exactly when `bounds` bound anything

  // Names that control/ resolves and whose addresses it puts into `endpoints` before publishing; by_name: the one name.
  struct DnsName {
    std::string name;
    uint16_t port = 0;
    uint32_t weight = 1;
    friend bool operator==(const DnsName&, const DnsName&) = default;
  };
  std::vector<DnsName> dns_names;
  std::optional<UpstreamTls> tls;  // none: plaintext
  SourcePlace place;
};

// --- Routing ---------------------------------------------------------------------------------------

// A document that others of the tables come from, for people.
struct NamedDocument {
  std::string title;  // "VirtualService default/httpbin"
  SourcePlace place;
};

struct WeightedDestination {
  uint32_t cluster = 0;  // index into Snapshot::clusters
  uint32_t weight = 1;
  std::optional<uint32_t> header_operations;  // index into Snapshot::header_operations; before those of the route
};

// At most one of redirect and direct_response; a route without them forwards.
struct Route {
  std::string name;  // for %ROUTE_NAME%; may be empty
  std::shared_ptr<const Redirect> redirect;
  std::shared_ptr<const DirectResponse> direct_response;
  std::vector<WeightedDestination> destinations;  // empty: a destination that is not known, 503 NC
  uint64_t total_weight = 0;                      // sum over destinations
  Duration timeout{};                             // of the whole response, 504 UT beyond it; zero: none
  std::optional<uint32_t> header_operations;      // index into Snapshot::header_operations
  std::shared_ptr<const Rewrite> rewrite;         // null: the path stays
  std::shared_ptr<const RetryPolicy> retries;     // null: RetryPolicy{}
  std::shared_ptr<const Fault> fault;
  std::shared_ptr<const CorsPolicy> cors;
  std::vector<Mirror> mirrors;   // at most limits::mirrors_max + 1
  uint32_t virtual_service = 0;  // index into Snapshot::virtual_services
  SourcePlace place;
};

// %ROUTE_NAME% of what a match of the route has led to it.
[[nodiscard]] inline const std::string& route_name(const Route& route, const RequestMatch& match) noexcept {
  return match.name.empty() ? route.name : match.name;
}

// A route of connections that are not HTTP: the first one wins whose SNI and address match.
struct TcpRoute {
  std::vector<std::string> server_names;  // SNI patterns: "a.b", "*.b"; empty: any, and none
  std::vector<AddressRange> addresses;    // that the client has connected to; empty: any
  bool is_opaque = false;  // outbound, by address: what its connections carry says no name, so nobody looks for one
  std::vector<WeightedDestination> destinations;  // empty: a destination that is not known, connections are closed
  uint64_t total_weight = 0;
  uint32_t virtual_service = 0;  // index into Snapshot::virtual_services
  SourcePlace place;
};

struct VirtualHost {
  std::string pattern;  // as written: "httpbin.local.kyma.dev", "*.local.kyma.dev", "*"
  // 301 to https for every path; the routes are for what came to a trusted proxy in front by https.
  bool https_redirect = false;
  std::optional<uint32_t> route_list;  // index into Snapshot::route_lists; none: no routes
  uint32_t gateway_server = 0;         // index into Snapshot::gateway_servers: the first that has it
  SourcePlace place;
};

// The routes of one TLS server, of all plain servers of one port, or of a port that outbound traffic goes to.
struct RouteTable {
  std::string name;  // Istio's: "http.8080", "https.443.https.kyma-gateway.kyma-system"; outbound: "443"
  std::vector<VirtualHost> virtual_hosts;
  HostMap hosts;  // -> index into virtual_hosts
  std::vector<TcpRoute>
      tcp_routes;  // of servers that are not HTTP, and then there are no virtual hosts; outbound: both
};

// --- Listening -------------------------------------------------------------------------------------

// Whether clients show a certificate: SIMPLE, OPTIONAL_MUTUAL, MUTUAL.
enum class ClientCertificates : uint8_t { none, optional, required };

// What becomes of a server's connections.
enum class ServerKind : uint8_t {
  http,         // terminated, then HTTP
  tcp,          // terminated, then bytes to a destination (protocols TLS and TCP)
  passthrough,  // the TLS of the client goes on to a destination that SNI chooses
};

struct TlsSettings {
  TlsVersion min_version = TlsVersion::tls_1_2;
  TlsVersion max_version = TlsVersion::tls_1_3;
  std::vector<std::string> cipher_suites;           // TLS 1.2, OpenSSL's names, in order of preference; never empty
  std::vector<std::string> alpn{"h2", "http/1.1"};  // empty: nothing is negotiated (servers that are not HTTP)
  ClientCertificates client_certificates = ClientCertificates::none;
  std::optional<PeerVerification> client_verification;  // exactly when client certificates are asked for
};

// Keys for session tickets that several processes share, from the Secret that the Gateway names: 48 or 80
// bytes as in nginx's ticket key files. Wiped with the object.
struct TicketKeys {
  std::string current;
  std::string previous;     // also accepted; empty: none
  std::string secret_name;  // for messages
  SourcePlace place;

  TicketKeys() = default;
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;
  ~TicketKeys();
};

// A credential of a server that sluice obtains; its key pair is there, or not yet.
struct ManagedSecret {
  std::string name;        // "istio-system/kyma-gateway-certs"
  bool is_renewed = true;  // false: it was left behind by a Certificate that the documents do not have any more
};

// A server as its Gateway names it, for people.
struct GatewayServer {
  std::string gateway;  // "kyma-system/kyma-gateway"
  std::string port_name;
  SourcePlace place;
};

// A server behind TLS, chosen by SNI.
struct TlsServer {
  std::string name;  // "https/kyma-system/kyma-gateway": port name, namespace, Gateway
  std::vector<std::string> hosts;
  ServerKind kind = ServerKind::http;
  TlsSettings settings;
  uint32_t route_table = 0;
  uint32_t gateway_server = 0;  // index into Snapshot::gateway_servers
  // These two until control/ has made `context`, then empty. No pairs for passthrough, and none when the Secret of
  // one of them or of the clients' CA is missing: never a server that would let in any client.
  std::vector<std::shared_ptr<const KeyPair>> key_pairs;  // one, or one RSA and one ECDSA
  std::shared_ptr<const TicketKeys> ticket_keys;          // null: the process makes its own
  std::vector<ManagedSecret> managed_secrets;   // until one is there, control/ makes a self-signed certificate
  std::shared_ptr<tls::ServerContext> context;  // set by control/; null: no usable certificate, connections are closed
  // A digest of kind, settings, certificates (of managed ones, the names) and ticket keys: to clients, servers of one
  // listener that have the same are one (route/serving_server.h).
  std::string identity;
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
  bool is_renewed = false;         // by sluice, or made by it for a while
};

// Whose traffic a listener takes.
enum class ListenerRole : uint8_t {
  gateway,     // into the cluster, for the servers of Gateways
  proxy,       // out of it: clients that know it as their HTTP proxy (MeshConfig's proxyHttpPort)
  redirected,  // out of it: clients whose connections the firewall sends here (MeshConfig's proxyListenPort)
};

struct Listener {
  SocketAddress address;
  ListenerRole role = ListenerRole::gateway;
  bool is_transparent = false;  // redirected: by TPROXY, so that the socket has the client's destination
  uint16_t service_port = 0;    // the Gateway's port number, which `targetPort` may map to address.port
  bool is_tls = false;
  bool is_tcp = false;               // plain, and not HTTP: bytes to a destination
  bool translates_grpc_web = false;  // plain: to gRPC

  uint32_t route_table = 0;             // plain
  std::vector<uint32_t> plain_servers;  // plain: that share it, in order; index into Snapshot::gateway_servers
  std::vector<TlsServer> tls_servers;   // TLS
  HostMap server_names;                 // TLS: SNI -> index into tls_servers; "*" also serves no SNI
};

struct Snapshot {
  uint64_t version = 0;  // counts up with every publication of this process
  std::string hash;      // hexadecimal; equal documents give equal hashes
  std::vector<Listener> listeners;
  std::vector<GatewayServer> gateway_servers;
  std::vector<RouteTable> route_tables;
  std::vector<RouteList> route_lists;
  std::vector<Route> routes;
  std::vector<NamedDocument> virtual_services;
  std::vector<Cluster> clusters;
  ClusterKeys cluster_keys;  // set by publication
  std::vector<HeaderOperations> header_operations;
  std::vector<CertificateSummary> certificates;
  std::optional<Outbound> outbound;                  // exactly when there are listeners of outbound traffic
  std::optional<AccessLogFormat> access_log_format;  // none: Istio's default text
  GatewayTopology topology;
  PathNormalization path_normalization = PathNormalization::base;
  ProcessSettings process;
  std::shared_ptr<const AcmeChallenges> challenges;  // null: none are under way. Not part of the hash
  Uses uses;
};

}  // namespace sluice::snapshot

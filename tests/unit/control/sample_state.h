// A process state with something of everything, for the tests of what the admin port shows.
#pragma once

#include "control/process_state.h"
#include "observe/shard_observer.h"
#include "route_tables.h"
#include "snapshot/cell.h"

#include <chrono>
#include <memory>
#include <string>

namespace sluice::control {

// 2026-11-25T10:15:04.250Z
inline constexpr WallTime sample_time{std::chrono::milliseconds(1'795'601'704'250)};

inline std::unique_ptr<snapshot::Snapshot> sample_snapshot() {
  auto snapshot = std::make_unique<snapshot::Snapshot>();
  snapshot->hash = "abc123";
  snapshot::Cluster cluster;
  cluster.name = "outbound|8000||httpbin.default.svc.cluster.local";
  cluster.host = "httpbin.default.svc.cluster.local";
  cluster.service_name = "httpbin";
  cluster.service_namespace = "default";
  cluster.connect_timeout = std::chrono::seconds(10);
  cluster.endpoints.push_back({.address = *SocketAddress::parse("10.0.0.7:8000"), .weight = 1});
  cluster.dns_names.push_back({.name = "httpbin.default.svc.cluster.local", .port = 8000, .weight = 1});
  cluster.tls.emplace();
  cluster.tls->name = "DestinationRule default/httpbin";
  cluster.tls->server_name = "httpbin.test";
  cluster.tls->verification.subject_alt_names = {"httpbin.test"};
  snapshot->clusters.push_back(cluster);

  snapshot->virtual_services.push_back({"VirtualService default/httpbin", {"vs.yaml", 3, 5}});
  snapshot->gateway_servers.push_back({"kyma-system/kyma-gateway", "https", {"gateway.yaml", 10, 5}});
  snapshot::Route route;
  route.name = "main";
  route.destinations.push_back({.cluster = 0, .weight = 1});
  route.timeout = std::chrono::seconds(30);
  snapshot::HeaderOperations operations;
  operations.request.set.push_back({.name = "x-client", .value = {.source = "%REQ(:AUTHORITY)%", .parts = {}}});
  operations.response.remove = {"x-internal"};
  snapshot->header_operations.push_back(operations);
  route.header_operations = 0;
  snapshot::VirtualHost host;
  host.pattern = "httpbin.local.kyma.dev";
  host.route_list = test::add_route_list(*snapshot, {{std::move(route), {test::prefix("/")}}});
  host.place = {.file = "vs.yaml", .line = 3, .column = 5};
  snapshot::RouteTable table;
  table.name = "https.443.https.kyma-gateway.kyma-system";
  table.hosts.add(host.pattern, 0);
  table.virtual_hosts.push_back(host);
  snapshot->route_tables.push_back(table);
  snapshot::TcpRoute tcp_route;
  tcp_route.server_names = {"*.db.local.kyma.dev"};
  tcp_route.destinations.push_back({.cluster = 0, .weight = 1});
  snapshot::RouteTable tcp_table;
  tcp_table.name = "tcp.443";
  tcp_table.tcp_routes.push_back(tcp_route);
  snapshot->route_tables.push_back(tcp_table);

  snapshot::TlsServer server;
  server.name = "https/kyma-system/kyma-gateway";
  server.hosts = {"*.local.kyma.dev"};
  server.settings.cipher_suites = {"ECDHE-RSA-AES128-GCM-SHA256"};
  server.settings.client_certificates = snapshot::ClientCertificates::required;
  server.settings.client_verification.emplace();
  server.settings.client_verification->source_name = "istio-system/kyma-gateway-certs-cacert";
  server.settings.client_verification->crl_pem = "a list";
  server.settings.client_verification->certificate_hashes.emplace_back().fill(0xab);
  snapshot::Listener listener;
  listener.address = *SocketAddress::parse("0.0.0.0:8443");
  listener.service_port = 443;
  listener.is_tls = true;
  listener.server_names.add("*.local.kyma.dev", 0);
  listener.tls_servers.push_back(server);
  snapshot->listeners.push_back(listener);

  snapshot::CertificateSummary certificate;
  certificate.secret_name = "istio-system/kyma-gateway-certs";
  certificate.subject = "CN=\"quoted\\\n\xff";
  certificate.serial = "0a1b";
  certificate.not_after = "2027-02-23T03:26:16Z";
  snapshot->certificates.push_back(certificate);
  return snapshot;
}

// Two shards that have served requests, a live snapshot, a refused reload.
class SampleState {
 public:
  SampleState() {
    count(shards_[0], 200, std::chrono::microseconds(700), 3);
    count(shards_[1], 200, std::chrono::milliseconds(20), 4);
    count(shards_[1], 503, std::chrono::milliseconds(1), 1);
    count_tcp(shards_[0], {}, 1000);
    count_tcp(shards_[1], {}, 2000);
    observe::ResponseFlags refused;
    refused.set(observe::ResponseFlag::upstream_connection_failure);
    count_tcp(shards_[1], refused, 0);
    shards_[0].counters.connections_accepted.add(5);
    shards_[1].counters.connections_accepted.add(6);
    shards_[1].counters.connections_active.add(2);
    state_.set_shards({&shards_[0], &shards_[1]});
    state_.publish(cell_, sample_snapshot());
    state_.record_load(sample_time);
    state_.record_reload(sample_time);
    state_.record_failed_reload(sample_time, {"gateway.yaml:12:5: error: unknown field \"hots\""});
    state_.add_lost_access_log_bytes(17);
    state_.set_phase(Phase::serving);
  }

  ProcessState& operator*() { return state_; }
  ProcessState* operator->() { return &state_; }

 private:
  void count(observe::ShardObserver& shard, uint16_t status, Duration duration, int times) {
    observe::RequestRecord record;
    record.cluster = &cluster_;
    record.status = status;
    record.duration = duration;
    record.bytes_received = 10;
    record.bytes_sent = 1000;
    if (status == 503) record.flags.set(observe::ResponseFlag::upstream_connection_failure);
    for (int i = 0; i < times; ++i) shard.requests.count(record);
  }

  void count_tcp(observe::ShardObserver& shard, observe::ResponseFlags flags, uint64_t bytes) {
    observe::TcpMetrics::Series& series = shard.tcp.series_of(&cluster_, flags);
    series.opened.add(2);
    series.closed.add();
    series.received_bytes.add(bytes);
    series.sent_bytes.add(3 * bytes);
  }

  snapshot::Cluster cluster_ = sample_snapshot()->clusters[0];
  observe::ShardObserver shards_[2];
  snapshot::Cell cell_{2};
  ProcessState state_;
};

}  // namespace sluice::control

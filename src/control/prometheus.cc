#include "control/prometheus.h"

#include <fmt/format.h>

#include <array>
#include <ctime>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>

namespace sluice::control {

namespace {

using observe::RequestMetrics;
using observe::ShardCounters;
using observe::ShardObserver;
using observe::TcpMetrics;
using Shards = std::span<const ShardObserver* const>;

// --- The format: https://prometheus.io/docs/instrumenting/exposition_formats/ ------------------------

class Exposition {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    put("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  // `labels`: name="value",... with values that are escaped already; may be empty.
  template <typename Value>
  void sample(std::string_view name, std::string_view labels, Value value) {
    labels.empty() ? put("{} {}\n", name, value) : put("{}{{{}}} {}\n", name, labels, value);
  }
  template <typename Value>
  void single(std::string_view name, std::string_view type, std::string_view help, Value value) {
    family(name, type, help);
    sample(name, {}, value);
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  template <typename... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }

  std::string text_;
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    c == '\n' ? out += "\\n" : out += c;
  }
  return out;
}

// --- Requests and TCP connections, of all shards together ---------------------------------------------------

struct LabelSet {
  std::string destination_service;
  std::string service_name;
  std::string service_namespace;
  std::string response_flags;
  std::string response_code;  // TCP: empty
  std::string protocol = "http";
  std::string grpc_status{};  // empty: it is not gRPC, or there was none

  friend auto operator<=>(const LabelSet&, const LabelSet&) = default;
};

template <typename Series>
LabelSet labels_of(const Series& series) {
  // "other": what found the shard's table full.
  if (series.is_overflow) return {"other", "other", "other", "other", "other"};
  const auto known = [](const std::string& text) { return text.empty() ? std::string("unknown") : text; };
  const observe::DestinationLabels& destination = series.destination;
  char room[observe::response_flags_text_max];
  LabelSet labels{known(destination.service),
                  known(destination.service_name),
                  known(destination.service_namespace),
                  std::string(observe::write_flags(series.flags, room)),
                  {}};
  if constexpr (requires { series.status; }) {
    labels.response_code = std::to_string(series.status);
    if (series.is_grpc) labels.protocol = "grpc";
    if (series.grpc_status) labels.grpc_status = to_text(*series.grpc_status);
  }
  return labels;
}

template <size_t kBuckets>
struct Buckets {
  std::array<uint64_t, kBuckets> counts{};
  uint64_t sum = 0;

  template <typename Histogram>
  void add(const Histogram& histogram) {
    for (size_t i = 0; i < kBuckets; ++i) counts[i] += histogram.buckets[i].value();
    sum += histogram.sum.value();
  }
};

struct RequestTotals {
  uint64_t requests = 0;
  Buckets<observe::duration_bounds_us.size() + 1> durations_us;
  Buckets<observe::size_bounds.size() + 1> request_bytes;
  Buckets<observe::size_bounds.size() + 1> response_bytes;
};

using Requests = std::map<LabelSet, RequestTotals>;

Requests sum_up(Shards shards) {
  Requests requests;
  for (const ShardObserver* shard : shards) {
    shard->requests.for_each([&requests](const RequestMetrics::Series& series) {
      RequestTotals& totals = requests[labels_of(series)];
      totals.requests += series.requests.value();
      totals.durations_us.add(series.durations_us);
      totals.request_bytes.add(series.request_bytes);
      totals.response_bytes.add(series.response_bytes);
    });
  }
  return requests;
}

// Istio's standard labels, in its order. What only the mesh knows (workloads, principals) is "unknown", and the
// revision "latest", as Istio has it for peers without a sidecar; for the reporter "source" so is the security
// policy; grpc_response_status is empty for what is not gRPC. TCP has neither it nor a code.
std::string text_of(const LabelSet& labels, std::string_view protocol, std::string_view code_labels) {
  return fmt::format(
      "reporter=\"source\",source_workload=\"unknown\",source_canonical_service=\"unknown\","
      "source_canonical_revision=\"latest\",source_workload_namespace=\"unknown\",source_principal=\"unknown\","
      "source_app=\"unknown\",source_version=\"unknown\",source_cluster=\"unknown\","
      "destination_workload=\"unknown\",destination_canonical_service=\"unknown\","
      "destination_canonical_revision=\"latest\",destination_workload_namespace=\"unknown\","
      "destination_principal=\"unknown\",destination_app=\"unknown\",destination_version=\"unknown\","
      "destination_service=\"{}\",destination_service_name=\"{}\",destination_service_namespace=\"{}\","
      "destination_cluster=\"unknown\",request_protocol=\"{}\",{}response_flags=\"{}\","
      "connection_security_policy=\"unknown\"",
      escaped(labels.destination_service), escaped(labels.service_name), escaped(labels.service_namespace), protocol,
      code_labels, labels.response_flags);
}

std::string request_labels(const LabelSet& labels) {
  return text_of(
      labels, labels.protocol,
      fmt::format("response_code=\"{}\",grpc_response_status=\"{}\",", labels.response_code, labels.grpc_status));
}

// `unit`: how many of the counted unit make one of the exposed unit.
template <size_t kBounds>
void put_histogram(Exposition& out, std::string_view name, const std::string& labels,
                   const std::array<uint64_t, kBounds>& bounds, const Buckets<kBounds + 1>& buckets, double unit) {
  const std::string bucket_name = fmt::format("{}_bucket", name);
  uint64_t count = 0;
  for (size_t i = 0; i < kBounds; ++i) {
    count += buckets.counts[i];
    out.sample(bucket_name, fmt::format("{},le=\"{}\"", labels, static_cast<double>(bounds[i]) / unit), count);
  }
  count += buckets.counts[kBounds];
  out.sample(bucket_name, labels + ",le=\"+Inf\"", count);
  out.sample(fmt::format("{}_sum", name), labels, static_cast<double>(buckets.sum) / unit);
  out.sample(fmt::format("{}_count", name), labels, count);
}

void put_requests(Exposition& out, Shards shards) {
  const Requests requests = sum_up(shards);
  out.family("istio_requests_total", "counter", "Requests that have ended.");
  for (const auto& [labels, totals] : requests)
    out.sample("istio_requests_total", request_labels(labels), totals.requests);
  out.family("istio_request_duration_milliseconds", "histogram", "From a request's first byte to its response's last.");
  for (const auto& [labels, totals] : requests) {
    put_histogram(out, "istio_request_duration_milliseconds", request_labels(labels), observe::duration_bounds_us,
                  totals.durations_us, 1000);
  }
  out.family("istio_request_bytes", "histogram", "Content of requests.");
  for (const auto& [labels, totals] : requests) {
    put_histogram(out, "istio_request_bytes", request_labels(labels), observe::size_bounds, totals.request_bytes, 1);
  }
  out.family("istio_response_bytes", "histogram", "Content of responses.");
  for (const auto& [labels, totals] : requests) {
    put_histogram(out, "istio_response_bytes", request_labels(labels), observe::size_bounds, totals.response_bytes, 1);
  }
}

struct TcpTotals {
  uint64_t opened = 0;
  uint64_t closed = 0;
  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;
};

void put_tcp(Exposition& out, Shards shards) {
  std::map<LabelSet, TcpTotals> connections;
  for (const ShardObserver* shard : shards) {
    shard->tcp.for_each([&connections](const TcpMetrics::Series& series) {
      TcpTotals& totals = connections[labels_of(series)];
      totals.opened += series.opened.value();
      totals.closed += series.closed.value();
      totals.received_bytes += series.received_bytes.value();
      totals.sent_bytes += series.sent_bytes.value();
    });
  }
  const auto put = [&](std::string_view name, std::string_view help, uint64_t TcpTotals::* total) {
    out.family(name, "counter", help);
    for (const auto& [labels, totals] : connections) out.sample(name, text_of(labels, "tcp", {}), totals.*total);
  };
  put("istio_tcp_connections_opened_total", "Connections without HTTP that were opened.", &TcpTotals::opened);
  put("istio_tcp_connections_closed_total", "Connections without HTTP that have ended.", &TcpTotals::closed);
  put("istio_tcp_received_bytes_total", "Bytes from the clients of such connections.", &TcpTotals::received_bytes);
  put("istio_tcp_sent_bytes_total", "Bytes to the clients of such connections.", &TcpTotals::sent_bytes);
}

// --- Counters of the shards -------------------------------------------------------------------------------

struct ShardMetric {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  Counter ShardCounters::* counter;
};

constexpr ShardMetric kShardMetrics[] = {
    {"sluice_downstream_connections_total", "counter", "Connections accepted from clients.",
     &ShardCounters::connections_accepted},
    {"sluice_proxy_header_failures_total", "counter",
     "Connections that ended because they did not begin with the PROXY header that was expected.",
     &ShardCounters::proxy_header_failures},
    {"sluice_admission_pauses_total", "counter", "Times that accepting paused because of a limit.",
     &ShardCounters::admission_pauses},
    {"sluice_tls_handshakes_total", "counter", "TLS handshakes completed with clients.",
     &ShardCounters::tls_handshakes},
    {"sluice_tls_handshakes_resumed_total", "counter", "TLS handshakes with clients that resumed a session.",
     &ShardCounters::tls_handshakes_resumed},
    {"sluice_tls_handshake_failures_total", "counter", "TLS handshakes with clients that failed.",
     &ShardCounters::tls_handshake_failures},
    {"sluice_tls_handshakes_active", "gauge", "TLS handshakes under way.", &ShardCounters::tls_handshakes_active},
    {"sluice_upstream_connections_total", "counter", "Connections opened to upstreams.",
     &ShardCounters::upstream_connections_opened},
    {"sluice_upstream_connections_active", "gauge", "Open connections to upstreams.",
     &ShardCounters::upstream_connections_active},
    {"sluice_upstream_connect_failures_total", "counter", "Connections to upstreams that could not be opened.",
     &ShardCounters::upstream_connect_failures},
    {"sluice_upstream_reuses_total", "counter", "Requests sent on an upstream connection that was open already.",
     &ShardCounters::upstream_reuses},
    {"sluice_upstream_retries_total", "counter", "Requests sent again after a failure.",
     &ShardCounters::upstream_retries},
    {"sluice_mirrored_requests_total", "counter", "Copies of requests that were sent to mirrors.",
     &ShardCounters::mirrored_requests},
    {"sluice_mirrored_requests_active", "gauge", "Copies of requests under way.",
     &ShardCounters::mirrored_requests_active},
    {"sluice_mirrored_requests_lost_total", "counter",
     "Copies of requests that were not sent: too long, too many, or the mirror could not be reached.",
     &ShardCounters::mirrored_requests_lost},
    {"sluice_downstream_received_bytes_total", "counter", "Bytes received from clients.",
     &ShardCounters::downstream_bytes_received},
    {"sluice_downstream_sent_bytes_total", "counter", "Bytes sent to clients.", &ShardCounters::downstream_bytes_sent},
    {"sluice_upstream_received_bytes_total", "counter", "Bytes received from upstreams.",
     &ShardCounters::upstream_bytes_received},
    {"sluice_upstream_sent_bytes_total", "counter", "Bytes sent to upstreams.", &ShardCounters::upstream_bytes_sent},
    {"sluice_spliced_bytes_total", "counter", "Bytes moved without a copy through user space.",
     &ShardCounters::spliced_bytes},
    {"sluice_tunnels_active", "gauge", "Connections that carry bytes and no HTTP: upgraded, TCP, TLS passthrough.",
     &ShardCounters::tunnels_active},
    {"sluice_receive_buffers_exhausted_total", "counter",
     "Turns of a loop that needed more receive buffers than there may be.", &ShardCounters::receive_buffers_exhausted},
    {"sluice_ring_completion_overflows_total", "counter", "Overflows of a completion queue.",
     &ShardCounters::completion_overflows},
};

// One sample per shard: how evenly the work is spread, and whether every shard is alive.
constexpr ShardMetric kPerShardMetrics[] = {
    {"sluice_downstream_connections_active", "gauge", "Open connections of clients.",
     &ShardCounters::connections_active},
    {"sluice_requests_active", "gauge", "Requests under way.", &ShardCounters::requests_active},
    {"sluice_loop_turns_total", "counter", "Turns of the shard's event loop.", &ShardCounters::loop_turns},
};

void put_shards(Exposition& out, Shards shards) {
  out.single("sluice_shards", "gauge", "Shards of this process.", shards.size());
  for (const ShardMetric& metric : kShardMetrics) {
    uint64_t sum = 0;
    for (const ShardObserver* shard : shards) sum += (shard->counters.*metric.counter).value();
    out.single(metric.name, metric.type, metric.help, sum);
  }
  for (const ShardMetric& metric : kPerShardMetrics) {
    out.family(metric.name, metric.type, metric.help);
    for (size_t i = 0; i < shards.size(); ++i) {
      out.sample(metric.name, fmt::format("shard=\"{}\"", i), (shards[i]->counters.*metric.counter).value());
    }
  }
  uint64_t dropped_lines = 0;
  for (const ShardObserver* shard : shards) dropped_lines += shard->access_log.dropped_count();
  out.single("sluice_access_log_dropped_lines_total", "counter", "Lines that found a shard's buffer full.",
             dropped_lines);
}

// --- Configuration, certificates, process -------------------------------------------------------------------

double seconds_of(WallTime time) { return static_cast<double>(to_milliseconds(time.time_since_epoch())) / 1000; }

void put_reloads(Exposition& out, const ReloadHistory& reloads) {
  out.family("sluice_config_reload_total", "counter", "Reloads of the configuration since the start.");
  out.sample("sluice_config_reload_total", "result=\"success\"", reloads.success_count);
  out.sample("sluice_config_reload_total", "result=\"failure\"", reloads.failure_count);
  out.single("sluice_config_last_reload_successful", "gauge", "Whether the last reload was taken over.",
             reloads.was_last_successful ? 1 : 0);
  out.single("sluice_config_last_success_timestamp_seconds", "gauge", "When the live configuration was loaded.",
             seconds_of(reloads.last_success));
}

// RFC 3339, UTC, as certs/ writes it.
std::optional<int64_t> seconds_of(const std::string& text) {
  tm utc{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  if (end == nullptr) return std::nullopt;
  return timegm(&utc);
}

void put_snapshot(Exposition& out, const snapshot::Snapshot& snapshot) {
  out.family("sluice_config_info", "gauge", "The live configuration: the hash of its documents, its version here.");
  out.sample("sluice_config_info", fmt::format("hash=\"{}\",version=\"{}\"", escaped(snapshot.hash), snapshot.version),
             1);
  out.family("sluice_certificate_expiry_timestamp_seconds", "gauge", "notAfter of a certificate that serves.");
  for (const snapshot::CertificateSummary& certificate : snapshot.certificates) {
    const std::optional<int64_t> expiry = seconds_of(certificate.not_after);
    if (!expiry) continue;
    out.sample(
        "sluice_certificate_expiry_timestamp_seconds",
        fmt::format("secret=\"{}\",serial=\"{}\"", escaped(certificate.secret_name), escaped(certificate.serial)),
        *expiry);
  }
}

// As Gardener's cert-controller-manager names them.
void put_managed_certificates(Exposition& out, const renewal::Report& report) {
  out.single("cert_management_acme_account_registrations", "counter", "ACME accounts that were made.",
             report.registrations);
  out.family("cert_management_acme_orders", "counter", "ACME orders that have ended.");
  for (const auto& [order, count] : report.orders) {
    out.sample("cert_management_acme_orders",
               fmt::format("issuer=\"{}\",success=\"{}\",dns_challenges=\"{}\",renew=\"{}\"", escaped(order.issuer),
                           order.success, order.uses_dns_01, order.is_renewal),
               count);
  }
  out.single("cert_management_acme_active_dns_challenges", "gauge", "TXT records that orders have made.",
             report.active_dns_challenges);
  out.single("cert_management_cert_entries", "gauge", "Managed certificates.", report.certificates.size());
  out.single("cert_management_secrets", "gauge", "Secrets that were issued.", report.secrets);
  uint64_t overdue = 0;
  uint64_t revoked = 0;
  out.family("cert_management_cert_object_expire", "gauge", "When a managed certificate expires, Unix time.");
  for (const renewal::CertificateReport& certificate : report.certificates) {
    if (certificate.is_overdue) ++overdue;
    if (certificate.state == renewal::State::revoked) ++revoked;
    if (!certificate.expiration) continue;
    const size_t slash = certificate.certificate.find('/');
    out.sample("cert_management_cert_object_expire",
               fmt::format("namespace=\"{}\",name=\"{}\"", escaped(certificate.certificate.substr(0, slash)),
                           escaped(certificate.certificate.substr(slash + 1))),
               std::chrono::duration_cast<std::chrono::seconds>(certificate.expiration->time_since_epoch()).count());
  }
  out.single("cert_management_overdue_renewal_certificates", "gauge",
             "Managed certificates that should have been renewed by now.", overdue);
  out.single("cert_management_revoked_certificates", "gauge", "Managed certificates that were revoked.", revoked);
}

void put_process(Exposition& out, const ProcessFacts& process) {
  out.single("process_cpu_seconds_total", "counter", "User and system CPU time.", process.cpu_seconds);
  out.single("process_resident_memory_bytes", "gauge", "Resident memory.", process.resident_bytes);
  out.single("process_virtual_memory_bytes", "gauge", "Virtual memory.", process.virtual_bytes);
  out.single("process_open_fds", "gauge", "Open file descriptors.", process.open_descriptors);
  out.single("process_max_fds", "gauge", "Limit of open file descriptors.", process.descriptors_max);
  out.single("process_start_time_seconds", "gauge", "Start of the process, Unix time.", process.start_time_seconds);
}

}  // namespace

std::string to_prometheus(const ProcessState::View& view, const ProcessFacts& process,
                          const renewal::Report& certificates) {
  Exposition out;
  put_requests(out, view.shards);
  put_tcp(out, view.shards);
  put_shards(out, view.shards);
  out.single("sluice_access_log_lost_bytes_total", "counter", "Bytes that could not be written to the access log.",
             view.access_log_lost_bytes);
  out.single("sluice_ready", "gauge", "Whether requests are served: not before the start is over, nor while draining.",
             view.phase == Phase::serving ? 1 : 0);
  put_reloads(out, view.reloads);
  if (view.snapshot != nullptr) put_snapshot(out, *view.snapshot);
  out.family("sluice_build_info", "gauge", "The program's version.");
  out.sample("sluice_build_info", "version=\"" SLUICE_VERSION "\"", 1);
  put_managed_certificates(out, certificates);
  put_process(out, process);
  return out.take();
}

}  // namespace sluice::control

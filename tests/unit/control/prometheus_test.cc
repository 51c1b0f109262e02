#include "control/prometheus.h"

#include "sample_state.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace sluice::control {
namespace {

std::string text_of(const ProcessState& state) {
  const ProcessFacts process{.resident_bytes = 1000,
                             .virtual_bytes = 2000,
                             .cpu_seconds = 1.5,
                             .start_time_seconds = 1795601704.25,
                             .open_descriptors = 12,
                             .descriptors_max = 20000};
  renewal::Report certificates;
  certificates.orders[{.issuer = "default/acme", .success = true, .uses_dns_01 = false, .is_renewal = true}] = 3;
  certificates.certificates.push_back({.certificate = "istio-system/web",
                                       .secret = {},
                                       .issuer = {},
                                       .message = {},
                                       .common_name = {},
                                       .dns_names = {},
                                       .expiration = WallTime(std::chrono::seconds(1'800'000'000)),
                                       .is_overdue = true});
  return state.look([&](const ProcessState::View& view) { return to_prometheus(view, process, certificates); });
}

bool has_line(const std::string& text, const std::string& line) { return ("\n" + text).contains("\n" + line + "\n"); }

constexpr const char* kLabels200 =
    "reporter=\"source\",source_workload=\"unknown\",source_canonical_service=\"unknown\","
    "source_canonical_revision=\"latest\",source_workload_namespace=\"unknown\",source_principal=\"unknown\","
    "source_app=\"unknown\",source_version=\"unknown\",source_cluster=\"unknown\",destination_workload=\"unknown\","
    "destination_canonical_service=\"unknown\",destination_canonical_revision=\"latest\","
    "destination_workload_namespace=\"unknown\",destination_principal=\"unknown\",destination_app=\"unknown\","
    "destination_version=\"unknown\",destination_service=\"httpbin.default.svc.cluster.local\","
    "destination_service_name=\"httpbin\",destination_service_namespace=\"default\",destination_cluster=\"unknown\","
    "request_protocol=\"http\",response_code=\"200\",grpc_response_status=\"\",response_flags=\"-\",connection_"
    "security_policy=\"unknown\"";

TEST(Prometheus, NamesManagedCertificatesAsTheControllerDoes) {
  SampleState state;
  const std::string text = text_of(*state);
  EXPECT_TRUE(has_line(text,
                       "cert_management_acme_orders{issuer=\"default/acme\",success=\"true\",dns_challenges=\"false\","
                       "renew=\"true\"} 3"));
  EXPECT_TRUE(has_line(text, "cert_management_cert_object_expire{namespace=\"istio-system\",name=\"web\"} 1800000000"));
  EXPECT_TRUE(has_line(text, "cert_management_overdue_renewal_certificates 1"));
  EXPECT_TRUE(has_line(text, "cert_management_revoked_certificates 0"));
}

TEST(Prometheus, AddsUpTheRequestsOfAllShards) {
  SampleState state;
  const std::string text = text_of(*state);
  const std::string labels = kLabels200;
  EXPECT_TRUE(has_line(text, "istio_requests_total{" + labels + "} 7")) << text;
  EXPECT_TRUE(
      text.contains("response_code=\"503\",grpc_response_status=\"\",response_flags=\"UF\",connection_security_policy="
                    "\"unknown\"} 1\n"));
}

TEST(Prometheus, AddsUpTheTcpConnectionsOfAllShards) {
  SampleState state;
  const std::string text = text_of(*state);
  std::string labels = kLabels200;
  labels.replace(labels.find("request_protocol"), labels.find("response_flags") - labels.find("request_protocol"),
                 "request_protocol=\"tcp\",");
  EXPECT_TRUE(has_line(text, "istio_tcp_connections_opened_total{" + labels + "} 4")) << text;
  EXPECT_TRUE(has_line(text, "istio_tcp_connections_closed_total{" + labels + "} 2")) << text;
  EXPECT_TRUE(has_line(text, "istio_tcp_received_bytes_total{" + labels + "} 3000")) << text;
  EXPECT_TRUE(has_line(text, "istio_tcp_sent_bytes_total{" + labels + "} 9000")) << text;
  labels.replace(labels.find("response_flags=\"-\""), 18, "response_flags=\"UF\"");
  EXPECT_TRUE(has_line(text, "istio_tcp_connections_closed_total{" + labels + "} 1")) << text;
}

TEST(Prometheus, HasCumulativeBuckets) {
  SampleState state;
  const std::string text = text_of(*state);
  const std::string labels = kLabels200;
  const std::string name = "istio_request_duration_milliseconds";
  const auto bucket = [&](const std::string& bound) { return name + "_bucket{" + labels + ",le=\"" + bound + "\"} "; };
  EXPECT_TRUE(has_line(text, bucket("0.5") + "0"));
  EXPECT_TRUE(has_line(text, bucket("1") + "3"));
  EXPECT_TRUE(has_line(text, bucket("10") + "3"));
  EXPECT_TRUE(has_line(text, bucket("25") + "7"));
  EXPECT_TRUE(has_line(text, bucket("3600000") + "7"));
  EXPECT_TRUE(has_line(text, bucket("+Inf") + "7"));
  EXPECT_TRUE(has_line(text, name + "_sum{" + labels + "} 82.1"));
  EXPECT_TRUE(has_line(text, name + "_count{" + labels + "} 7"));
  EXPECT_TRUE(has_line(text, "istio_response_bytes_sum{" + labels + "} 7000"));
  EXPECT_TRUE(has_line(text, "istio_request_bytes_bucket{" + labels + ",le=\"100\"} 7"));
}

TEST(Prometheus, ShowsShardsReloadsTheSnapshotAndTheProcess) {
  SampleState state;
  const std::string text = text_of(*state);
  for (const char* line : {
           "sluice_downstream_connections_total 11",
           "sluice_downstream_connections_active{shard=\"0\"} 0",
           "sluice_downstream_connections_active{shard=\"1\"} 2",
           "sluice_shards 2",
           "sluice_ready 1",
           "sluice_config_reload_total{result=\"success\"} 1",
           "sluice_config_reload_total{result=\"failure\"} 1",
           "sluice_config_last_reload_successful 0",
           "sluice_config_last_success_timestamp_seconds 1795601704.25",
           "sluice_config_info{hash=\"abc123\",version=\"1\"} 1",
           "sluice_certificate_expiry_timestamp_seconds{secret=\"istio-system/kyma-gateway-certs\",serial=\"0a1b\"} "
           "1803353176",
           "sluice_access_log_lost_bytes_total 17",
           "sluice_access_log_dropped_lines_total 0",
           "sluice_build_info{version=\"" SLUICE_VERSION "\"} 1",
           "process_resident_memory_bytes 1000",
           "process_cpu_seconds_total 1.5",
           "process_start_time_seconds 1795601704.25",
       }) {
    EXPECT_TRUE(has_line(text, line)) << line;
  }
}

TEST(Prometheus, IsThereBeforeThereIsAnythingToShow) {
  const ProcessState state;
  const std::string text = text_of(state);
  EXPECT_TRUE(has_line(text, "sluice_ready 0"));
  EXPECT_TRUE(has_line(text, "sluice_shards 0"));
  EXPECT_FALSE(text.contains("sluice_config_info"));
}

TEST(Prometheus, EscapesLabelValues) {
  ProcessState state;
  observe::ShardObserver shard;
  snapshot::Cluster cluster;
  cluster.host = "a\"b\\c\nd";
  observe::RequestRecord record;
  record.cluster = &cluster;
  shard.requests.count(record);
  state.set_shards({&shard});
  EXPECT_TRUE(text_of(state).contains(R"(destination_service="a\"b\\c\nd")"));
}

TEST(Prometheus, CallsWhatFoundTheTableFullOther) {
  ProcessState state;
  observe::ShardObserver shard;
  observe::RequestRecord record;
  for (unsigned i = 0; i < limits::metric_label_sets_max + 5; ++i) {
    record.status = static_cast<uint16_t>(i);
    shard.requests.count(record);
  }
  state.set_shards({&shard});
  EXPECT_TRUE(text_of(state).contains(
      "destination_service=\"other\",destination_service_name=\"other\",destination_service_namespace="
      "\"other\",destination_cluster=\"unknown\",request_protocol=\"http\",response_code=\"other\","
      "grpc_response_status=\"\",response_flags=\"other\","
      "connection_security_policy=\"unknown\"} 6\n"));
}

// The rules of `promtool check metrics`: HELP and TYPE once and before the samples of a family, families
// in one piece, names and labels well formed, no sample twice, counters end in _total.
TEST(Prometheus, IsAWellFormedExposition) {
  SampleState state;
  std::istringstream lines(text_of(*state));
  const std::regex sample("([a-z_]+)(\\{([a-z_]+=\"([^\"\\\\\n]|\\\\[\\\\\"n])*\"(,|(?=\\})))+\\})? ([0-9.e+-]+)");
  std::map<std::string, std::string> types;
  std::set<std::string> seen;
  std::string family;
  std::string helped;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash;
    std::string kind;
    std::string name;
    if (line.starts_with("#")) {
      words >> hash >> kind >> name;
      if (kind == "HELP") {
        helped = name;
        continue;
      }
      ASSERT_EQ(kind, "TYPE") << line;
      ASSERT_EQ(helped, name) << "HELP stands before TYPE";
      ASSERT_FALSE(types.contains(name)) << name << " twice";
      words >> types[name];
      family = name;
      // Gardener's names are what they are.
      if (!name.starts_with("cert_management_")) {
        EXPECT_EQ(types[name] == "counter", name.ends_with("_total")) << name;
      }
      continue;
    }
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
    name = match[1];
    if (types[family] == "histogram") {
      ASSERT_TRUE(name == family + "_bucket" || name == family + "_sum" || name == family + "_count") << line;
    } else {
      ASSERT_EQ(name, family) << line;
    }
    ASSERT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;
  }
  EXPECT_GT(types.size(), 30U);
}

}  // namespace
}  // namespace sluice::control

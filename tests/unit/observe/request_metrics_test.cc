#include "observe/request_metrics.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

namespace sluice::observe {
namespace {

using Series = RequestMetrics::Series;

snapshot::Cluster cluster_named(const std::string& host) {
  snapshot::Cluster cluster;
  cluster.name = "outbound|80||" + host;
  cluster.host = host;
  cluster.service_name = host.substr(0, host.find('.'));
  cluster.service_namespace = "default";
  return cluster;
}

RequestRecord record_for(const snapshot::Cluster* cluster, uint16_t status) {
  RequestRecord record;
  record.cluster = cluster;
  record.status = status;
  return record;
}

std::vector<const Series*> all_of(const RequestMetrics& metrics) {
  std::vector<const Series*> all;
  metrics.for_each([&all](const Series& series) { all.push_back(&series); });
  return all;
}

TEST(RequestMetrics, StartsWithoutAnySeries) { EXPECT_TRUE(all_of(RequestMetrics()).empty()); }

TEST(RequestMetrics, TellsStatusesOfGrpcApart) {
  RequestMetrics metrics;
  const auto cluster = cluster_named("a.default");
  RequestRecord record = record_for(&cluster, 200);
  metrics.count(record);
  record.is_grpc = true;
  metrics.count(record);
  record.grpc_status = GrpcStatus::ok;
  metrics.count(record);
  record.grpc_status = GrpcStatus::unavailable;
  metrics.count(record);
  metrics.count(record);
  const auto all = all_of(metrics);
  ASSERT_EQ(all.size(), 4U);
  for (const Series* series : all)
    EXPECT_EQ(series->requests.value(), series->grpc_status == GrpcStatus::unavailable ? 2U : 1U);
}

TEST(RequestMetrics, CountsEqualLabelsTogether) {
  RequestMetrics metrics;
  const auto cluster = cluster_named("httpbin.default.svc.cluster.local");
  for (int i = 0; i < 3; ++i) metrics.count(record_for(&cluster, 200));
  const auto all = all_of(metrics);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]->requests.value(), 3U);
  EXPECT_EQ(all[0]->destination.service, "httpbin.default.svc.cluster.local");
  EXPECT_EQ(all[0]->destination.service_name, "httpbin");
  EXPECT_EQ(all[0]->destination.service_namespace, "default");
  EXPECT_EQ(all[0]->status, 200);
  EXPECT_TRUE(all[0]->flags.none());
  EXPECT_FALSE(all[0]->is_overflow);
}

TEST(RequestMetrics, TellsServicesCodesAndFlagsApart) {
  RequestMetrics metrics;
  const auto a = cluster_named("a.default");
  const auto b = cluster_named("b.default");
  metrics.count(record_for(&a, 200));
  metrics.count(record_for(&b, 200));
  metrics.count(record_for(&a, 503));
  RequestRecord failed = record_for(&a, 503);
  failed.flags.set(ResponseFlag::upstream_connection_failure);
  metrics.count(failed);
  metrics.count(record_for(nullptr, 404));
  EXPECT_EQ(all_of(metrics).size(), 5U);
  for (const Series* series : all_of(metrics)) EXPECT_EQ(series->requests.value(), 1U);
}

// A cluster of a new snapshot may lie where one of an old snapshot lay.
TEST(RequestMetrics, GoesByNamesAndNotByAddresses) {
  RequestMetrics metrics;
  snapshot::Cluster cluster = cluster_named("a.default");
  metrics.count(record_for(&cluster, 200));
  cluster = cluster_named("b.default");
  metrics.count(record_for(&cluster, 200));
  const snapshot::Cluster elsewhere = cluster_named("a.default");
  metrics.count(record_for(&elsewhere, 200));
  const auto all = all_of(metrics);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]->requests.value(), 2U);
  EXPECT_EQ(all[1]->destination.service, "b.default");
}

TEST(RequestMetrics, PutsAValueIntoTheBucketWhoseBoundItReaches) {
  RequestMetrics metrics;
  const auto cluster = cluster_named("a.default");
  const auto count = [&](Duration duration, uint64_t bytes) {
    RequestRecord record = record_for(&cluster, 200);
    record.duration = duration;
    record.bytes_received = bytes;
    record.bytes_sent = 2 * bytes;
    metrics.count(record);
  };
  count(std::chrono::microseconds(0), 0);
  count(std::chrono::microseconds(500), 100);
  count(std::chrono::microseconds(501), 101);
  count(std::chrono::hours(2), 1'000'000'000);
  const Series& series = *all_of(metrics).at(0);
  EXPECT_EQ(series.durations_us.buckets.front().value(), 2U);
  EXPECT_EQ(series.durations_us.buckets[1].value(), 1U);
  EXPECT_EQ(series.durations_us.buckets.back().value(), 1U);
  EXPECT_EQ(series.durations_us.sum.value(), 7'200'001'001U);
  EXPECT_EQ(series.request_bytes.buckets[0].value(), 2U);
  EXPECT_EQ(series.request_bytes.buckets[1].value(), 1U);
  EXPECT_EQ(series.request_bytes.buckets.back().value(), 1U);
  EXPECT_EQ(series.response_bytes.buckets[0].value(), 1U);
  EXPECT_EQ(series.response_bytes.sum.value(), 2'000'000'402U);
}

TEST(RequestMetrics, CountsADurationBeforeTheStartAsZero) {
  RequestMetrics metrics;
  RequestRecord record = record_for(nullptr, 0);
  record.duration = std::chrono::seconds(-1);
  metrics.count(record);
  EXPECT_EQ(all_of(metrics).at(0)->durations_us.sum.value(), 0U);
}

TEST(RequestMetrics, CountsWhatExceedsTheTableUnderOneEntryAndLosesNothing) {
  RequestMetrics metrics;
  const auto cluster = cluster_named("a.default");
  constexpr unsigned kLabels = limits::metric_label_sets_max + 500;
  for (int round = 0; round < 2; ++round) {
    for (unsigned i = 0; i < kLabels; ++i) metrics.count(record_for(&cluster, static_cast<uint16_t>(i)));
  }
  const auto all = all_of(metrics);
  ASSERT_EQ(all.size(), limits::metric_label_sets_max);
  uint64_t total = 0;
  for (const Series* series : all) total += series->requests.value();
  EXPECT_EQ(total, 2U * kLabels);
  EXPECT_TRUE(all.back()->is_overflow);
  EXPECT_EQ(all.back()->requests.value(), 2U * 501);
  EXPECT_EQ(all.front()->requests.value(), 2U);
}

}  // namespace
}  // namespace sluice::observe

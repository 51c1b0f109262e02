#include "observe/tcp_metrics.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::observe {
namespace {

using Series = TcpMetrics::Series;

snapshot::Cluster cluster_named(const std::string& host) {
  snapshot::Cluster cluster;
  cluster.host = host;
  cluster.service_name = host.substr(0, host.find('.'));
  cluster.service_namespace = "default";
  return cluster;
}

ResponseFlags flags_of(ResponseFlag flag) {
  ResponseFlags flags;
  flags.set(flag);
  return flags;
}

std::vector<const Series*> all_of(const TcpMetrics& metrics) {
  std::vector<const Series*> all;
  metrics.for_each([&all](const Series& series) { all.push_back(&series); });
  return all;
}

TEST(TcpMetrics, CountsEqualLabelsTogether) {
  TcpMetrics metrics;
  const auto cluster = cluster_named("mongo.default.svc.cluster.local");
  const auto same = cluster_named("mongo.default.svc.cluster.local");
  metrics.series_of(&cluster, {}).opened.add();
  metrics.series_of(&same, {}).opened.add();
  const auto all = all_of(metrics);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]->opened.value(), 2U);
  EXPECT_EQ(all[0]->destination.service, "mongo.default.svc.cluster.local");
  EXPECT_EQ(all[0]->destination.service_name, "mongo");
  EXPECT_EQ(all[0]->destination.service_namespace, "default");
  EXPECT_TRUE(all[0]->flags.none());
}

TEST(TcpMetrics, TellsServicesAndFlagsApart) {
  TcpMetrics metrics;
  const auto a = cluster_named("a.default");
  const auto b = cluster_named("b.default");
  const Series* series[] = {&metrics.series_of(&a, {}), &metrics.series_of(&b, {}), &metrics.series_of(nullptr, {}),
                            &metrics.series_of(&a, flags_of(ResponseFlag::upstream_connection_failure)),
                            &metrics.series_of(&a, flags_of(ResponseFlag::no_healthy_upstream))};
  EXPECT_EQ(all_of(metrics), std::vector<const Series*>(std::begin(series), std::end(series)));
}

// A connection keeps its series for as long as it lasts.
TEST(TcpMetrics, KeepsASeriesWhereItIs) {
  TcpMetrics metrics;
  const auto first = cluster_named("first.default");
  Series& kept = metrics.series_of(&first, {});
  for (unsigned i = 0; i < limits::metric_label_sets_max + 10; ++i) {
    const auto other = cluster_named("c" + std::to_string(i));
    metrics.series_of(&other, {}).opened.add();
  }
  EXPECT_EQ(&metrics.series_of(&first, {}), &kept);
  const auto all = all_of(metrics);
  ASSERT_EQ(all.size(), limits::metric_label_sets_max);
  EXPECT_TRUE(all.back()->is_overflow);
  EXPECT_EQ(all.back()->opened.value(), 12U);
}

}  // namespace
}  // namespace sluice::observe

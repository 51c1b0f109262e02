// A request as the tests of the access log write it, and its line.
#pragma once

#include "observe/access_log_line.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace sluice::observe {

// 2026-11-25T10:15:04.123Z
inline constexpr WallTime kStart{std::chrono::milliseconds(1'795'601'704'123)};

struct Sample {
  snapshot::Cluster cluster;
  snapshot::Route route;
  SocketAddress upstream = *SocketAddress::parse("10.0.0.7:8000");
  SocketAddress upstream_local = *SocketAddress::parse("10.0.0.1:40000");
  RequestRecord record;

  Sample() {
    cluster.name = "outbound|8000||httpbin.default.svc.cluster.local";
    route.name = "default";
    record.start = kStart;
    record.duration = std::chrono::microseconds(12'900);
    record.upstream_service_ms = 11;
    record.method = "GET";
    record.path = "/headers?x=1";
    record.authority = "httpbin.local.kyma.dev";
    record.user_agent = "curl/7.88.1";
    record.request_id = "0b3a5a52-8f5c-4f3e-9c3f-0a9a4a3d2f10";
    record.forwarded_for = "192.0.2.1";
    record.status = 200;
    record.details = "via_upstream";
    record.bytes_received = 5;
    record.bytes_sent = 1234;
    record.cluster = &cluster;
    record.route_name = route.name;
    record.upstream_host = &upstream;
    record.upstream_local = &upstream_local;
    record.downstream_local = *SocketAddress::parse("[::1]:443");
    record.downstream_remote = *SocketAddress::parse("192.0.2.1:55555");
    record.requested_server_name = "httpbin.local.kyma.dev";
  }
};

inline std::string line_of(const RequestRecord& record) {
  std::string line;
  EXPECT_TRUE(write_access_log_line(nullptr, record, line));
  return line;
}

}  // namespace sluice::observe

#include "observe/request_record.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::observe {
namespace {

std::string text_of(ResponseFlags flags) {
  char room[response_flags_text_max];
  return std::string(write_flags(flags, room));
}

TEST(ResponseFlags, AreADashWhenThereAreNone) { EXPECT_EQ(text_of({}), "-"); }

TEST(ResponseFlags, HaveEnvoysShortNames) {
  const std::pair<ResponseFlag, const char*> names[] = {
      {ResponseFlag::no_healthy_upstream, "UH"},
      {ResponseFlag::upstream_connection_failure, "UF"},
      {ResponseFlag::upstream_connection_termination, "UC"},
      {ResponseFlag::upstream_remote_reset, "UR"},
      {ResponseFlag::upstream_overflow, "UO"},
      {ResponseFlag::upstream_request_timeout, "UT"},
      {ResponseFlag::upstream_retry_limit_exceeded, "URX"},
      {ResponseFlag::upstream_protocol_error, "UPE"},
      {ResponseFlag::no_route_found, "NR"},
      {ResponseFlag::no_cluster_found, "NC"},
      {ResponseFlag::downstream_connection_termination, "DC"},
      {ResponseFlag::downstream_protocol_error, "DPE"},
      {ResponseFlag::stream_idle_timeout, "SI"},
      {ResponseFlag::local_reset, "LR"},
      {ResponseFlag::delay_injected, "DI"},
      {ResponseFlag::fault_injected, "FI"},
  };
  for (const auto& [flag, name] : names) {
    ResponseFlags flags;
    flags.set(flag);
    EXPECT_EQ(text_of(flags), name);
  }
}

TEST(ResponseFlags, AreJoinedByCommasAndAllOfThemFit) {
  ResponseFlags two;
  two.set(ResponseFlag::upstream_retry_limit_exceeded);
  two.set(ResponseFlag::upstream_connection_failure);
  EXPECT_EQ(text_of(two), "UF,URX");

  ResponseFlags all;
  all.bits = (static_cast<uint32_t>(ResponseFlag::fault_injected) << 1) - 1;
  EXPECT_EQ(text_of(all), "UH,UF,UC,UR,UO,UT,URX,UPE,NR,NC,DC,DPE,SI,LR,DI,FI");
}

}  // namespace
}  // namespace sluice::observe

#include "config/registered_hosts.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

using Ports = RegisteredHosts::Ports;

std::vector<RegisteredPort> registered() {
  std::vector<RegisteredPort> ports;
  for (const auto& [host, number] : {std::pair("a.example.com", 80), std::pair("a.example.com", 81),
                                     std::pair("*.b.example.com", 82), std::pair("*.com", 83), std::pair("com", 84)}) {
    RegisteredPort& port = ports.emplace_back();
    port.host = host;
    port.number = static_cast<uint16_t>(number);
  }
  return ports;
}

struct Asked {
  Diagnostics diagnostics;
  OutboundBudget budget{diagnostics};
  Node node;
};

TEST(RegisteredHosts, BelowAPatternIsWhatItCovers) {
  const auto ports = registered();
  const RegisteredHosts hosts(ports, [](const RegisteredPort&) { return true; });
  Asked asked;
  EXPECT_EQ(hosts.below("a.example.com", asked.budget, asked.node), (Ports{80, 81}));
  EXPECT_EQ(hosts.below("*.example.com", asked.budget, asked.node), (Ports{80, 81, 82}));
  EXPECT_EQ(hosts.below("*.b.example.com", asked.budget, asked.node), Ports{82});
  EXPECT_EQ(hosts.below("c.b.example.com", asked.budget, asked.node), Ports{});
  EXPECT_EQ(hosts.below("*.com", asked.budget, asked.node), (Ports{80, 81, 82, 83}));
}

TEST(RegisteredHosts, AboveAPatternIsTheLongestWildcardThatCoversIt) {
  const auto ports = registered();
  const RegisteredHosts hosts(ports, [](const RegisteredPort&) { return true; });
  EXPECT_EQ(hosts.above("c.b.example.com"), Ports{82});
  EXPECT_EQ(hosts.above("*.c.b.example.com"), Ports{82});
  EXPECT_EQ(hosts.above("*.b.example.com"), Ports{83}) << "not itself";
  EXPECT_EQ(hosts.above("b.example.org"), Ports{});
}

TEST(RegisteredHosts, OnlyThoseThatAreMeantAreLookedAt) {
  const auto ports = registered();
  const RegisteredHosts hosts(ports, [](const RegisteredPort& port) { return port.number != 80; });
  Asked asked;
  EXPECT_EQ(hosts.below("a.example.com", asked.budget, asked.node), Ports{81});
}

}  // namespace
}  // namespace sluice::config

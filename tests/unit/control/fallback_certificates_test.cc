#include "control/fallback_certificates.h"

#include "tls/parsed_certificate.h"

#include <gtest/gtest.h>

#include <chrono>

namespace sluice::control {
namespace {

TEST(FallbackCertificates, AreOnePerSetOfHosts) {
  const WallTime now = std::chrono::system_clock::now();
  FallbackCertificates fallbacks;
  snapshot::TlsServer server;
  server.name = "https/a/b";
  server.hosts = {"*.example.com", "example.com"};
  const auto first = fallbacks.of(server, now);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_TRUE((*first)->is_managed) << "its end is nobody's to look after";
  const auto parsed = tls::parse_first_certificate((*first)->chain_pem);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->dns_names, server.hosts);
  EXPECT_EQ(*fallbacks.of(server, now), *first) << "it is kept over loads";
  server.hosts = {"other.example.com"};
  EXPECT_NE(*fallbacks.of(server, now), *first);
}

}  // namespace
}  // namespace sluice::control

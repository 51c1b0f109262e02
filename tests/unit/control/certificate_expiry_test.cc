#include "control/certificate_expiry.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace sluice::control {
namespace {

using namespace std::chrono_literals;

constexpr WallTime end{1'803'409'600s};  // 2027-02-23T19:06:40Z

snapshot::Snapshot snapshot_with(bool is_renewed) {
  snapshot::Snapshot snapshot;
  snapshot::CertificateSummary certificate;
  certificate.secret_name = "istio-system/certs";
  certificate.serial = "0a";
  certificate.not_after = "2027-02-23T19:06:40Z";
  certificate.is_renewed = is_renewed;
  snapshot.certificates.push_back(certificate);
  return snapshot;
}

std::string said(CertificateExpiry& expiry, const snapshot::Snapshot& snapshot, WallTime now) {
  testing::internal::CaptureStderr();
  expiry.look(snapshot, now);
  return testing::internal::GetCapturedStderr();
}

TEST(CertificateExpiry, WarnsOnceAtEachStep) {
  CertificateExpiry expiry;
  const snapshot::Snapshot snapshot = snapshot_with(false);
  EXPECT_EQ(said(expiry, snapshot, end - 24h * 31), "");
  EXPECT_TRUE(said(expiry, snapshot, end - 24h * 30).contains("istio-system/certs")) << "30 days";
  EXPECT_EQ(said(expiry, snapshot, end - 24h * 20), "");
  EXPECT_TRUE(said(expiry, snapshot, end - 24h * 6).contains("expires on 2027-02-23")) << "7 days";
  EXPECT_EQ(said(expiry, snapshot, end - 24h), "");
  EXPECT_TRUE(said(expiry, snapshot, end + 1s).contains("expired on 2027-02-23"));
  EXPECT_EQ(said(expiry, snapshot, end + 24h), "");
}

TEST(CertificateExpiry, LooksOnceAnHour) {
  CertificateExpiry expiry;
  EXPECT_EQ(said(expiry, snapshot::Snapshot(), end - 24h), "");
  EXPECT_EQ(said(expiry, snapshot_with(false), end - 24h + 30min), "");
  EXPECT_NE(said(expiry, snapshot_with(false), end - 24h + 61min), "");
}

TEST(CertificateExpiry, SaysNothingOfManagedOnes) {
  CertificateExpiry expiry;
  EXPECT_EQ(said(expiry, snapshot_with(true), end - 24h), "");
}

}  // namespace
}  // namespace sluice::control

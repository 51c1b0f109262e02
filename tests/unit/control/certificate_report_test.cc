#include "control/certificate_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>

namespace sluice::control {
namespace {

using namespace std::chrono_literals;

constexpr WallTime issued{1'800'000'000s};  // 2027-01-15T08:00:00Z

renewal::CertificateReport sample() {
  renewal::CertificateReport report;
  report.certificate = "istio-system/web";
  report.secret = "istio-system/web-certs";
  report.issuer = "default/acme";
  report.state = renewal::State::error;
  report.message = "the order has failed";
  report.dns_names = {"a.example.com", "b.example.com"};
  report.issued = issued;
  report.renewal = issued + 24h * 60;
  report.expiration = issued + 24h * 90;
  report.backoff = renewal::Backoff{.failures = 2, .failed_at = issued, .interval = 3720s};
  return report;
}

TEST(CertificateReport, HasTheWordsOfTheController) {
  const Json json = to_json(sample());
  EXPECT_EQ(json["state"], "Error");
  EXPECT_EQ(json["issuanceDate"], "2027-01-15T08:00:00Z");
  EXPECT_EQ(json["renewalDate"], "2027-03-16T08:00:00Z");
  EXPECT_EQ(json["expirationDate"], "2027-04-15T08:00:00Z");
  EXPECT_EQ(json["backoff"]["recheckAfter"], "2027-01-15T09:02:00Z");
  EXPECT_EQ(json["backoff"]["recheckInterval"], "1h2m0s");
  EXPECT_EQ(json["conditions"][0]["type"], "Ready");
  EXPECT_EQ(json["conditions"][0]["status"], "False");
  EXPECT_EQ(json["conditions"][0]["reason"], "Error");
}

TEST(CertificateReport, HasNullForWhatIsNotThere) {
  const Json json = to_json(renewal::CertificateReport());
  EXPECT_EQ(json["state"], "Pending");
  for (const char* name : {"issuanceDate", "renewalDate", "expirationDate", "backoff"})
    EXPECT_TRUE(json[name].is_null()) << name;
}

TEST(CertificateReport, IsATableOfOneLineEach) {
  EXPECT_EQ(
      certificates_table(Json::array({to_json(sample())})),
      "CERTIFICATE       STATE  EXPIRES               RENEWED               ISSUER        MESSAGE\n"
      "istio-system/web  Error  2027-04-15T08:00:00Z  2027-03-16T08:00:00Z  default/acme  the order has failed\n");
  EXPECT_EQ(certificates_table(Json::array()), "CERTIFICATE  STATE  EXPIRES  RENEWED  ISSUER  MESSAGE\n");
}

TEST(CertificateReport, IsATextOfEverythingAboutOne) {
  const std::string text = certificate_text(to_json(sample()));
  EXPECT_TRUE(text.contains("\nnames        a.example.com, b.example.com\n")) << text;
  EXPECT_TRUE(text.contains("\ntried again  2027-01-15T09:02:00Z (failures: 2)\n")) << text;
  EXPECT_TRUE(text.contains("\ncommon name  -\n")) << text;
}

}  // namespace
}  // namespace sluice::control

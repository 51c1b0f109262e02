// Requests themselves are tests/integration/test_acme_client.py's.
#include "acme/transport.h"

#include <gtest/gtest.h>

namespace sluice::acme {
namespace {

TEST(HttpsTransport, NeedsSomebodyToTrust) {
  const auto transport = https_transport({.ca_pem = "no certificate", .ca_source = "Issuer a/b, caBundle"});
  ASSERT_FALSE(transport);
  EXPECT_TRUE(transport.error().message.contains("Issuer a/b")) << transport.error().message;
}

TEST(HttpsTransport, SpeaksHttpsOnly) {
  const auto transport = https_transport({});
  ASSERT_TRUE(transport) << transport.error().message;
  for (const std::string url : {"http://127.0.0.1:1/", "file:///etc/passwd", "", "https://", "ftp://a"}) {
    const auto response = (*transport)({.url = url});
    ASSERT_FALSE(response) << url;
    EXPECT_EQ(response.error().message, "its address is no https:// URL");
  }
}

TEST(HttpsTransport, StopsAtOnceWhenTheProcessEnds) {
  std::stop_source source;
  const auto transport = https_transport({.stop = source.get_token()});
  ASSERT_TRUE(transport);
  source.request_stop();
  const auto response = (*transport)({.url = "https://192.0.2.1/"});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, "this process is about to end");
}

}  // namespace
}  // namespace sluice::acme

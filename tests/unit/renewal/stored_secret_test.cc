#include "renewal/stored_secret.h"

#include "certs/secret_yaml.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::renewal {
namespace {

std::string yaml_with(const std::string& digest) {
  certs::IssuedCertificate certificate;
  certificate.chain_pem = "chain\n";
  certificate.key_pem = "key\n";
  certificate.ca_pem = "ca\n";
  return certs::secret_yaml({.name_space = "a", .name = "b", .digest = digest, .labels = {{"app", "x"}}}, certificate);
}

TEST(StoredSecret, IsReadAsItWasWritten) {
  const auto secret = read_stored_secret(yaml_with("abc"));
  ASSERT_TRUE(secret.has_value()) << secret.error().message;
  EXPECT_EQ(secret->digest, "abc");
  EXPECT_EQ(secret->certificate.chain_pem, "chain\n");
  EXPECT_EQ(secret->certificate.key_pem, "key\n");
  EXPECT_EQ(secret->certificate.ca_pem, "ca\n");
}

TEST(StoredSecret, WithoutDigestWasImported) {
  const auto secret = read_stored_secret(yaml_with(""));
  ASSERT_TRUE(secret.has_value());
  EXPECT_EQ(secret->digest, "");
}

TEST(StoredSecret, OfAnythingElseIsRefused) {
  for (const char* text : {"", "text", "{", "a: b\n---\nc: d\n", "data: [1]\n", "data: {tls.crt: '?'}\n",
                           "data: {tls.key: YQ==}\n", "metadata: x\ndata: {tls.crt: 1}\n"}) {
    EXPECT_FALSE(read_stored_secret(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace sluice::renewal

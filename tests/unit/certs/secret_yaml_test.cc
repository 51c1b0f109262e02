#include "certs/secret_yaml.h"

#include <gtest/gtest.h>

namespace sluice::certs {
namespace {

TEST(SecretYaml, WritesAKubernetesSecret) {
  IssuedCertificate certificate;
  certificate.chain_pem = "certificate\n";
  certificate.key_pem = "key";
  certificate.ca_pem = "ca";
  EXPECT_EQ(secret_yaml({.name_space = "istio-system",
                         .name = "kyma-gateway-certs",
                         .digest = "0123abcd",
                         .labels = {{"app", "web"}, {"example.com/tier", "on"}}},
                        certificate),
            "apiVersion: v1\n"
            "kind: Secret\n"
            "metadata:\n"
            "  name: \"kyma-gateway-certs\"\n"
            "  namespace: \"istio-system\"\n"
            "  annotations:\n"
            "    \"sluice.io/request-digest\": \"0123abcd\"\n"
            "  labels:\n"
            "    \"app\": \"web\"\n"
            "    \"example.com/tier\": \"on\"\n"
            "type: kubernetes.io/tls\n"
            "data:\n"
            "  ca.crt: Y2E=\n"
            "  tls.crt: Y2VydGlmaWNhdGUK\n"
            "  tls.key: a2V5\n");
}

TEST(SecretYaml, LeavesOutWhatThereIsNot) {
  IssuedCertificate certificate;
  certificate.chain_pem = "certificate\n";
  EXPECT_EQ(secret_yaml({.name_space = "b", .name = "a", .digest = {}, .labels = {}}, certificate),
            "apiVersion: v1\n"
            "kind: Secret\n"
            "metadata:\n"
            "  name: \"a\"\n"
            "  namespace: \"b\"\n"
            "type: kubernetes.io/tls\n"
            "data:\n"
            "  tls.crt: Y2VydGlmaWNhdGUK\n"
            "  tls.key: \"\"\n");
}

TEST(SecretYaml, LetsNoTextEndItsString) {
  const std::string yaml = secret_yaml(
      {.name_space = "a\"\ntype: Opaque", .name = "true", .digest = {}, .labels = {{"a: b", "\\ \xff \x01"}}},
      IssuedCertificate());
  EXPECT_TRUE(yaml.contains("  namespace: \"a\\\"\\ntype: Opaque\"\n")) << yaml;
  EXPECT_TRUE(yaml.contains("    \"a: b\": \"\\\\ \xef\xbf\xbd \\u0001\"\n")) << yaml;
}

}  // namespace
}  // namespace sluice::certs

#include "tls/forwarded_certificate.h"

#include "authority.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::tls {
namespace {

using test::Authority;

const Authority& authority() {
  static const Authority made("root");
  return made;
}

PeerCertificate certificate_of(const std::string& pem) {
  return PeerCertificate(decode_pem(pem, kCertificateLabel).value().at(0));
}

// The element without the certificate itself, which is long.
std::string without_pem(std::string element) {
  const size_t start = element.find("Cert=\"");
  const size_t end = element.find('"', start + 6);
  EXPECT_NE(end, std::string::npos);
  element.replace(start, end + 1 - start, "Cert");
  return element;
}

std::string hash_of(const std::string& pem) { return certificate_of(pem).parsed()->fingerprint_sha256; }

TEST(ForwardedCertificate, HasEnvoysFieldsInEnvoysOrder) {
  const std::string pem =
      authority()
          .issue({.subject = {{"CN", "client"}, {"O", "Example"}},
                  .alternative_names = "URI:spiffe://cluster.local/a,URI:https://b.test/c,DNS:a.test,DNS:b.test"})
          .certificate;
  const LocalCertificate own{.subject = "CN=gateway", .uris = {"spiffe://cluster.local/gateway"}, .dns_names = {}};
  EXPECT_EQ(without_pem(forwarded_certificate(certificate_of(pem), &own)),
            "By=spiffe://cluster.local/gateway;Hash=" + hash_of(pem) +
                ";Cert;Subject=\"O=Example,CN=client\";URI=spiffe://cluster.local/a;URI=https://b.test/c"
                ";DNS=a.test;DNS=b.test");
}

TEST(ForwardedCertificate, SaysThatThereIsNoUri) {
  const std::string pem = authority().issue({}).certificate;
  const std::string expected = "Hash=" + hash_of(pem) + ";Cert;Subject=\"CN=client\";URI=";
  EXPECT_EQ(without_pem(forwarded_certificate(certificate_of(pem), nullptr)), expected);
  const LocalCertificate own{.subject = "CN=gateway", .uris = {}, .dns_names = {}};
  EXPECT_EQ(without_pem(forwarded_certificate(certificate_of(pem), &own)), expected);
}

TEST(ForwardedCertificate, HasThePemThatAnUrlDecoderGivesBack) {
  const std::string pem = authority().issue({}).certificate;
  const std::string element = forwarded_certificate(certificate_of(pem), nullptr);
  const size_t start = element.find("Cert=\"") + 6;
  std::string encoded = element.substr(start, element.find('"', start) - start);
  EXPECT_EQ(encoded.find_first_of("\n +/="), std::string::npos);
  std::string decoded;
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] == '%') {
      decoded += static_cast<char>(std::stoi(encoded.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      decoded += encoded[i];
    }
  }
  EXPECT_EQ(decoded, pem);
}

// A name that could pass for the end of the element, or for another one.
TEST(ForwardedCertificate, QuotesWhatWouldBeReadAsAnotherField) {
  const std::string pem = authority()
                              .issue({.subject = {{"CN", "a\";Subject=\"CN=admin"}},
                                      .alternative_names = "URI:https://a.test/?x=1;DNS=admin.test"})
                              .certificate;
  const std::string element = without_pem(forwarded_certificate(certificate_of(pem), nullptr));
  EXPECT_TRUE(element.ends_with(";URI=\"https://a.test/?x=1;DNS=admin.test\"")) << element;
  EXPECT_TRUE(element.contains(";Subject=\"CN=a\\\"\\;Subject=\\\"CN=admin\"")) << element;
}

}  // namespace
}  // namespace sluice::tls

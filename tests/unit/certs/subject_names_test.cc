#include "certs/subject_names.h"

#include "certs/der_writer.h"

#include <gtest/gtest.h>

namespace sluice::certs {
namespace {

using Names = std::vector<std::string>;

TEST(Normalised, GivesEveryNameItsOneSpelling) {
  const auto names =
      normalised({.dns_names = {"Example.COM.", "*.Local.kyma.dev", "xn--bcher-kva.example", "localhost"},
                  .ip_addresses = {"192.0.2.1", "2001:DB8:0:0::1"},
                  .emails = {"Admin@example.com"},
                  .uris = {"spiffe://cluster.local/ns/a"}});
  ASSERT_TRUE(names.has_value()) << names.error().message;
  EXPECT_EQ(names->dns_names, (Names{"example.com", "*.local.kyma.dev", "xn--bcher-kva.example", "localhost"}));
  EXPECT_EQ(names->ip_addresses, (Names{"192.0.2.1", "2001:db8::1"}));
  EXPECT_EQ(names->emails, Names{"Admin@example.com"});
  EXPECT_EQ(names->uris, Names{"spiffe://cluster.local/ns/a"});
}

TEST(Normalised, RefusesWhatIsNoName) {
  for (const std::string& name :
       {std::string(), std::string("*"), std::string("a.*.example"), std::string("*a.example"), std::string("a b"),
        std::string("a..b"), std::string("https://example.com"), std::string("example.com:443"), std::string(254, 'a'),
        std::string("a\0b", 3), std::string("192.0.2.1"), std::string("::1"),
        std::string("b\xc3\xbc"
                    "cher.example"),
        std::string("a_b.example"), std::string(64, 'a') + ".example"}) {
    const auto names = normalised({.dns_names = {"example.com", name}, .ip_addresses = {}, .emails = {}, .uris = {}});
    ASSERT_FALSE(names.has_value()) << name;
    EXPECT_TRUE(names.error().message.contains("DNS name")) << names.error().message;
  }
  for (const char* name : {"", "1.2.3", "1.2.3.4/8", "fe80::1%eth0", "[::1]", "a"})
    EXPECT_FALSE(normalised({.dns_names = {}, .ip_addresses = {name}, .emails = {}, .uris = {}}).has_value()) << name;
  for (const char* name :
       {"", "a", "@b.example", "a@", "a@b@c.example", "a b@c.example", "a@1.2.3.4", "\xc3\xbc@b.example"})
    EXPECT_FALSE(normalised({.dns_names = {}, .ip_addresses = {}, .emails = {name}, .uris = {}}).has_value()) << name;
  for (const char* name : {"", "a", "/a/b", "://x", "a b:c", "1a:b", "a:", "urn:\xc3\xbc", "a:\"b\""})
    EXPECT_FALSE(normalised({.dns_names = {}, .ip_addresses = {}, .emails = {}, .uris = {name}}).has_value()) << name;
}

TEST(Normalised, RefusesANameThatIsThereTwice) {
  EXPECT_TRUE(normalised({.dns_names = {"a.example", "A.example."}, .ip_addresses = {}, .emails = {}, .uris = {}})
                  .error()
                  .message.contains("the DNS name \"A.example.\" is there twice"));
  EXPECT_FALSE(normalised({.dns_names = {}, .ip_addresses = {"::1", "0::1"}, .emails = {}, .uris = {}}).has_value());
}

TEST(Normalised, BoundsHowManyThereAre) {
  SubjectNames names;
  for (int i = 0; i < 100; ++i) names.dns_names.push_back("host-" + std::to_string(i) + ".example");
  EXPECT_TRUE(normalised(names).has_value());
  names.uris.emplace_back("urn:a");
  EXPECT_TRUE(normalised(names).error().message.contains("101 names are too many"));
}

TEST(NamesOfHosts, SortsThemByKindAndTakesEachOnce) {
  const Names hosts{"*.example.com", "192.0.2.1", "Example.com", "example.com", "2001:db8::1", "192.0.2.1"};
  const auto names = names_of_hosts(hosts);
  ASSERT_TRUE(names.has_value());
  EXPECT_EQ(names->dns_names, (Names{"*.example.com", "example.com"}));
  EXPECT_EQ(names->ip_addresses, (Names{"192.0.2.1", "2001:db8::1"}));
}

TEST(IsCovered, TakesAWildcardForExactlyOneLabel) {
  const Names dns_names{"*.Example.com", "a.example.org"};
  const Names ip_addresses{"192.0.2.1"};
  for (const char* host : {"a.example.com", "A.EXAMPLE.COM", "*.example.com", "a.example.org", "192.0.2.1"})
    EXPECT_TRUE(is_covered(host, dns_names, ip_addresses)) << host;
  for (const char* host : {"example.com", "a.b.example.com", "b.example.org", "192.0.2.2", "com", "", "*"})
    EXPECT_FALSE(is_covered(host, dns_names, ip_addresses)) << host;
}

TEST(GeneralNames, AreReadAsTheyWereWritten) {
  const SubjectNames names{.dns_names = {"*.example.com", "example.com"},
                           .ip_addresses = {"192.0.2.1", "2001:db8::1"},
                           .emails = {"admin@example.com"},
                           .uris = {"spiffe://cluster.local/ns/a", "urn:x"}};
  const auto read = read_general_names(as_bytes(to_general_names(names)));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, names);
}

TEST(GeneralNames, RefusesWhatItDoesNotKnow) {
  const std::string directory_name = der::sequence({der::element(der::constructed(4), der::sequence({}))});
  EXPECT_TRUE(read_general_names(as_bytes(directory_name)).error().message.contains("a kind that is not supported"));
  const std::string bad_ip = der::sequence({der::element(der::implicit(7), "abc")});
  EXPECT_FALSE(read_general_names(as_bytes(bad_ip)).has_value());
  const std::string nul = der::sequence({der::element(der::implicit(2), std::string("a.example\0.b", 12))});
  EXPECT_FALSE(read_general_names(as_bytes(nul)).has_value());
  const std::string latin_1 = der::sequence({der::element(der::implicit(2), "b\xfc")});
  EXPECT_EQ(read_general_names(as_bytes(latin_1)).error().message, "it has a name that is no ASCII text");
  EXPECT_FALSE(read_general_names({}).has_value());
  EXPECT_FALSE(read_general_names(as_bytes("\x30\x03\x82\x05")).has_value());
}

TEST(GeneralNames, TakesARepeatedNameOnceAndBoundsTheOthers) {
  std::string repeated, many;
  for (int i = 0; i < 1000; ++i) {
    repeated += der::element(der::implicit(2), "Example.com");
    many += der::element(der::implicit(2), "host-" + std::to_string(i) + ".example");
  }
  const auto read = read_general_names(as_bytes(der::sequence({repeated})));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->dns_names, Names{"example.com"});
  EXPECT_TRUE(read_general_names(as_bytes(der::sequence({many}))).error().message.contains("too many"));
}

}  // namespace
}  // namespace sluice::certs

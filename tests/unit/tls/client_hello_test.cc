#include "tls/client_hello.h"

#include "openssl_client.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::tls {
namespace {

// --- Hellos by hand --------------------------------------------------------------------------------

std::string number(size_t value, size_t size) {
  std::string text;
  for (size_t i = size; i > 0; --i) text += static_cast<char>(value >> (8 * (i - 1)));
  return text;
}

std::string vector(const std::string& content, size_t length_size) {
  return number(content.size(), length_size) + content;
}

std::string extension(unsigned type, const std::string& content) { return number(type, 2) + vector(content, 2); }

std::string server_name(const std::string& name) { return extension(0, vector(number(0, 1) + vector(name, 2), 2)); }

std::string alpn(std::initializer_list<std::string> names) {
  std::string list;
  for (const std::string& name : names) list += vector(name, 1);
  return extension(16, vector(list, 2));
}

std::string body(const std::string& extensions) {
  return "\x03\x03" + std::string(32, 'r') + vector("", 1) + vector("\xc0\x2f", 2) + vector(std::string(1, '\0'), 1) +
         vector(extensions, 2);
}

std::string message(const std::string& content, char type = 1) { return type + vector(content, 3); }

std::string record(const std::string& content, char type = 22) {
  return std::string(1, type) + "\x03\x01" + vector(content, 2);
}

std::string hello_with(const std::string& extensions) { return record(message(body(extensions))); }

HelloStatus status_of(const std::string& bytes) {
  ClientHello hello;
  return read_client_hello(as_bytes(bytes), hello);
}

std::string name_in(const std::string& bytes) {
  ClientHello hello;
  if (read_client_hello(as_bytes(bytes), hello) != HelloStatus::complete) return "(not complete)";
  return std::string(hello.server_name);
}

// --- What it finds ---------------------------------------------------------------------------------

TEST(ClientHello, ReadsWhatOpensslSends) {
  test::OpensslClient client({.server_name = "HttpBin.Local.Kyma.Dev", .alpn = {"h2", "http/1.1"}});
  (void)client.handshake();
  const std::string bytes = client.take_output();
  ClientHello hello;
  ASSERT_EQ(read_client_hello(as_bytes(bytes), hello), HelloStatus::complete);
  EXPECT_EQ(hello.server_name, "httpbin.local.kyma.dev");
  EXPECT_TRUE(hello.offers_http2);
  EXPECT_FALSE(hello.offers_acme_tls);
  EXPECT_TRUE(hello.offers_tls_1_3);
  EXPECT_EQ(hello.legacy_version, 0x0303);
}

TEST(ClientHello, TellsWhichEcdsaCertificatesAreOfUse) {
  const auto read = [](const test::ClientOptions& options, ClientHello& hello) {
    test::OpensslClient client(options);
    (void)client.handshake();
    return read_client_hello(as_bytes(client.take_output()), hello);
  };
  ClientHello hello;
  ASSERT_EQ(read({.tls12_ciphers = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA",
                  .groups = "X25519:P-384",
                  .signature_algorithms = "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256:ecdsa_secp521r1_sha512"},
                 hello),
            HelloStatus::complete);
  EXPECT_EQ(hello.ecdsa_curves, kCurveP256 | kCurveP521);
  EXPECT_EQ(hello.curves, kCurveP384);
  EXPECT_EQ(hello.ecdsa_suites, 1U << 1 | 1U << 3);
  // And of one that has none of it, into the same object.
  ASSERT_EQ(read({.tls12_ciphers = "ECDHE-RSA-AES128-GCM-SHA256",
                  .groups = "X25519",
                  .signature_algorithms = "rsa_pss_rsae_sha256"},
                 hello),
            HelloStatus::complete);
  EXPECT_EQ(hello.ecdsa_curves, 0);
  EXPECT_EQ(hello.curves, 0);
  EXPECT_EQ(hello.ecdsa_suites, 0);
  // Without the extensions.
  ASSERT_EQ(read_client_hello(as_bytes(hello_with("")), hello), HelloStatus::complete);
  EXPECT_EQ(hello.ecdsa_curves, 0);
  EXPECT_EQ(hello.curves, kAllCurves);
}

TEST(ClientHello, RefusesDamagedListsOfAlgorithmsAndGroups) {
  for (const unsigned type : {10U, 13U}) {
    const std::string good = extension(type, vector("\x04\x03\x08\x04", 2));
    EXPECT_EQ(status_of(hello_with(good)), HelloStatus::complete);
    EXPECT_EQ(status_of(hello_with(good + good)), HelloStatus::malformed);
    for (const std::string& content : {std::string(), vector("", 2), vector("\x04\x03\x08", 2),
                                       vector("\x04\x03", 2) + "x", number(4, 2) + "\x04\x03"})
      EXPECT_EQ(status_of(hello_with(extension(type, content))), HelloStatus::malformed) << content.size();
  }
}

TEST(ClientHello, ReadsAnOldClientWithoutServerName) {
  test::OpensslClient client({.min_version = TLS1_VERSION, .max_version = TLS1_VERSION, .server_name = ""});
  (void)client.handshake();
  ClientHello hello;
  ASSERT_EQ(read_client_hello(as_bytes(client.take_output()), hello), HelloStatus::complete);
  EXPECT_EQ(hello.server_name, "");
  EXPECT_FALSE(hello.offers_http2);
  EXPECT_FALSE(hello.offers_tls_1_3);
  EXPECT_EQ(hello.legacy_version, 0x0301);
}

TEST(ClientHello, NeedsMoreForEveryBeginning) {
  const std::string bytes = hello_with(server_name("example.com") + alpn({"http/1.1"}));
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(status_of(bytes.substr(0, size)), HelloStatus::need_more) << size;
  EXPECT_EQ(name_in(bytes), "example.com");
}

TEST(ClientHello, TakesTheHelloAloneOfWhatFollows) {
  EXPECT_EQ(name_in(hello_with(server_name("example.com")) + "\x14\x03\x03 anything"), "example.com");
}

TEST(ClientHello, PutsAMessageTogetherFromSeveralRecords) {
  const std::string whole = message(body(server_name("split.example.com") + alpn({"h2"})));
  for (const size_t piece : {1U, 3U, 7U, 50U}) {
    std::string bytes;
    for (size_t at = 0; at < whole.size(); at += piece) bytes += record(whole.substr(at, piece));
    for (size_t size = 0; size < bytes.size(); ++size)
      ASSERT_EQ(status_of(bytes.substr(0, size)), HelloStatus::need_more) << piece << " " << size;
    EXPECT_EQ(name_in(bytes), "split.example.com");
  }
}

TEST(ClientHello, IsReadAfreshEveryTime) {
  ClientHello hello;
  ASSERT_EQ(read_client_hello(as_bytes(hello_with(server_name("example.com") + alpn({"h2"}))), hello),
            HelloStatus::complete);
  ASSERT_EQ(read_client_hello(as_bytes(hello_with("")), hello), HelloStatus::complete);
  EXPECT_EQ(hello.server_name, "");
  EXPECT_FALSE(hello.offers_http2);
}

TEST(ClientHello, AcceptsAHelloWithoutExtensions) {
  EXPECT_EQ(status_of(record(message("\x03\x01" + std::string(32, 'r') + vector("", 1) + vector("\xc0\x2f", 2) +
                                     vector(std::string(1, '\0'), 1)))),
            HelloStatus::complete);
}

TEST(ClientHello, KnowsAnAcmeChallengeByItsOnlyProtocol) {
  ClientHello hello;
  ASSERT_EQ(read_client_hello(as_bytes(hello_with(alpn({"acme-tls/1"}))), hello), HelloStatus::complete);
  EXPECT_TRUE(hello.offers_acme_tls);
  ASSERT_EQ(read_client_hello(as_bytes(hello_with(alpn({"acme-tls/1", "http/1.1"}))), hello), HelloStatus::complete);
  EXPECT_FALSE(hello.offers_acme_tls);
}

// --- Server names ----------------------------------------------------------------------------------

TEST(ClientHello, NormalisesTheServerName) {
  EXPECT_EQ(name_in(hello_with(server_name("WWW.Example.COM."))), "www.example.com");
  EXPECT_EQ(name_in(hello_with(server_name("my_service-1.example"))), "my_service-1.example");
  EXPECT_EQ(name_in(hello_with(server_name("192.0.2.1"))), "192.0.2.1");
  const std::string longest =
      std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd');
  EXPECT_EQ(name_in(hello_with(server_name(longest))), longest);
  EXPECT_EQ(name_in(hello_with(server_name(longest + "."))), longest);
}

TEST(ClientHello, RefusesServerNamesThatAreNoHostNames) {
  for (const std::string& name : {std::string(), std::string("."), std::string("a..b"), std::string(".example.com"),
                                  std::string("a b"), std::string("evil.com\0.example.com", 20), std::string("a/b"),
                                  std::string("*.example.com"), std::string("[::1]"),
                                  std::string("b\xc3\xbc"
                                              "cher.example"),
                                  std::string(254, 'a'), std::string(300, 'a'), std::string("a\n")}) {
    EXPECT_EQ(status_of(hello_with(server_name(name))), HelloStatus::malformed) << name;
  }
}

TEST(ClientHello, RefusesTwoServerNames) {
  const std::string name = number(0, 1) + vector("a.example", 2);
  EXPECT_EQ(status_of(hello_with(extension(0, vector(name + name, 2)))), HelloStatus::malformed);
  EXPECT_EQ(status_of(hello_with(server_name("a.example") + server_name("b.example"))), HelloStatus::malformed);
}

TEST(ClientHello, SkipsNamesOfOtherTypes) {
  EXPECT_EQ(name_in(hello_with(
                extension(0, vector(number(7, 1) + vector("?", 2) + number(0, 1) + vector("a.example", 2), 2)))),
            "a.example");
}

// --- What it refuses -------------------------------------------------------------------------------

TEST(ClientHello, TellsPlainHttpFromTls) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n"), HelloStatus::not_tls);
  EXPECT_EQ(status_of("G"), HelloStatus::not_tls);
  EXPECT_EQ(status_of("\x16GET"), HelloStatus::not_tls);
  EXPECT_EQ(status_of("SSH-2.0-"), HelloStatus::not_tls);
  EXPECT_EQ(status_of(record("\x02\x28", 21)), HelloStatus::not_tls);
  EXPECT_EQ(status_of("\x80\x2e\x01\x03\x01"), HelloStatus::not_tls);  // SSL 2
}

TEST(ClientHello, RefusesOtherMessagesAndRecords) {
  EXPECT_EQ(status_of(record(message(body(""), 2))), HelloStatus::malformed);
  EXPECT_EQ(status_of(record("\x02")), HelloStatus::malformed);
  EXPECT_EQ(status_of(record("")), HelloStatus::malformed);
  const std::string whole = message(body(""));
  EXPECT_EQ(status_of(record(whole.substr(0, 10)) + record(whole.substr(10), 23)), HelloStatus::malformed);
  EXPECT_EQ(status_of(record(whole.substr(0, 10)) + record("")), HelloStatus::malformed);
}

TEST(ClientHello, RefusesRecordsAndMessagesThatAreTooLong) {
  EXPECT_EQ(status_of("\x16\x03\x01\x40\x01"), HelloStatus::malformed);
  EXPECT_EQ(status_of(std::string("\x16\x03\x01\x40\x00\x01\x00\x40\x00", 9)), HelloStatus::malformed);
  EXPECT_EQ(status_of(std::string("\x16\x03\x01\x40\x00\x01\x01\x00\x00", 9)), HelloStatus::malformed);
}

TEST(ClientHello, StopsWaitingAtItsLimit) {
  // Pieces of one byte: six bytes of input bring one byte of message.
  const std::string whole = message(body(extension(21, std::string(4000, '\0'))));
  std::string bytes;
  for (const char c : whole) bytes += record(std::string(1, c));
  ASSERT_GT(bytes.size(), limits::client_hello_bytes_max);
  EXPECT_EQ(status_of(bytes.substr(0, limits::client_hello_bytes_max - 1)), HelloStatus::need_more);
  EXPECT_EQ(status_of(bytes.substr(0, limits::client_hello_bytes_max)), HelloStatus::malformed);
  EXPECT_EQ(status_of(bytes), HelloStatus::malformed);
}

TEST(ClientHello, ChecksEveryLength) {
  const std::string good =
      body(server_name("example.com") + alpn({"h2"}) + extension(43, vector("\x03\x04\x03\x03", 1)));
  ASSERT_EQ(status_of(record(message(good))), HelloStatus::complete);
  // A message that ends too early, or has bytes behind its end, wherever it is cut. Cut right behind the
  // compression methods it is a hello without extensions.
  const size_t without_extensions = 2 + 32 + 1 + 4 + 2;
  for (size_t size = 0; size < good.size(); ++size) {
    const HelloStatus expected = size == without_extensions ? HelloStatus::complete : HelloStatus::malformed;
    EXPECT_EQ(status_of(record(message(good.substr(0, size)))), expected) << size;
  }
  EXPECT_EQ(status_of(record(message(good + "x"))), HelloStatus::malformed);
}

TEST(ClientHello, RefusesExtensionsWithWrongContent) {
  const std::string one_name = number(0, 1) + vector("a.example", 2);
  for (const std::string& content :
       {extension(0, ""), extension(0, vector("", 2)), extension(0, vector(one_name, 2) + "x"),
        extension(0, number(500, 2) + one_name), extension(16, ""), extension(16, vector("", 2)),
        extension(16, vector(vector("", 1), 2)), extension(16, vector("\x05h2", 2)),
        extension(16, vector(vector("h2", 1), 2) + "x"), extension(43, ""), extension(43, vector("", 1)),
        extension(43, vector("\x03\x04\x03", 1)), extension(43, vector("\x03\x04", 1) + "x"),
        alpn({"h2"}) + alpn({"h2"}), extension(43, vector("\x03\x04", 1)) + extension(43, vector("\x03\x04", 1)),
        std::string("\x00", 1), std::string("\x00\x2b\x00", 3)}) {
    EXPECT_EQ(status_of(hello_with(content)), HelloStatus::malformed);
  }
}

TEST(ClientHello, RefusesFieldsOutOfTheirRange) {
  const auto with = [](const std::string& version, const std::string& session_id, const std::string& suites,
                       const std::string& compression) {
    return record(
        message(version + std::string(32, 'r') + vector(session_id, 1) + vector(suites, 2) + vector(compression, 1)));
  };
  const std::string null_compression(1, '\0');
  ASSERT_EQ(status_of(with("\x03\x03", std::string(32, 's'), "\xc0\x2f", null_compression)), HelloStatus::complete);
  EXPECT_EQ(status_of(with("\x02\x03", "", "\xc0\x2f", null_compression)), HelloStatus::malformed);
  EXPECT_EQ(status_of(with("\x03\x03", std::string(33, 's'), "\xc0\x2f", null_compression)), HelloStatus::malformed);
  EXPECT_EQ(status_of(with("\x03\x03", "", "", null_compression)), HelloStatus::malformed);
  EXPECT_EQ(status_of(with("\x03\x03", "", "\xc0\x2f\xc0", null_compression)), HelloStatus::malformed);
  EXPECT_EQ(status_of(with("\x03\x03", "", "\xc0\x2f", "")), HelloStatus::malformed);
}

}  // namespace
}  // namespace sluice::tls

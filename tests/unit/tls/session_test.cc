#include "tls/session.h"

#include "connection.h"
#include "openssl_gcm.h"

#include "base/limits.h"
#include "tls/record_cipher.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::tls {
namespace {

using test::ClientOptions;
using test::Connection;
using test::five_suites;
using test::OpensslClient;
using namespace std::string_view_literals;

constexpr int kHandshakeFailure = 40;
constexpr int kProtocolVersion = 70;
constexpr int kUnexpectedMessage = 10;
constexpr int kBadRecordMac = 20;
constexpr int kNoApplicationProtocol = 120;

ClientOptions only_tls_1_2(std::string ciphers = "ALL:@SECLEVEL=0") {
  return {.max_version = TLS1_2_VERSION, .tls12_ciphers = std::move(ciphers)};
}

// Sends a text each way.
void expect_echo(Connection& connection) {
  connection.client.write("ping");
  connection.from_client += connection.client.take_output();
  EXPECT_EQ(connection.read_all(), "ping");
  EXPECT_EQ(connection.last_status, SessionStatus::need_input);
  ASSERT_TRUE(connection.session->write(as_bytes("pong"), connection.output.sink()));
  connection.client.feed(as_bytes(connection.output.take()));
  EXPECT_EQ(connection.client.read(), "pong");
}

// --- Versions and suites ---------------------------------------------------------------------------

class Tls12Suite : public testing::TestWithParam<const char*> {};

TEST_P(Tls12Suite, IsNegotiatedWithAClientThatOffersOnlyThisOne) {
  Connection connection(five_suites(), only_tls_1_2(GetParam()));
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  EXPECT_EQ(connection.session->protocol_version(), "TLSv1.2");
  EXPECT_EQ(connection.session->cipher_suite(), GetParam());
  EXPECT_EQ(connection.client.cipher(), GetParam());
  expect_echo(connection);
}

TEST_P(Tls12Suite, IsNegotiatedWhenItIsTheOnlyOneConfigured) {
  Connection connection({.max_version = snapshot::TlsVersion::tls_1_2, .cipher_suites = {GetParam()}});
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  EXPECT_EQ(connection.session->cipher_suite(), GetParam());
  expect_echo(connection);
}

INSTANTIATE_TEST_SUITE_P(FiveOfKyma, Tls12Suite,
                         testing::Values("ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES256-GCM-SHA384",
                                         "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-GCM-SHA256",
                                         "ECDHE-RSA-AES128-SHA"));

class Tls13Suite : public testing::TestWithParam<const char*> {};

TEST_P(Tls13Suite, IsNegotiatedWithAClientThatOffersOnlyThisOne) {
  Connection connection(five_suites(), {.tls13_ciphers = GetParam()});
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  EXPECT_EQ(connection.session->protocol_version(), "TLSv1.3");
  EXPECT_EQ(connection.session->cipher_suite(), GetParam());
  EXPECT_EQ(connection.client.cipher(), GetParam());
  expect_echo(connection);
}

INSTANTIATE_TEST_SUITE_P(All, Tls13Suite,
                         testing::Values("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"));

TEST(Session, ChoosesByTheServersOrderWhateverTheClientsOrder) {
  std::vector<std::string> order = five_suites().cipher_suites;
  // From the whole list down to the last suite: the first one that is left wins.
  for (; !order.empty(); order.erase(order.begin())) {
    std::string backwards;
    for (const std::string& name : order) backwards.insert(0, name + ":");
    Connection connection(five_suites(), only_tls_1_2(backwards + "@SECLEVEL=0"));
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    EXPECT_EQ(connection.session->cipher_suite(), order.front());
  }
}

TEST(Session, FollowsAReversedConfiguration) {
  snapshot::TlsSettings settings = five_suites();
  std::ranges::reverse(settings.cipher_suites);
  Connection connection(settings, only_tls_1_2());
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  EXPECT_EQ(connection.session->cipher_suite(), "ECDHE-RSA-AES128-SHA");
}

TEST(Session, NegotiatesNoSuiteThatIsNotConfigured) {
  for (const char* suite :
       {"ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES256-SHA384", "AES128-SHA", "AES128-GCM-SHA256",
        "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "AECDH-AES128-SHA", "ECDHE-RSA-NULL-SHA"}) {
    Connection connection(five_suites(), only_tls_1_2(std::string(suite) + ":@SECLEVEL=0"));
    EXPECT_EQ(connection.handshake(), SessionStatus::failed) << suite;
    EXPECT_EQ(connection.client.received_alert(), kHandshakeFailure) << suite;
    EXPECT_TRUE(connection.session->error_text().contains("no cipher suite in common"))
        << connection.session->error_text();
  }
}

TEST(Session, RefusesTls10And11WithProtocolVersion) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    for (const bool also_tls_1_3 : {true, false}) {
      snapshot::TlsSettings settings = five_suites();
      if (!also_tls_1_3) settings.max_version = snapshot::TlsVersion::tls_1_2;
      Connection connection(settings, {.min_version = version, .max_version = version});
      EXPECT_EQ(connection.handshake(), SessionStatus::failed);
      EXPECT_EQ(connection.client.received_alert(), kProtocolVersion);
      EXPECT_TRUE(connection.session->error_text().contains("no TLS version")) << connection.session->error_text();
    }
  }
}

TEST(Session, RefusesTls12WhereOnly13IsAllowed) {
  Connection connection({.min_version = snapshot::TlsVersion::tls_1_3}, only_tls_1_2());
  EXPECT_EQ(connection.handshake(), SessionStatus::failed);
  EXPECT_EQ(connection.client.received_alert(), kProtocolVersion);
}

TEST(Session, ServesAnEcdsaCertificate) {
  Connection tls_1_3(five_suites(), {}, test::ecdsa_p256());
  EXPECT_EQ(tls_1_3.handshake(), SessionStatus::ok) << tls_1_3.session->error_text();
  // The trap of the gateway: its five suites are all ECDHE-RSA.
  Connection tls_1_2(five_suites(), only_tls_1_2(), test::ecdsa_p256());
  EXPECT_EQ(tls_1_2.handshake(), SessionStatus::failed);
  EXPECT_EQ(tls_1_2.client.received_alert(), kHandshakeFailure);
}

// --- Curves ----------------------------------------------------------------------------------------

TEST(Session, OffersThreeCurves) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const char* group : {"X25519", "P-256", "P-384"}) {
      Connection connection(five_suites(), {.min_version = version, .max_version = version, .groups = group});
      EXPECT_EQ(connection.handshake(), SessionStatus::ok) << group << ": " << connection.session->error_text();
      expect_echo(connection);
    }
  }
}

TEST(Session, RefusesAClientThatKnowsOnlyOtherCurves) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const char* group : {"P-521", "X448"}) {
      Connection connection(five_suites(), {.min_version = version, .max_version = version, .groups = group});
      EXPECT_EQ(connection.handshake(), SessionStatus::failed) << group;
      EXPECT_EQ(connection.client.received_alert(), kHandshakeFailure) << group;
      EXPECT_TRUE(connection.session->error_text().contains("no elliptic curve in common"))
          << group << ": " << connection.session->error_text();
    }
  }
}

TEST(Session, AsksForAnotherKeyShareWhenTheFirstOneDoesNotFit) {
  // OpenSSL sends a key share for the first group only: P-521 needs a HelloRetryRequest.
  snapshot::TlsSettings settings = five_suites();
  settings.alpn = {"h2", "http/1.1"};
  Connection connection(settings, {.min_version = TLS1_3_VERSION, .groups = "P-521:P-384", .alpn = {"http/1.1", "h2"}});
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  EXPECT_EQ(connection.client.group(), NID_secp384r1);
  EXPECT_EQ(connection.client.alpn(), "h2");
  expect_echo(connection);
}

// --- ALPN ------------------------------------------------------------------------------------------

TEST(Session, ChoosesTheProtocolByTheServersOrder) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    snapshot::TlsSettings settings = five_suites();
    settings.alpn = {"h2", "http/1.1"};
    Connection connection(settings, {.max_version = version, .alpn = {"http/1.1", "spdy/3", "h2"}});
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    EXPECT_EQ(connection.session->alpn_protocol(), "h2");
    EXPECT_EQ(connection.client.alpn(), "h2");
  }
}

TEST(Session, TellsAClientWithoutAProtocolInCommon) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Connection connection(five_suites(), {.max_version = version, .alpn = {"spdy/3", "smtp"}});
    EXPECT_EQ(connection.handshake(), SessionStatus::failed);
    EXPECT_EQ(connection.client.received_alert(), kNoApplicationProtocol);
    EXPECT_TRUE(connection.session->error_text().contains("ALPN")) << connection.session->error_text();
  }
}

TEST(Session, ServesAClientWithoutAlpn) {
  Connection connection(five_suites());
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  EXPECT_EQ(connection.session->alpn_protocol(), "");
}

TEST(Session, IsNotFooledByACommaInAProtocolName) {
  Connection connection(five_suites(), {.alpn = {"smtp,http/1.1"}});
  EXPECT_EQ(connection.handshake(), SessionStatus::failed);
  EXPECT_EQ(connection.client.received_alert(), kNoApplicationProtocol);
}

// --- Bytes -----------------------------------------------------------------------------------------

TEST(Session, TakesTheHandshakeOneByteAtATime) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Connection connection(five_suites(), {.max_version = version});
    ASSERT_EQ(connection.handshake(1), SessionStatus::ok);
    expect_echo(connection);
  }
}

TEST(Session, LeavesInputThatFollowsTheHandshake) {
  Connection connection(five_suites(), {.min_version = TLS1_3_VERSION});
  (void)connection.client.handshake();
  std::string flight = connection.client.take_output();
  ConstBytes input = as_bytes(flight);
  ASSERT_EQ(connection.session->handshake(input, connection.output.sink()), SessionStatus::need_input);
  connection.client.feed(as_bytes(connection.output.take()));
  ASSERT_TRUE(connection.client.handshake());
  connection.client.write("early bird");
  flight = connection.client.take_output();  // Finished and data, at once
  input = as_bytes(flight);
  ASSERT_EQ(connection.session->handshake(input, connection.output.sink()), SessionStatus::ok);
  EXPECT_GT(input.size(), 10U);
  connection.from_client = as_text(input);
  EXPECT_EQ(connection.read_all(), "early bird");
}

TEST(Session, ReadsARecordByteByByteAndSeveralAtOnce) {
  Connection connection(five_suites());
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  connection.client.write("one");
  const std::string wire = connection.client.take_output();
  for (size_t i = 0; i + 1 < wire.size(); ++i) {
    connection.from_client = wire[i];
    ASSERT_EQ(connection.read_all(), "");
    ASSERT_EQ(connection.last_status, SessionStatus::need_input);
    ASSERT_TRUE(connection.from_client.empty());
  }
  connection.from_client = wire.back();
  EXPECT_EQ(connection.read_all(), "one");

  for (const char* text : {"two", "three", "four"}) connection.client.write(text);
  connection.from_client = connection.client.take_output();
  EXPECT_EQ(connection.read_all(), "twothreefour");
}

TEST(Session, SaysWhatIsLeftOfARecordThatASmallBufferDoesNotHold) {
  Connection connection(five_suites());
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  connection.client.write("0123456789");
  connection.from_client = connection.client.take_output();
  ConstBytes input = as_bytes(connection.from_client);
  std::array<std::byte, 4> buffer;
  const auto result = connection.session->read(input, buffer, connection.output.sink());
  EXPECT_EQ(result.size, 4U);
  EXPECT_EQ(connection.session->pending_bytes(), 6U);
  connection.from_client.clear();
  EXPECT_EQ(connection.read_all(4), "456789");
  EXPECT_EQ(connection.session->pending_bytes(), 0U);
}

TEST(Session, EchoesAMegabyteInRandomPieces) {
  for (const char* suite : {"ECDHE-RSA-AES256-SHA", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
                            "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
    const bool is_tls_1_3 = std::string_view(suite).starts_with("TLS_");
    Connection connection(five_suites(), is_tls_1_3 ? ClientOptions{.tls13_ciphers = suite} : only_tls_1_2(suite));
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    const std::string sent = test::random_text(1024 * 1024, 1);
    Random random(2);

    connection.client.write(sent);
    const std::string wire = connection.client.take_output();
    std::string received;
    for (size_t at = 0; at < wire.size();) {
      const size_t size = std::min<size_t>(wire.size() - at, 1 + random.below(40'000));
      connection.from_client = wire.substr(at, size);
      at += size;
      received += connection.read_all(1 + random.below(20'000));
      ASSERT_TRUE(connection.from_client.empty());
    }
    ASSERT_EQ(received, sent);

    std::string echoed;
    for (size_t at = 0; at < received.size();) {
      const size_t size = std::min<size_t>(received.size() - at, 1 + random.below(100'000));
      ASSERT_TRUE(
          connection.session->write(as_bytes(std::string_view(received).substr(at, size)), connection.output.sink()));
      EXPECT_LE(connection.output.text().size(), size + Session::overhead_bytes_max(size));
      at += size;
      connection.client.feed(as_bytes(connection.output.take()));
      echoed += connection.client.read();
    }
    ASSERT_EQ(echoed, sent);
  }
}

TEST(Session, WritesRecordsOfAtMost16KiB) {
  Connection connection(five_suites());
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  ASSERT_TRUE(connection.session->write(as_bytes(std::string(100'000, 'x')), connection.output.sink()));
  const std::string wire = connection.output.take();
  size_t records = 0;
  for (size_t at = 0; at < wire.size(); ++records) {
    const auto size =
        static_cast<size_t>((static_cast<unsigned char>(wire[at + 3]) << 8) | static_cast<unsigned char>(wire[at + 4]));
    EXPECT_LE(size, 16U * 1024 + 256);
    at += 5 + size;
  }
  EXPECT_EQ(records, 7U);
  EXPECT_TRUE(connection.session->write({}, connection.output.sink()));
  EXPECT_TRUE(connection.output.take().empty());
}

// Records that are whole and in one piece when they are read do not pass through wolfSSL, all others do, and so do
// messages of TLS itself: both must go on where the other has stopped.
TEST(Session, KeepsCountOfRecordsWhicheverWayTheyTake) {
  for (const char* suite : {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"}) {
    Connection connection(five_suites(), {.min_version = TLS1_3_VERSION, .tls13_ciphers = suite});
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    Random random(3);
    for (int round = 0; round < 300; ++round) {
      SSL_set_block_padding(connection.client.get(), random.below(2) == 0 ? 0 : 1 + random.below(4096));
      if (random.below(4) == 0) connection.client.send_key_update();
      const std::string sent = test::random_text(1 + random.below(40'000), static_cast<uint64_t>(round));
      connection.client.write(sent);
      const std::string wire = connection.client.take_output();
      const bool is_whole = random.below(2) == 0;
      const size_t buffer_bytes = random.below(2) == 0 ? 17 * 1024 : 1 + random.below(5000);
      std::string received;
      for (size_t at = 0; at < wire.size();) {
        const size_t size = is_whole ? wire.size() : std::min<size_t>(wire.size() - at, 1 + random.below(20'000));
        connection.from_client = wire.substr(at, size);
        at += size;
        received += connection.read_all(buffer_bytes);
      }
      ASSERT_EQ(received, sent) << suite << " round " << round << ": " << connection.session->error_text();
      ASSERT_TRUE(connection.session->write(as_bytes(received), connection.output.sink()));
      connection.client.feed(as_bytes(connection.output.take()));
      ASSERT_EQ(connection.client.read(), sent) << suite << " round " << round;
    }
  }
}

// RFC 8446 7.3: HKDF-Expand-Label with an empty context, of one block of SHA-256.
std::vector<std::byte> expand_label(const std::string& secret, std::string_view label, size_t size) {
  std::string info = {'\0', static_cast<char>(size), static_cast<char>(6 + label.size())};
  info.append("tls13 ").append(label).append({'\0', '\1'});
  std::vector<std::byte> block(32);
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(info.data()), info.size(), reinterpret_cast<unsigned char*>(block.data()),
       nullptr);
  block.resize(size);
  return block;
}

// What the client has told SSLKEYLOGFILE under that label.
std::string logged_secret(const OpensslClient& client, std::string_view label) {
  for (const std::string& line : client.key_log()) {
    if (!line.starts_with(label) || line[label.size()] != ' ') continue;
    std::string secret;
    for (size_t at = line.rfind(' ') + 1; at + 1 < line.size(); at += 2)
      secret += static_cast<char>(std::stoi(line.substr(at, 2), nullptr, 16));
    return secret;
  }
  return {};
}

// With padding a record may be as long as one that is full of content, and no longer (RFC 8446 5.2, 5.4).
TEST(Session, RefusesARecordThatPaddingMakesTooLong) {
  for (const size_t inner_bytes : {16U * 1024 + 1, 16U * 1024 + 2, 16U * 1024 + 200, 17U * 1024}) {
    Connection connection(five_suites(), {.min_version = TLS1_3_VERSION, .tls13_ciphers = "TLS_AES_128_GCM_SHA256"});
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    const std::string secret = logged_secret(connection.client, "CLIENT_TRAFFIC_SECRET_0");
    ASSERT_EQ(secret.size(), 32U);
    const std::vector<std::byte> key = expand_label(secret, "key", 16);
    const std::vector<std::byte> nonce = expand_label(secret, "iv", gcm_nonce_bytes);  // of record 0

    std::vector<std::byte> inner(inner_bytes);
    inner[0] = std::byte{'x'};
    inner[1] = std::byte{23};
    const size_t length = inner_bytes + gcm_tag_bytes;
    const std::array header{std::byte{23}, std::byte{3}, std::byte{3}, static_cast<std::byte>(length >> 8),
                            static_cast<std::byte>(length)};
    connection.from_client = as_text(header);
    connection.from_client += as_text(test::encrypt_with_openssl(key, nonce, header, inner));
    const std::string read = connection.read_all(20'000);
    if (inner_bytes == 16U * 1024 + 1) {
      EXPECT_EQ(read, "x");
      EXPECT_EQ(connection.last_status, SessionStatus::need_input) << connection.session->error_text();
    } else {
      EXPECT_EQ(read, "") << inner_bytes;
      EXPECT_EQ(connection.last_status, SessionStatus::failed) << inner_bytes;
    }
  }
}

TEST(Session, TakesOnlyContentForContent) {
  Connection connection(five_suites(), {.min_version = TLS1_3_VERSION, .tls13_ciphers = "TLS_AES_128_GCM_SHA256"});
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  connection.client.send_key_update();
  connection.client.write("after new keys");
  connection.from_client = connection.client.take_output();
  EXPECT_EQ(connection.read_all(), "after new keys");
  connection.client.send_close_notify();
  connection.from_client = connection.client.take_output();
  EXPECT_EQ(connection.read_all(), "");
  EXPECT_EQ(connection.last_status, SessionStatus::closed);
}

TEST(Session, AnswersAKeyUpdateOnTheWay) {
  Connection connection(five_suites(), {.min_version = TLS1_3_VERSION});
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  for (int i = 0; i < 3; ++i) {
    connection.client.send_key_update();
    expect_echo(connection);
  }
}

// --- The end ---------------------------------------------------------------------------------------

TEST(Session, TellsCloseNotifyFromTruncation) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Connection connection(five_suites(), {.max_version = version});
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    connection.client.write("last words");
    connection.from_client = connection.client.take_output();
    EXPECT_EQ(connection.read_all(), "last words");
    EXPECT_EQ(connection.last_status, SessionStatus::need_input);  // as when the connection breaks off here

    connection.client.send_close_notify();
    connection.from_client = connection.client.take_output();
    EXPECT_EQ(connection.read_all(), "");
    EXPECT_EQ(connection.last_status, SessionStatus::closed);
    EXPECT_EQ(connection.read_all(), "");
    EXPECT_EQ(connection.last_status, SessionStatus::closed);
  }
}

TEST(Session, StillWritesAfterTheClientHasClosedItsHalf) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Connection connection(five_suites(), {.max_version = version});
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    connection.client.send_close_notify();
    connection.from_client = connection.client.take_output();
    EXPECT_EQ(connection.read_all(), "");
    EXPECT_EQ(connection.last_status, SessionStatus::closed);
    ASSERT_TRUE(connection.session->write(as_bytes("goodbye"), connection.output.sink()));
    connection.session->close(connection.output.sink());
    connection.client.feed(as_bytes(connection.output.take()));
    EXPECT_EQ(connection.client.read(), "goodbye");
    EXPECT_TRUE(connection.client.got_close_notify());
    EXPECT_EQ(connection.read_all(), "");
    EXPECT_EQ(connection.last_status, SessionStatus::closed);  // also when both have closed
  }
}

TEST(Session, WritesCloseNotifyOnceAndStillReads) {
  Connection connection(five_suites());
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  connection.session->close(connection.output.sink());
  const std::string notify = connection.output.take();
  EXPECT_FALSE(notify.empty());
  connection.session->close(connection.output.sink());
  EXPECT_TRUE(connection.output.text().empty());
  connection.client.write("crossed on the way");
  connection.from_client = connection.client.take_output();
  EXPECT_EQ(connection.read_all(), "crossed on the way");
  connection.client.feed(as_bytes(notify));
  EXPECT_EQ(connection.client.read(), "");
  EXPECT_TRUE(connection.client.got_close_notify());
  EXPECT_FALSE(connection.session->write(as_bytes("too late"), connection.output.sink()));
}

TEST(Session, RefusesARecordThatWasChangedOnTheWay) {
  for (const char* suite : {"ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"}) {
    const bool is_tls_1_3 = std::string_view(suite).starts_with("TLS_");
    Connection connection(five_suites(), is_tls_1_3 ? ClientOptions{.tls13_ciphers = suite} : only_tls_1_2(suite));
    ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
    connection.client.write("hello");
    connection.from_client = connection.client.take_output();
    connection.from_client.back() ^= 1;
    EXPECT_EQ(connection.read_all(), "");
    EXPECT_EQ(connection.last_status, SessionStatus::failed);
    EXPECT_TRUE(connection.session->error_text().contains("does not decrypt")) << connection.session->error_text();
    connection.client.feed(as_bytes(connection.output.take()));
    (void)connection.client.read();
    EXPECT_EQ(connection.client.received_alert(), kBadRecordMac) << suite;
    EXPECT_FALSE(connection.session->write(as_bytes("no"), connection.output.sink()));
    connection.session->close(connection.output.sink());
    EXPECT_TRUE(connection.output.text().empty());
  }
}

TEST(Session, RefusesGarbageAndSaysSoInTheClear) {
  for (const std::string_view garbage : {"GET / HTTP/1.1\r\n\r\n"sv, "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"sv,
                                         "\x16\x03\x01\x00\x00"sv, "\x17\x03\x03\x00\x01x"sv}) {
    Connection connection(five_suites());
    ConstBytes input = as_bytes(garbage);
    EXPECT_EQ(connection.session->handshake(input, connection.output.sink()), SessionStatus::failed);
    const std::string alert = connection.output.take();
    ASSERT_EQ(alert.size(), 7U);
    EXPECT_EQ(alert[0], 21);
    EXPECT_EQ(alert[5], 2);
    EXPECT_FALSE(connection.session->error_text().empty());
    EXPECT_EQ(connection.session->handshake(input, connection.output.sink()), SessionStatus::failed);
    EXPECT_TRUE(connection.output.text().empty());
  }
}

TEST(Session, SurvivesRandomBytesAtEveryStage) {
  Random random(3);
  for (int round = 0; round < 300; ++round) {
    ClientOptions options;
    if (round % 2 == 0) options.max_version = TLS1_2_VERSION;
    Connection connection(five_suites(), options);
    bool alive = true;
    for (int flight = 0; flight < 3 && alive; ++flight) {
      (void)connection.client.handshake();
      std::string wire = connection.client.take_output();
      for (unsigned changes = random.below(4); changes > 0 && !wire.empty(); --changes) {
        wire[random.below(static_cast<uint32_t>(wire.size()))] = static_cast<char>(random.next());
      }
      ConstBytes input = as_bytes(wire);
      while (!input.empty() && alive && !connection.session->is_handshake_done()) {
        ConstBytes piece = input.first(std::min<size_t>(input.size(), 1 + random.below(600)));
        const size_t offered = piece.size();
        const SessionStatus status = connection.session->handshake(piece, connection.output.sink());
        input = input.subspan(offered - piece.size());
        alive = status == SessionStatus::need_input || status == SessionStatus::ok;
        if (status == SessionStatus::failed) {
          EXPECT_FALSE(connection.session->error_text().empty());
        }
      }
      connection.client.feed(as_bytes(connection.output.take()));
    }
  }
}

TEST(Session, CanBeDestroyedInTheMiddleOfAHandshake) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    ClientOptions options{.max_version = version, .alpn = {"http/1.1"}};
    std::string hello = [&] {
      Connection connection(five_suites(), options);
      (void)connection.client.handshake();
      return connection.client.take_output();
    }();
    for (size_t size = 0; size <= hello.size(); size += 16) {
      Connection connection(five_suites(), options);
      ConstBytes input = as_bytes(std::string_view(hello).substr(0, size));
      EXPECT_EQ(connection.session->handshake(input, connection.output.sink()), SessionStatus::need_input);
      connection.context.reset();  // a reload: the session keeps what it needs
    }
  }
}

TEST(Session, FinishesAHandshakeAfterItsContextIsGone) {
  snapshot::TlsSettings settings = five_suites();
  settings.alpn = {"h2", "http/1.1"};
  Connection connection(settings, {.alpn = {"http/1.1", "h2"}});
  connection.context.reset();
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  EXPECT_EQ(connection.session->alpn_protocol(), "h2");
  expect_echo(connection);
}

TEST(Session, NamesTheAlertOfAClientThatDoesNotTrustTheCertificate) {
  Connection connection(five_suites(), only_tls_1_2());
  (void)connection.client.handshake();
  const std::string hello = connection.client.take_output();
  ConstBytes input = as_bytes(hello);
  ASSERT_EQ(connection.session->handshake(input, connection.output.sink()), SessionStatus::need_input);
  (void)connection.output.take();
  input = as_bytes(std::string_view("\x15\x03\x03\x00\x02\x02\x30", 7));  // fatal, unknown_ca
  EXPECT_EQ(connection.session->handshake(input, connection.output.sink()), SessionStatus::failed);
  EXPECT_TRUE(connection.session->error_text().contains("unknown_ca (48)")) << connection.session->error_text();
  EXPECT_TRUE(connection.output.text().empty());
}

TEST(Session, RefusesRenegotiation) {
  Connection connection(five_suites(), only_tls_1_2());
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  ASSERT_TRUE(connection.client.ask_for_renegotiation());
  connection.from_client = connection.client.take_output();
  ASSERT_FALSE(connection.from_client.empty());
  EXPECT_EQ(connection.read_all(), "");
  EXPECT_EQ(connection.last_status, SessionStatus::failed);
  connection.client.feed(as_bytes(connection.output.take()));
  (void)connection.client.read();
  EXPECT_EQ(connection.client.received_alert(), kUnexpectedMessage);
}

TEST(Session, EndsAFloodOfKeyUpdates) {
  Connection connection(five_suites(), {.min_version = TLS1_3_VERSION});
  ASSERT_EQ(connection.handshake(), SessionStatus::ok) << connection.session->error_text();
  size_t sent = 0;
  do {
    connection.client.send_key_update();
    connection.client.write("");  // makes OpenSSL send it
    (void)connection.client.handshake();
    connection.from_client = connection.client.take_output();
    ASSERT_FALSE(connection.from_client.empty());
    sent += connection.from_client.size();
    EXPECT_EQ(connection.read_all(), "");
    connection.client.feed(as_bytes(connection.output.take()));
    (void)connection.client.read();
  } while (connection.last_status == SessionStatus::need_input && sent < 4 * limits::tls_silent_bytes_max);
  EXPECT_EQ(connection.last_status, SessionStatus::failed);
  EXPECT_EQ(connection.client.received_alert(), kUnexpectedMessage);
  EXPECT_LE(sent, limits::tls_silent_bytes_max + 100);
}

}  // namespace
}  // namespace sluice::tls

// What an ACME server gets that asks a shard whether it is who it says, over HTTP and over TLS (by OpenSSL).
#include "shard/shard.h"

#include "loopback.h"
#include "openssl_client.h"
#include "test_pairs.h"

#include "tls/client_hello.h"
#include "tls/server_context.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sluice::shard {
namespace {

using test::OpensslClient;

std::shared_ptr<tls::ServerContext> context_with(const test::Pem& pem, std::vector<std::string> alpn) {
  EXPECT_TRUE(tls::initialize().has_value());
  const snapshot::TlsSettings settings{.cipher_suites = {"ECDHE-RSA-AES128-GCM-SHA256"}, .alpn = std::move(alpn)};
  auto context = tls::ServerContext::create(test::server(settings, pem.certificate, pem.key));
  EXPECT_TRUE(context.has_value()) << context.error().message;
  return context ? *context : nullptr;
}

class AcmeChallengesTest : public testing::Test {
 protected:
  AcmeChallengesTest() { EXPECT_TRUE(shard_.start().has_value()); }
  ~AcmeChallengesTest() override {
    shard_.begin_stop();
    shard_.join();
  }

  // A listener that serves a.example, with these challenges.
  SocketAddress serve(bool is_tls, snapshot::AcmeChallenges challenges) {
    const Result<int> fd = io::open_listener(test::any_port);
    EXPECT_TRUE(fd.has_value()) << fd.error().message;
    const SocketAddress address = io::local_address(*fd);
    shard_.give_listeners({{.address = address, .fd = *fd}});
    auto snapshot = test::snapshot_of({address});
    snapshot->challenges = std::make_shared<const snapshot::AcmeChallenges>(std::move(challenges));
    if (is_tls) {
      snapshot->listeners[0].is_tls = true;
      snapshot->listeners[0].server_names.add("a.example", 0);
      snapshot->listeners[0].tls_servers.emplace_back().context = context_with(test::rsa_2048(), {"http/1.1"});
    }
    cell_.publish(std::move(snapshot));
    shard_.wake();
    EXPECT_TRUE(test::wait_until([&] { return cell_.adopted_by_all(1); }));
    return address;
  }

  // The handshake and what follows, until the shard ends the connection or has said something behind a handshake.
  static void talk(OpensslClient& client, const SocketAddress& address) {
    const auto socket = io::BlockingSocket::connect(address, io::deadline_in(test::patience));
    ASSERT_TRUE(socket.has_value()) << socket.error().message;
    std::array<std::byte, 16 * 1024> room;
    while (true) {
      if (client.handshake()) client.read();
      if (const std::string output = client.take_output(); !output.empty()) {
        ASSERT_TRUE(socket->write_all(as_bytes(output), io::deadline_in(test::patience)));
      }
      if (client.got_close_notify()) return;
      const Result<size_t> count = socket->read(room, io::deadline_in(test::patience));
      if (!count || *count == 0) return;
      client.feed(ConstBytes(room).first(*count));
    }
  }

  snapshot::Cell cell_{1};
  Shard shard_{0, 1, std::nullopt, cell_};
};

TEST_F(AcmeChallengesTest, Http01) {
  const SocketAddress address = serve(false, {.key_authorizations = {{"token", "token.thumbprint"}}});
  test::Speaker server = test::call(address);
  server.say("GET /.well-known/acme-challenge/token HTTP/1.1\r\nhost: a.example\r\n\r\n");
  EXPECT_TRUE(server.hears("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(server.hears("\r\n\r\ntoken.thumbprint"));
  server.say("GET /.well-known/acme-challenge/another HTTP/1.1\r\nhost: a.example\r\n\r\n");
  EXPECT_TRUE(server.hears("HTTP/1.1 404 Not Found\r\n")) << "there is no route";
}

// The certificate is the answer: the connection ends with the handshake, also for a name that no server has.
TEST_F(AcmeChallengesTest, TlsAlpn01) {
  const std::string acme(tls::acme_tls_alpn);
  const auto challenge = context_with(test::other_rsa_2048(), {acme});
  const SocketAddress address = serve(true, {.certificates = {{"a.example", challenge}, {"new.example", challenge}}});
  for (const char* name : {"a.example", "new.example"}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      OpensslClient client({.max_version = version, .server_name = name, .alpn = {acme}});
      talk(client, address);
      EXPECT_TRUE(client.is_handshake_done()) << name;
      EXPECT_EQ(client.alpn(), acme);
      EXPECT_TRUE(client.got_close_notify());
    }
  }
}

TEST_F(AcmeChallengesTest, TlsAlpn01IsForNobodyElse) {
  const std::string acme(tls::acme_tls_alpn);
  const SocketAddress address =
      serve(true, {.certificates = {{"new.example", context_with(test::other_rsa_2048(), {acme})}}});
  OpensslClient of_another_name({.server_name = "a.example", .alpn = {acme}});
  talk(of_another_name, address);
  EXPECT_FALSE(of_another_name.is_handshake_done());
  EXPECT_EQ(of_another_name.received_alert(), 120) << "no_application_protocol";
  OpensslClient with_other_protocols({.server_name = "new.example", .alpn = {acme, "http/1.1"}});
  talk(with_other_protocols, address);
  EXPECT_FALSE(with_other_protocols.is_handshake_done()) << "no server has that name";
}

}  // namespace
}  // namespace sluice::shard

// Connections to an upstream that is told by a PROXY header who the client is, in the simulated world: each names its
// own client, whatever carries the request.
#include "proxy/borrowed_upstream.h"

#include "dialogue.h"
#include "http2_ends.h"
#include "transport/proxy_header.h"

#include <gtest/gtest.h>

namespace sluice::proxy {
namespace {

using sim::Dialogue;
using sim::Speaker;
using snapshot::ProxyProtocol;
using namespace std::chrono_literals;

const SocketAddress tcp_listener = *SocketAddress::parse("192.0.2.100:5432");

std::unique_ptr<snapshot::Snapshot> naming_snapshot(ProxyProtocol version, snapshot::UpstreamHttp http) {
  auto made = sim::one_upstream_snapshot();
  made->topology.expects_proxy_header = true;
  made->clusters[0].proxy_protocol = version;
  made->clusters[0].http = http;
  snapshot::RouteTable& table = made->route_tables.emplace_back();
  snapshot::TcpRoute& route = table.tcp_routes.emplace_back();
  route.destinations.push_back({.cluster = 0});
  route.total_weight = 1;
  snapshot::Listener& tcp = made->listeners.emplace_back();
  tcp.address = tcp_listener;
  tcp.is_tcp = true;
  tcp.route_table = 1;
  return made;
}

transport::ProxiedAddresses addresses_of(unsigned client) {
  return {*SocketAddress::parse("203.0.113." + std::to_string(client) + ":5555"),
          *SocketAddress::parse("198.51.100.1:443")};
}

class NamingDialogue : public Dialogue {
 public:
  explicit NamingDialogue(ProxyProtocol version = ProxyProtocol::v1,
                          snapshot::UpstreamHttp http = snapshot::UpstreamHttp::http1)
      : Dialogue(1, sim::fine_weather(), {}, naming_snapshot(version, http)) {}

  // A client as the load balancer in front names it.
  Speaker& connect_client(unsigned number, const SocketAddress& listener = sim::dialogue_listen_address) {
    Speaker& client = connect(listener);
    client.say(transport::write_proxy_header(ProxyProtocol::v2, addresses_of(number)));
    return client;
  }
  // What the `index`th connection has heard, as soon as that is something.
  std::string heard(size_t index) {
    EXPECT_TRUE(until([&] { return upstream_count() > index && !upstream(index).heard().empty(); }));
    settle();
    return upstream_count() > index ? upstream(index).heard() : "";
  }
};

const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

std::string header_of(unsigned client, ProxyProtocol version = ProxyProtocol::v1) {
  return transport::write_proxy_header(version, addresses_of(client));
}

TEST(NamedClient, IsWhatEveryConnectionBeginsWith) {
  for (const ProxyProtocol version : {ProxyProtocol::v1, ProxyProtocol::v2}) {
    NamingDialogue dialogue(version);
    dialogue.connect_client(1).say(get);
    EXPECT_TRUE(dialogue.heard(0).starts_with(header_of(1, version) + "GET / HTTP/1.1\r\n")) << dialogue.heard(0);
  }
}

TEST(NamedClient, HasAConnectionToTheUpstreamForEachRequest) {
  NamingDialogue dialogue;
  Speaker& first = dialogue.connect_client(1);
  size_t count = 0;
  for (const unsigned number : {1U, 1U, 2U}) {
    Speaker& client = number == 1 ? first : dialogue.connect_client(number);
    client.say(get);
    EXPECT_TRUE(dialogue.heard(count).starts_with(header_of(number) + "GET")) << dialogue.heard(count);
    dialogue.upstream(count).say(ok);
    ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream(count).has_ended(); })) << "it is not kept";
    dialogue.settle();
    EXPECT_TRUE(client.heard().ends_with("ok"));
    ++count;
  }
  EXPECT_EQ(dialogue.gateway().services().upstreams.reuse_count, 0U);
}

TEST(NamedClient, IsToldAnewWhenARequestIsSentAgain) {
  NamingDialogue dialogue;
  Speaker& client = dialogue.connect_client(1);
  dialogue.connect_error = ECONNREFUSED;
  client.say(get);
  dialogue.settle(2ms);
  dialogue.connect_error = 0;
  EXPECT_TRUE(dialogue.heard(0).starts_with(header_of(1) + "GET")) << dialogue.heard(0);
}

TEST(NamedClient, IsToldAtOnceWhereTheUpstreamSpeaksFirst) {
  NamingDialogue dialogue;
  Speaker& client = dialogue.connect_client(3, tcp_listener);
  EXPECT_EQ(dialogue.heard(0), header_of(3));
  dialogue.upstream().say("220 ready\r\n");
  client.say("HELO x\r\n");
  dialogue.settle();
  EXPECT_EQ(client.heard(), "220 ready\r\n");
  EXPECT_EQ(dialogue.upstream().heard(), header_of(3) + "HELO x\r\n");
}

TEST(NamedClient, SharesNoConnectionOfHttp2) {
  NamingDialogue dialogue(ProxyProtocol::v2, snapshot::UpstreamHttp::http2);
  for (const unsigned number : {1U, 2U}) {
    Speaker& client = dialogue.connect_client(number);
    client.say(get);
    const size_t index = number - 1;
    EXPECT_TRUE(
        dialogue.heard(index).starts_with(header_of(number, ProxyProtocol::v2) + std::string(test::client_magic)));
    const size_t before_request = dialogue.upstream(index).heard().size();
    dialogue.upstream(index).say(test::frame(test::Frame::settings, 0, 0) +
                                 test::frame(test::Frame::settings, test::ack, 0));
    dialogue.settle();
    EXPECT_GT(dialogue.upstream(index).heard().size(), before_request);
  }
  EXPECT_EQ(dialogue.upstream_count(), 2U);
  // The first one's answer: its connection ends, and the other one's does not.
  dialogue.upstream(0).say(test::frame(test::Frame::headers, test::end_headers | test::end_stream, 1, "\x88"));
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream(0).has_ended(); }));
  EXPECT_FALSE(dialogue.upstream(1).has_ended());
}

// Its client has gone while the connection was opening.
TEST(NamedClient, LeavesNoConnectionOfHttp2Behind) {
  NamingDialogue dialogue(ProxyProtocol::v2, snapshot::UpstreamHttp::http2);
  Speaker& client = dialogue.connect_client(1);
  client.say(get);
  EXPECT_NE(dialogue.heard(0), "");
  client.reset();
  dialogue.settle();
  dialogue.upstream(0).say(test::frame(test::Frame::settings, 0, 0));
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream(0).has_ended(); }));
  EXPECT_EQ(dialogue.gateway().services().upstreams.connection_count(), 0U);
}

TEST(NamedClient, IsToldToMirrorsToo) {
  auto snapshot = naming_snapshot(ProxyProtocol::v1, snapshot::UpstreamHttp::http1);
  snapshot->routes[0].mirrors.resize(1);
  Dialogue dialogue(1, sim::fine_weather(), {}, std::move(snapshot));
  Speaker& client = dialogue.connect();
  client.say(header_of(9, ProxyProtocol::v2) + get);
  ASSERT_TRUE(dialogue.until([&] { return dialogue.upstream_count() == 2; }));
  dialogue.settle();
  for (const size_t index : {0U, 1U})
    EXPECT_TRUE(dialogue.upstream(index).heard().starts_with(header_of(9) + "GET")) << dialogue.upstream(index).heard();
}

}  // namespace
}  // namespace sluice::proxy

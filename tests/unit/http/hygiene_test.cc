#include "http/hygiene.h"

#include "base/limits.h"
#include "snapshot/gateway_topology.h"
#include "support/http_reading.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <memory>
#include <regex>

namespace sluice::http {
namespace {

using namespace std::chrono_literals;

// A request as the reader understood it.
struct Request {
  explicit Request(std::string_view text) : text_(text), arena(limits::exchange_arena_bytes_max), head(arena) {
    Http1Reader reader(Http1Reader::Role::requests);
    reader.begin_request(head);
    EXPECT_EQ(reader.read_head(as_bytes(text_)).progress, Progress::done) << text << reader.error_text();
  }

  std::string text_;
  Arena arena;
  RequestHead head;
};

struct Response {
  explicit Response(std::string_view lines) : arena(limits::exchange_arena_bytes_max), head(arena) {
    Http1Reader reader(Http1Reader::Role::responses);
    reader.begin_response(head, "GET");
    const std::string text = fmt::format("HTTP/1.1 200 OK\r\n{}\r\n", lines);
    EXPECT_EQ(reader.read_head(as_bytes(text)).progress, Progress::done) << text << reader.error_text();
  }

  Arena arena;
  ResponseHead head;
};

std::string with_lines(std::string_view lines) { return fmt::format("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", lines); }

ForwardingFacts facts_of(std::string_view ip = "192.0.2.7", bool is_tls = true) {
  return {.peer = SocketAddress::from_ip(ip, 1234).value(),
          .is_tls = is_tls,
          .request_id = {0x0123456789abcdef, 0xfedcba9876543210}};
}

// What every request gets, from 192.0.2.7 over TLS.
constexpr std::string_view added =
    "x-forwarded-for: 192.0.2.7\nx-forwarded-proto: https\nx-request-id: 01234567-89ab-4def-bedc-ba9876543210\n"
    "x-envoy-external-address: 192.0.2.7\nx-envoy-attempt-count: 1\n";

std::string prepared(std::string_view lines) {
  Request request(with_lines(lines));
  EXPECT_EQ(prepare_request(request.head, facts_of()), Prepared::ok);
  return test::fields_text(request.head.headers);
}

TEST(RequestHygiene, TellsOnlyOfACertificateThatWasShownToUs) {
  constexpr std::string_view forged = "X-Forwarded-Client-Cert: Subject=\"CN=admin\"\r\n";
  EXPECT_EQ(prepared(forged), "host: a\n" + std::string(added));
  Request request(with_lines(forged));
  ForwardingFacts facts = facts_of();
  facts.client_certificate = "Hash=01;Subject=\"CN=client\";URI=";
  EXPECT_EQ(prepare_request(request.head, facts), Prepared::ok);
  EXPECT_EQ(test::fields_text(request.head.headers),
            "host: a\n" + std::string(added) + "x-forwarded-client-cert: Hash=01;Subject=\"CN=client\";URI=\n");
}

// Its peer stands in no list of addresses; who is trusted is the proxy at the other end of the socket.
TEST(RequestHygiene, NamesNobodyWhoComesThroughAUnixSocket) {
  struct {
    uint32_t trusted_proxies;
    std::string_view forwarded_for;
    std::string_view client;  // "": nobody
  } cases[] = {
      {0, "", ""},
      {0, "1.1.1.1", ""},
      {1, "", ""},
      {1, "1.1.1.1", "1.1.1.1"},
      {2, "1.1.1.1", ""},
      {1, "2.2.2.2, 1.1.1.1", "1.1.1.1"},
      {2, "2.2.2.2, 1.1.1.1", "2.2.2.2"},
      {1, "unknown", ""},
  };
  for (const auto& each : cases) {
    ForwardingFacts facts = facts_of();
    facts.peer = {.family = SocketAddress::Family::unix_socket};
    facts.trusted_proxies = each.trusted_proxies;
    Request request(
        with_lines(each.forwarded_for.empty() ? "" : fmt::format("X-Forwarded-For: {}\r\n", each.forwarded_for)));
    EXPECT_EQ(prepare_request(request.head, facts), Prepared::ok);
    SCOPED_TRACE(fmt::format("{} trusted, \"{}\"", each.trusted_proxies, each.forwarded_for));
    EXPECT_EQ(request.head.headers.find("x-forwarded-for").value_or(""), each.forwarded_for);
    EXPECT_EQ(request.head.headers.find("x-envoy-external-address").value_or(""), each.client);
    EXPECT_EQ(request.head.headers.count("x-forwarded-for"), each.forwarded_for.empty() ? 0u : 1u);
    EXPECT_EQ(request.head.client->is_ip(), !each.client.empty());
  }
}

// The mode of MeshConfig, whether the client has shown a certificate, and what came: what the upstream is told.
TEST(RequestHygiene, ForwardsClientCertificatesAsTheModeSays) {
  using snapshot::ForwardClientCert;
  constexpr std::string_view ours = "Hash=01;URI=", one = "X-Forwarded-Client-Cert: a\r\n",
                             two = "X-Forwarded-Client-Cert: a\r\nAccept: x\r\nx-forwarded-client-cert: b,c\r\n",
                             empty = "X-Forwarded-Client-Cert:\r\n";
  struct {
    ForwardClientCert mode;
    bool is_mutual;
    std::string_view without, with_empty, with_one, with_two;  // "": no field
  } cases[] = {
      {ForwardClientCert::sanitize, false, "", "", "", ""},
      {ForwardClientCert::sanitize, true, "", "", "", ""},
      {ForwardClientCert::forward_only, false, "", "", "", ""},
      {ForwardClientCert::forward_only, true, "", "", "a", "a,b,c"},
      {ForwardClientCert::append_forward, false, "", "", "", ""},
      {ForwardClientCert::append_forward, true, "Hash=01;URI=", "Hash=01;URI=", "a,Hash=01;URI=", "a,b,c,Hash=01;URI="},
      {ForwardClientCert::sanitize_set, false, "", "", "", ""},
      {ForwardClientCert::sanitize_set, true, "Hash=01;URI=", "Hash=01;URI=", "Hash=01;URI=", "Hash=01;URI="},
      {ForwardClientCert::always_forward_only, false, "", "", "a", "a,b,c"},
      {ForwardClientCert::always_forward_only, true, "", "", "a", "a,b,c"},
  };
  for (const auto& each : cases) {
    const snapshot::GatewayTopology topology{.forward_client_cert = each.mode};
    ForwardingFacts facts = facts_of();
    if (each.is_mutual && topology.tells_client_cert()) facts.client_certificate = ours;
    facts.keeps_client_certificates = topology.keeps_client_certs(each.is_mutual);
    const auto told = [&](std::string_view lines) {
      Request request(with_lines(lines));
      EXPECT_EQ(prepare_request(request.head, facts), Prepared::ok);
      EXPECT_LE(request.head.headers.count("x-forwarded-client-cert"), 1u);
      return std::string(request.head.headers.find("x-forwarded-client-cert").value_or(""));
    };
    SCOPED_TRACE(fmt::format("mode {} mutual {}", static_cast<int>(each.mode), each.is_mutual));
    EXPECT_EQ(told(""), each.without);
    EXPECT_EQ(told(empty), each.with_empty);
    EXPECT_EQ(told(one), each.with_one);
    EXPECT_EQ(told(two), each.with_two);
  }
}

TEST(RequestHygiene, DoesNotLetConnectionRemoveWhatProxiesSay) {
  Request request(
      with_lines("Connection: x-forwarded-client-cert, x-forwarded-proto\r\nX-Forwarded-Client-Cert: a\r\n"
                 "X-Forwarded-Proto: https\r\n"));
  ForwardingFacts facts = facts_of("192.0.2.7", false);
  facts.keeps_client_certificates = true;
  facts.trusted_proxies = 1;
  ASSERT_EQ(prepare_request(request.head, facts), Prepared::ok);
  EXPECT_EQ(request.head.headers.find("x-forwarded-client-cert"), "a");
  EXPECT_EQ(request.head.headers.find("x-forwarded-proto"), "https");
}

TEST(RequestHygiene, RefusesClientCertificatesBeyondTheBoundOfAHead) {
  Request request(with_lines("X-Forwarded-Client-Cert: a\r\n"));
  const std::string element(limits::exchange_arena_bytes_max, 'x');
  ForwardingFacts facts = facts_of();
  facts.client_certificate = element;
  facts.keeps_client_certificates = true;
  EXPECT_EQ(prepare_request(request.head, facts), Prepared::too_large);
}

// x-forwarded-for as it came from 192.0.2.7, and whom the request is from with 0, 1, 2 and 3 trusted proxies.
TEST(RequestHygiene, TakesTheClientFromTrustedProxies) {
  constexpr std::string_view peer = "192.0.2.7";
  struct {
    std::string_view lines;
    std::array<std::string_view, 4> clients;
  } cases[] = {
      {"", {peer, peer, peer, peer}},
      {"X-Forwarded-For: 10.0.0.1\r\n", {peer, "10.0.0.1", peer, peer}},
      {"X-Forwarded-For: 10.0.0.3,10.0.0.2 ,\t10.0.0.1\r\n", {peer, "10.0.0.1", "10.0.0.2", "10.0.0.3"}},
      {"X-Forwarded-For: 10.0.0.4, 10.0.0.3, 10.0.0.2, 10.0.0.1\r\n", {peer, "10.0.0.1", "10.0.0.2", "10.0.0.3"}},
      {"X-Forwarded-For: 10.0.0.2\r\nX-Forwarded-For: 10.0.0.1\r\n", {peer, "10.0.0.1", "10.0.0.2", peer}},
      {"X-Forwarded-For: 2001:DB8:0::1, ::1\r\n", {peer, "::1", "2001:db8::1", peer}},
      {"X-Forwarded-For: 10.0.0.2, unknown\r\n", {peer, peer, "10.0.0.2", peer}},
      {"X-Forwarded-For: 10.0.0.2,\r\n", {peer, peer, "10.0.0.2", peer}},
      {"X-Forwarded-For: ,,\r\n", {peer, peer, peer, peer}},
      {"X-Forwarded-For: 10.0.0.3:80, [::1], 10.0.0.256\r\n", {peer, peer, peer, peer}},
      {"X-Forwarded-For: 10.1, 010.0.0.1, fe80::1%eth0\r\n", {peer, peer, peer, peer}},
      {"X-Forwarded-For: 10.0.0.1 10.0.0.2\r\n", {peer, peer, peer, peer}},
      {"X-Forwarded-For: 1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd\r\n",
       {peer, peer, peer, peer}},
  };
  for (const auto& each : cases) {
    for (uint32_t proxies = 0; proxies < each.clients.size(); ++proxies) {
      SCOPED_TRACE(fmt::format("{} proxies: {}", proxies, each.lines));
      Request request(with_lines(each.lines));
      ForwardingFacts facts = facts_of(peer);
      facts.trusted_proxies = proxies;
      ASSERT_EQ(prepare_request(request.head, facts), Prepared::ok);
      EXPECT_EQ(request.head.headers.find("x-envoy-external-address"), each.clients[proxies]);
      EXPECT_EQ(request.head.headers.count("x-envoy-external-address"), 1u);
      ASSERT_TRUE(request.head.client);
      EXPECT_EQ(request.head.client->ip_text(), each.clients[proxies]);
      EXPECT_EQ(request.head.client->port, each.clients[proxies] == peer ? 1234 : 0);
      EXPECT_TRUE(request.head.headers.find("x-forwarded-for")->ends_with(peer)) << "the peer is appended in any case";
    }
  }
}

TEST(RequestHygiene, TrustsMoreProxiesThanAnyHeadCanName) {
  Request request(with_lines("X-Forwarded-For: 10.0.0.1\r\n"));
  ForwardingFacts facts = facts_of();
  facts.trusted_proxies = std::numeric_limits<uint32_t>::max();
  ASSERT_EQ(prepare_request(request.head, facts), Prepared::ok);
  EXPECT_EQ(request.head.client, facts.peer);
}

TEST(RequestHygiene, KeepsTheSchemeThatTrustedProxiesSay) {
  struct {
    std::string_view lines;
    uint32_t proxies;
    bool is_tls;
    std::string_view expected;
  } cases[] = {
      {"X-Forwarded-Proto: https\r\n", 0, false, "http"},
      {"X-Forwarded-Proto: http\r\n", 0, true, "https"},
      {"X-Forwarded-Proto: https\r\n", 1, false, "https"},
      {"X-Forwarded-Proto: http\r\n", 1, true, "http"},
      {"X-Forwarded-Proto: http\r\n", 2, false, "http"},
      {"", 1, true, "https"},
      {"", 1, false, "http"},
      {"X-Forwarded-Proto:\r\n", 1, true, "https"},
      {"X-Forwarded-Proto: ftp\r\n", 1, true, "https"},
      {"X-Forwarded-Proto: ftp\r\n", 1, false, "http"},
      {"X-Forwarded-Proto: HTTPS\r\n", 1, false, "http"},
      {"X-Forwarded-Proto: https,http\r\n", 1, false, "http"},
      {"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: https\r\n", 1, false, "http"},
  };
  for (const auto& each : cases) {
    Request request(with_lines(each.lines));
    ForwardingFacts facts = facts_of("192.0.2.7", each.is_tls);
    facts.trusted_proxies = each.proxies;
    ASSERT_EQ(prepare_request(request.head, facts), Prepared::ok);
    EXPECT_EQ(request.head.headers.find("x-forwarded-proto"), each.expected) << each.lines << each.proxies;
    EXPECT_EQ(request.head.headers.count("x-forwarded-proto"), 1u);
    EXPECT_EQ(request.head.is_https, each.expected == "https");
  }
}

TEST(RequestHygiene, AddsWhatTheEdgeKnowsOfTheClient) {
  EXPECT_EQ(prepared("Accept: */*\r\n"), fmt::format("host: a\naccept: */*\n{}", added));
}

TEST(RequestHygiene, RemovesWhatEndsHere) {
  for (const std::string_view lines : {
           "Connection: close\r\n",
           "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n",
           "Proxy-Connection: keep-alive\r\n",
           "TE: gzip\r\n",
           "TE:\r\n",
           "TE: trailersx\r\n",
           "Trailer: x\r\n",
           "Expect: 100-continue\r\n",
           "Upgrade: h2c\r\nHTTP2-Settings: x\r\nConnection: upgrade, http2-settings\r\n",
           "Content-Length: 5\r\n",
           "Transfer-Encoding: chunked\r\n",
           "X-Forwarded-Client-Cert: Hash=1\r\n",
           "X-Forwarded-Proto: https\r\n",
           "X-Request-Id: mine\r\n",
           "X-Request-ID: a\r\nx-request-id: b\r\n",
           "x-envoy-internal: true\r\n",
           "X-Envoy-Retry-On: 5xx\r\n",
           "x-envoy-retry-grpc-on: x\r\n",
           "x-envoy-max-retries: 9\r\n",
           "x-envoy-upstream-alt-stat-name: x\r\n",
           "x-envoy-upstream-rq-timeout-ms: 1\r\n",
           "x-envoy-upstream-rq-per-try-timeout-ms: 1\r\n",
           "x-envoy-upstream-rq-timeout-alt-response: 1\r\n",
           "x-envoy-expected-rq-timeout-ms: 1\r\n",
           "x-envoy-force-trace: 1\r\n",
           "x-envoy-ip-tags: 1\r\n",
           "x-envoy-decorator-operation: x\r\n",
           "x-envoy-downstream-service-cluster: x\r\n",
           "x-envoy-downstream-service-node: x\r\n",
           "x-envoy-external-address: 10.0.0.1\r\n",
           "x-envoy-attempt-count: 7\r\n",
           "x-envoy-peer-metadata: x\r\n",
           "x-envoy-original-path: /x\r\n",
           "Connection: X-Mine\r\nX-Mine: 1\r\nx-mine: 2\r\n",
           "Connection: close, x-a ,X-B\r\nX-A: 1\r\nX-B: 2\r\n",
       }) {
    EXPECT_EQ(prepared(lines), fmt::format("host: a\n{}", added)) << lines;
  }
}

TEST(RequestHygiene, KeepsWhatIsForTheUpstream) {
  for (const std::string_view kept :
       {"cookie: a=b", "authorization: Bearer x", "x-forwarded-host: x", "x-forwarded-port: 80", "forwarded: for=x",
        "via: 1.1 x", "traceparent: 00-x", "x-b3-traceid: x", "x-envoy: x", "xenvoy-internal: x", "x-real-ip: 1.1.1.1",
        "te-x: x", "tee: x"}) {
    EXPECT_EQ(prepared(fmt::format("{}\r\n", kept)), fmt::format("host: a\n{}\n{}", kept, added));
  }
}

TEST(RequestHygiene, KeepsTeOnlyForTrailers) {
  for (const std::string_view te : {"trailers", "Trailers", "gzip, trailers", "trailers , deflate;q=0.5"}) {
    EXPECT_EQ(prepared(fmt::format("TE: {}\r\nConnection: TE\r\n", te)),
              fmt::format("host: a\nte: trailers\n{}", added))
        << te;
  }
  EXPECT_EQ(prepared("TE: trailers\r\nTE: trailers\r\n"), fmt::format("host: a\nte: trailers\n{}", added));
}

TEST(RequestHygiene, DoesNotLetConnectionRemoveTheHost) {
  EXPECT_EQ(prepared("Connection: host, x-forwarded-for, x-request-id\r\n"), fmt::format("host: a\n{}", added));
}

TEST(RequestHygiene, AppendsThePeerToForwardedFor) {
  struct {
    std::string_view lines, expected;
  } cases[] = {
      {"X-Forwarded-For: 10.1.1.1\r\n", "10.1.1.1,192.0.2.7"},
      {"X-Forwarded-For: 10.1.1.1, 10.2.2.2\r\n", "10.1.1.1, 10.2.2.2,192.0.2.7"},
      {"X-Forwarded-For: a\r\nAccept: x\r\nx-forwarded-for: b\r\n", "a,b,192.0.2.7"},
      {"X-Forwarded-For: not an address\r\n", "not an address,192.0.2.7"},
      {"X-Forwarded-For:\r\n", "192.0.2.7"},
  };
  for (const auto& [lines, expected] : cases) {
    Request request(with_lines(lines));
    ASSERT_EQ(prepare_request(request.head, facts_of()), Prepared::ok);
    EXPECT_EQ(request.head.headers.find("x-forwarded-for"), expected);
    EXPECT_EQ(request.head.headers.count("x-forwarded-for"), 1U);
    EXPECT_EQ(request.head.headers.find("x-envoy-external-address"), "192.0.2.7");
  }
}

TEST(RequestHygiene, WritesEveryKindOfPeer) {
  for (const std::string_view ip :
       {"0.0.0.0", "255.255.255.255", "10.0.0.1", "::1", "2001:db8::7", "fe80:1111:2222:3333:4444:5555:6666:7777"}) {
    Request request(with_lines(""));
    ASSERT_EQ(prepare_request(request.head, facts_of(ip, false)), Prepared::ok);
    EXPECT_EQ(request.head.headers.find("x-forwarded-for"), ip);
    EXPECT_EQ(request.head.headers.find("x-forwarded-proto"), "http");
  }
}

TEST(RequestHygiene, MakesRequestIdsThatAreUuidsOfVersion4) {
  const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  Random random(7);
  for (int i = 0; i < 100; ++i) {
    Request request(with_lines("X-Request-Id: client\r\n"));
    EXPECT_EQ(request_id(request.head), "");
    ForwardingFacts facts = facts_of();
    facts.request_id[0] = random.next();
    facts.request_id[1] = random.next();
    ASSERT_EQ(prepare_request(request.head, facts), Prepared::ok);
    EXPECT_TRUE(std::regex_match(std::string(request_id(request.head)), uuid)) << request_id(request.head);
    EXPECT_EQ(request.head.headers.find("x-request-id"), request_id(request.head));
  }
}

TEST(RequestHygiene, NormalizesThePathAndOnlyThePath) {
  struct {
    std::string_view target, path, upstream;
  } cases[] = {
      {"/a", "/a", "/a"},
      {"/a?b", "/a", "/a?b"},
      {"/a?", "/a", "/a?"},
      {"/a/../b?x=/../y%41", "/b", "/b?x=/../y%41"},
      {"/a/%2e%2E/b?", "/b", "/b?"},
      {"/%41/.", "/A/", "/A/"},
      {"http://a/x/../y?z", "/y", "/y?z"},
      {"http://a/x?z", "/x", "/x?z"},
      {"http://a?z", "/", "/?z"},
      {"http://a", "/", "/"},
  };
  for (const auto& [target, path, upstream] : cases) {
    Request request(fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target));
    ASSERT_EQ(prepare_request(request.head, facts_of()), Prepared::ok);
    EXPECT_EQ(request.head.path, path) << target;
    EXPECT_EQ(upstream_target(request.head), upstream) << target;
  }
  for (const auto& [line, upstream] : {std::pair{"OPTIONS *", "*"}, std::pair{"OPTIONS http://a", "*"},
                                       std::pair{"OPTIONS http://a/", "/"}, std::pair{"CONNECT a:443", "a:443"}}) {
    Request request(fmt::format("{} HTTP/1.1\r\nHost: a\r\n\r\n", line));
    ASSERT_EQ(prepare_request(request.head, facts_of()), Prepared::ok);
    EXPECT_EQ(upstream_target(request.head), upstream) << line;
  }
}

TEST(RequestHygiene, GivesTheTargetUnchangedWithoutCopyingIt) {
  Request request("GET /a/b?c HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(prepare_request(request.head, facts_of()), Prepared::ok);
  EXPECT_EQ(upstream_target(request.head).data(), request.head.target.data());
}

TEST(RequestHygiene, RefusesPathsThatCannotBeNormalized) {
  for (const std::string_view target : {"/%00", "/a%", "/%zz/b", "/%4", "http://a/%00"}) {
    Request request(fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target));
    EXPECT_EQ(prepare_request(request.head, facts_of()), Prepared::bad_path) << target;
  }
}

TEST(RequestHygiene, NormalisesThePathAsFarAsIsAskedFor) {
  const auto target = [](PathNormalization normalization) {
    Request request("GET /a/../b//c%2fd?x=//%2f HTTP/1.1\r\nHost: a\r\n\r\n");
    ForwardingFacts facts = facts_of();
    facts.path_normalization = normalization;
    EXPECT_EQ(prepare_request(request.head, facts), Prepared::ok);
    return std::string(upstream_target(request.head));
  };
  EXPECT_EQ(target(PathNormalization::none), "/a/../b//c%2fd?x=//%2f");
  EXPECT_EQ(target(PathNormalization::base), "/b//c%2fd?x=//%2f");
  EXPECT_EQ(target(PathNormalization::merge_slashes), "/b/c%2fd?x=//%2f");
  EXPECT_EQ(target(PathNormalization::decode_and_merge_slashes), "/b/c/d?x=//%2f");
}

TEST(RequestHygiene, GivesAWebSocketOverHttp2AKey) {
  for (const bool is_websocket : {true, false}) {
    Request request(with_lines("sec-websocket-key: theirs\r\n"));
    request.head.version = Version::http_2;
    request.head.wants_upgrade = true;
    request.head.upgrade = is_websocket ? "WebSocket" : "other";
    ASSERT_EQ(prepare_request(request.head, facts_of()), Prepared::ok);
    EXPECT_EQ(request.head.headers.find("sec-websocket-key"), is_websocket ? "782riWdFIwEQMlR2mLrc/g==" : "theirs");
    EXPECT_EQ(request.head.headers.count("sec-websocket-key"), 1U);
  }
  Request http1(with_lines("Connection: upgrade\r\nUpgrade: websocket\r\nsec-websocket-key: theirs\r\n"));
  ASSERT_TRUE(http1.head.wants_upgrade);
  ASSERT_EQ(prepare_request(http1.head, facts_of()), Prepared::ok);
  EXPECT_EQ(http1.head.headers.find("sec-websocket-key"), "theirs");
}

TEST(RequestHygiene, GivesEveryRequestAHost) {
  Request without("GET / HTTP/1.0\r\n\r\n");
  ASSERT_EQ(prepare_request(without.head, facts_of()), Prepared::ok);
  EXPECT_EQ(without.head.headers.find("host"), "");
  Request absolute("GET http://b.example:81/ HTTP/1.0\r\n\r\n");
  ASSERT_EQ(prepare_request(absolute.head, facts_of()), Prepared::ok);
  EXPECT_EQ(absolute.head.headers.find("host"), "b.example:81");
}

TEST(RequestHygiene, HasRoomForARequestWithAllFieldsThatAreAllowed) {
  std::string lines;
  for (size_t i = 1; i < limits::header_count_max; ++i) lines += "x: y\r\n";
  Request request(with_lines(lines));
  EXPECT_EQ(prepare_request(request.head, facts_of()), Prepared::ok);
}

TEST(RequestHygiene, SaysWhenTheArenaIsFull) {
  Arena arena(900);  // the list's first fields and nothing more
  RequestHead head(arena);
  head.path = "/";
  ASSERT_TRUE(head.headers.add("host", "a"));
  while (arena.allocate(16, 1) != nullptr) {
  }
  EXPECT_EQ(prepare_request(head, facts_of()), Prepared::too_large);
  head.path = "/a/../b";
  EXPECT_EQ(prepare_request(head, facts_of()), Prepared::too_large);
}

TEST(ResponseHygiene, SetsWhatTheGatewaySays) {
  Response response(
      "Server: nginx\r\nserver: other\r\nX-Envoy-Upstream-Service-Time: 99\r\nDate: yesterday\r\nContent-Length: "
      "3\r\n");
  ASSERT_TRUE(prepare_response(response.head, 12'999'999ns, WallTime(0s)));
  EXPECT_EQ(test::fields_text(response.head.headers),
            "date: yesterday\nserver: istio-envoy\nx-envoy-upstream-service-time: 12\n");
}

TEST(ResponseHygiene, AddsADateWhenTheUpstreamHasNone) {
  Response response("X: y\r\n");
  ASSERT_TRUE(prepare_response(response.head, 0ns, WallTime(784111777s)));
  EXPECT_EQ(test::fields_text(response.head.headers),
            "x: y\nserver: istio-envoy\nx-envoy-upstream-service-time: 0\ndate: Sun, 06 Nov 1994 08:49:37 GMT\n");
  // The texts are the response's own: the cache of dates moves on.
  (void)http_date(WallTime(0s));
  EXPECT_EQ(response.head.headers.find("date"), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(ResponseHygiene, RemovesWhatEndsHere) {
  for (const std::string_view lines :
       {"Connection: close\r\n", "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n",
        "Transfer-Encoding: chunked\r\n", "Content-Length: 7\r\n", "Upgrade: h2c\r\n", "Trailer: x\r\n",
        "Proxy-Connection: close\r\n", "x-envoy-peer-metadata: a\r\nx-envoy-peer-metadata-id: b\r\n",
        "x-envoy-decorator-operation: x\r\n"}) {
    Response response(lines);
    ASSERT_TRUE(prepare_response(response.head, 5ms, WallTime(0s)));
    EXPECT_EQ(test::fields_text(response.head.headers),
              "server: istio-envoy\nx-envoy-upstream-service-time: 5\ndate: Thu, 01 Jan 1970 00:00:00 GMT\n")
        << lines;
  }
}

TEST(ResponseHygiene, KeepsWhatIsForTheClient) {
  Response response("Set-Cookie: a=b\r\nset-cookie: c=d\r\nX-Envoy-Overloaded: true\r\nX-Request-Id: 7\r\nVia: x\r\n");
  ASSERT_TRUE(prepare_response(response.head, 5ms, WallTime(0s)));
  EXPECT_TRUE(test::fields_text(response.head.headers)
                  .starts_with(
                      "set-cookie: a=b\nset-cookie: c=d\nx-envoy-overloaded: true\nx-request-id: 7\nvia: x\nserver: "));
}

TEST(HttpDate, IsWrittenAsRfc9110Demands) {
  struct {
    int64_t seconds;
    std::string_view text;
  } cases[] = {
      {0, "Thu, 01 Jan 1970 00:00:00 GMT"},          {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
      {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},  {1767225599, "Wed, 31 Dec 2025 23:59:59 GMT"},
      {1795601704, "Wed, 25 Nov 2026 10:15:04 GMT"}, {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
  };
  for (const auto& [seconds, text] : cases) {
    EXPECT_EQ(http_date(WallTime(std::chrono::seconds(seconds))), text);
    EXPECT_EQ(http_date(WallTime(std::chrono::seconds(seconds) + 999ms)), text);
  }
}

TEST(HttpsLocation, KeepsHostPathAndQueryAsTheyCame) {
  struct {
    std::string_view line, host, location;
  } cases[] = {
      {"GET /", "example.com", "https://example.com/"},
      {"GET /a?b=c", "Example.COM:8080", "https://Example.COM:8080/a?b=c"},
      {"POST /a?", "a", "https://a/a?"},
      {"GET http://a/x?y", "a", "https://a/x?y"},
      {"OPTIONS *", "a", "https://a/"},
      {"GET /", "[::1]:80", "https://[::1]:80/"},
      {"GET /", "", ""},
  };
  for (const auto& [line, host, location] : cases) {
    Request request(fmt::format("{} HTTP/1.1\r\nHost: {}\r\n\r\n", line, host));
    EXPECT_EQ(https_location(request.head), location) << line;
  }
}

// --- out of the cluster ----------------------------------------------------------------------------

std::vector<std::string> fields_of(const HeaderList& headers) {
  std::vector<std::string> fields;
  for (const auto& [name, value] : headers) fields.push_back(fmt::format("{}: {}", name, value));
  return fields;
}

TEST(PrepareOutboundRequest, LeavesWhatIsNotAboutTheConnection) {
  Request request(
      "GET http://a.example/x/../y HTTP/1.1\r\nHost: a.example\r\nConnection: x-mine\r\nX-Mine: 1\r\n"
      "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic YTpi\r\nAuthorization: Bearer t\r\n"
      "X-Forwarded-For: 10.0.0.1\r\nX-Envoy-Internal: true\r\nX-Request-Id: mine\r\n\r\n");
  const SocketAddress peer = *SocketAddress::from_ip("10.1.1.1", 5);
  ASSERT_EQ(prepare_outbound_request(request.head, peer, /*is_tls=*/false), Prepared::ok);
  EXPECT_EQ(fields_of(request.head.headers),
            (std::vector<std::string>{"host: a.example", "authorization: Bearer t", "x-forwarded-for: 10.0.0.1",
                                      "x-envoy-internal: true", "x-request-id: mine"}));
  EXPECT_EQ(upstream_target(request.head), "/x/../y");
  EXPECT_EQ(request_id(request.head), "mine");
  EXPECT_EQ(request.head.client, peer);
}

TEST(PrepareOutboundRequest, AddsAHostWhereOldClientsHaveNone) {
  Request request("GET http://a.example:8080/ HTTP/1.0\r\n\r\n");
  ASSERT_EQ(prepare_outbound_request(request.head, {}, /*is_tls=*/false), Prepared::ok);
  EXPECT_EQ(fields_of(request.head.headers), (std::vector<std::string>{"host: a.example:8080"}));
  EXPECT_EQ(request.head.port, 8080);
}

TEST(PrepareOutboundResponse, LeavesWhatIsNotAboutTheConnection) {
  Response response("Server: theirs\r\nKeep-Alive: timeout=5\r\nX-Envoy-Upstream-Service-Time: 7\r\nDate: then\r\n");
  ASSERT_TRUE(prepare_outbound_response(response.head, WallTime()));
  EXPECT_EQ(fields_of(response.head.headers),
            (std::vector<std::string>{"server: theirs", "x-envoy-upstream-service-time: 7", "date: then"}));
}

TEST(PrepareOutboundResponse, SaysTheDateWhereNobodyHasSaidIt) {
  Response response("Server: theirs\r\n");
  ASSERT_TRUE(prepare_outbound_response(response.head, WallTime()));
  EXPECT_EQ(response.head.headers.find("date"), "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
}  // namespace sluice::http

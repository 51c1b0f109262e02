#include "config/snapshot_hash.h"

#include "config_testing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace sluice::config {
namespace {

const std::vector<std::string>& documents() {
  static const std::vector<std::string> all = {
      gateway("one",
              "[{port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*.example.com'], tls: {mode: SIMPLE, "
              "credentialName: certs}}]"),
      gateway("two",
              "[{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.example.com, b.example.com]}, {port: "
              "{number: 81, name: other, protocol: HTTP}, hosts: ['*']}]"),
      virtual_service("a",
                      "hosts: [a.example.com], gateways: [one, two], http: [{match: [{uri: {prefix: /a/}}], headers: "
                      "{request: {set: {x-set: '%PROTOCOL%', Host: to.example}, remove: [x-gone]}, response: {add: "
                      "{x-added: one}}}, route: [{destination: {host: app.example}}]}]"),
      virtual_service(
          "b",
          "hosts: [b.example.com], gateways: [two], http: [{route: [{destination: {host: other.example}, "
          "weight: 1}, {destination: {host: app.example}, weight: 2, headers: {request: {set: {x-to: app}}}}]}]"),
      std::string(app_entry),
      "apiVersion: v1\nkind: Secret\nmetadata: {name: certs, namespace: istio-system}\nstringData: {tls.crt: chain, "
      "tls.key: key}\n---\n",
      // TLS with clients, TCP, passthrough, and TLS to a destination.
      "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: three, annotations: "
      "{sluice.io/ticket-key-secret: tickets}}\nspec: {servers: [{port: {number: 8443, name: mutual, protocol: HTTPS}, "
      "hosts: ['*'], tls: {mode: MUTUAL, credentialName: clients, subjectAltNames: [x, y], verifyCertificateSpki: "
      "[AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=], verifyCertificateHash: "
      "['000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff']}}, {port: {number: 9443, name: passed, "
      "protocol: TLS}, hosts: ['*'], tls: {mode: PASSTHROUGH}}, {port: {number: 9000, name: tcp, protocol: TCP}, "
      "hosts: "
      "['*']}]}\n---\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: clients, namespace: istio-system}\nstringData: {tls.crt: chain, "
      "tls.key: key, ca.crt: clients-ca, ca.crl: revoked, tls.ocsp-staple: MAMKAQA=}\n---\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: tickets, namespace: istio-system}\nstringData: {current: "
      "'CURRENT7890123456name-and-then-key-material-1234', previous: "
      "'PREVIOUS890123456name-and-then-key-material-1234'}\n---\n",
      virtual_service("c",
                      "hosts: ['*.passed.example.com'], gateways: [three], tls: [{match: [{sniHosts: "
                      "[a.passed.example.com]}], route: [{destination: {host: app.example}}]}], tcp: [{route: "
                      "[{destination: {host: other.example}}]}]"),
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: rule}\nspec: {host: app.example, "
      "trafficPolicy: {loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {connectTimeout: 2s}}, tls: {mode: "
      "MUTUAL, "
      "credentialName: upstream, sni: sni.example, subjectAltNames: [z.example]}, proxyProtocol: {version: "
      "V2}}}\n---\n",
      "apiVersion: v1\nkind: Secret\nmetadata: {name: upstream, namespace: istio-system}\nstringData: {tls.crt: "
      "upstream-chain, tls.key: upstream-key, ca.crt: upstream-ca}\n---\n",
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'defaultConfig: "
      "{gatewayTopology: {numTrustedProxies: 1}}'}\n---\n",
  };
  return all;
}

std::string hash_of(std::vector<SourceText> texts) {
  const Loaded loaded = load_documents(std::move(texts));
  return loaded.snapshot ? loaded.snapshot->hash : loaded.diagnostics.at(0);
}

std::string joined(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) result += text;
  return result;
}

// The hash when one text of the documents is replaced by another.
std::string changed(std::string_view from, std::string_view to) {
  std::string text = joined(documents());
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return hash_of({{"all.yaml", text.replace(at, from.size(), to)}});
}

TEST(SnapshotHash, IsTheSameForEveryFileLayout) {
  const std::string expected = hash_of({{"all.yaml", joined(documents())}});
  ASSERT_EQ(expected.size(), 32u);
  EXPECT_TRUE(std::ranges::all_of(expected, [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }))
      << expected;

  std::vector<SourceText> one_each;
  for (const std::string& document : documents())
    one_each.push_back({"file" + std::to_string(one_each.size()) + ".yaml", document});
  EXPECT_EQ(hash_of(one_each), expected);
  // No two of these documents conflict, so neither their order nor the spelling matters.
  std::ranges::reverse(one_each);
  EXPECT_EQ(hash_of(one_each), expected);
  std::ranges::rotate(one_each, one_each.begin() + 2);
  EXPECT_EQ(hash_of(one_each), expected);
  EXPECT_EQ(changed("prefix: /a/", "prefix:    \"/a/\"  "), expected);
  EXPECT_EQ(changed("a.example.com", "A.EXAMPLE.com"), expected);
}

TEST(SnapshotHash, ChangesWithEveryChangeOfMeaning) {
  std::set<std::string> hashes{hash_of({{"all.yaml", joined(documents())}})};
  const std::pair<std::string_view, std::string_view> changes[] = {
      {"number: 443", "number: 8443"},
      {"'*.example.com'", "'*.a.example.com'"},
      {"prefix: /a/", "prefix: /b/"},
      {"prefix: /a/", "exact: /a/"},
      {"weight: 2", "weight: 3"},
      {"'%PROTOCOL%'", "'%DURATION%'"},
      {"set: {x-set: '%PROTOCOL%', Host: to.example}", "add: {x-set: '%PROTOCOL%'}, set: {Host: to.example}"},
      {"x-set:", "y-set:"},
      {"to.example", "from.example"},
      {"[x-gone]", "[]"},
      {"x-added: one", "x-added: two"},
      {"x-to: app", "x-to: other"},
      {"127.0.0.1", "127.0.0.2"},
      {"tls.crt: chain", "tls.crt: other"},
      {"mode: SIMPLE", "mode: SIMPLE, minProtocolVersion: TLSV1_3"},
      {"mode: SIMPLE", "mode: SIMPLE, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256]"},
      {"gateways: [two]", "gateways: [one]"},
      {"'*']}", "'*'], tls: {httpsRedirect: true}}"},
      {"mode: MUTUAL, credentialName: clients", "mode: OPTIONAL_MUTUAL, credentialName: clients"},
      {"[x, y]", "[x]"},
      {"AAECAw", "BAECAw"},
      {"1eff", "1eee"},
      {"clients-ca", "other-ca"},
      {"revoked", "revoked-too"},
      {"MAMKAQA=", "MAMKAQE="},
      {"CURRENT7890", "CURRENT789x"},
      {"PREVIOUS890", "PREVIOUS89x"},
      {"name: tcp, protocol: TCP", "name: tcp, protocol: HTTP"},
      {"name: tcp, protocol: TCP", "name: tcp, protocol: GRPC-WEB"},
      {"protocol: TLS}, hosts: ['*'], tls: {mode: PASSTHROUGH}",
       "protocol: TLS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: certs}"},
      {"[a.passed.example.com]", "[b.passed.example.com]"},
      {"tcp: [{route: [{destination: {host: other.example}", "tcp: [{route: [{destination: {host: app.example}"},
      {"simple: RANDOM", "simple: ROUND_ROBIN"},
      {"connectTimeout: 2s", "connectTimeout: 3s"},
      {"connectionPool: {tcp", "connectionPool: {http: {http2MaxRequests: 1}, tcp"},
      {"connectionPool: {tcp", "connectionPool: {http: {http1MaxPendingRequests: 1}, tcp"},
      {"connectionPool: {tcp", "connectionPool: {http: {maxRetries: 1}, tcp"},
      {"connectionPool: {tcp", "connectionPool: {http: {maxRequestsPerConnection: 1}, tcp"},
      {"connectionPool: {tcp", "connectionPool: {http: {idleTimeout: 1s}, tcp"},
      {"connectionPool: {tcp", "connectionPool: {http: {http2KeepAlive: {interval: 1s, timeout: 1s}}, tcp"},
      {"connectionPool: {tcp: {", "connectionPool: {tcp: {idleTimeout: 1s, "},
      {"connectionPool: {tcp: {", "connectionPool: {tcp: {maxConnectionDuration: 1s, "},
      {"connectionPool: {tcp: {", "connectionPool: {tcp: {tcpKeepalive: {probes: 1}, "},
      {"mode: MUTUAL, credentialName: upstream", "mode: SIMPLE, credentialName: upstream"},
      {"sni: sni.example", "sni: other.example"},
      {"[z.example]", "[zz.example]"},
      {"upstream-chain", "another-chain"},
      {"upstream-ca", "another-ca"},
      {"version: V2", "version: V1"},
      {", proxyProtocol: {version: V2}", ""},
      {"numTrustedProxies: 1", "numTrustedProxies: 2"},
      {"numTrustedProxies: 1", "numTrustedProxies: 1, proxyProtocol: {}"},
      {"mode: MUTUAL, credentialName: upstream, sni: sni.example, subjectAltNames: [z.example]", "mode: DISABLE"},
  };
  for (const auto& [from, to] : changes) {
    EXPECT_TRUE(hashes.insert(changed(from, to)).second) << from << " -> " << to;
  }
}

TEST(SnapshotHash, DoesNotDependOnThePrivateKey) {
  EXPECT_EQ(changed("tls.key: upstream-key", "tls.key: another"), hash_of({{"all.yaml", joined(documents())}}));
  EXPECT_EQ(changed("material-1234', previous", "material-9999', previous"),
            hash_of({{"all.yaml", joined(documents())}}))
      << "of a ticket key only the name";
  EXPECT_EQ(changed("tls.key: key", "tls.key: another encoding of it"), hash_of({{"all.yaml", joined(documents())}}));
}

TEST(SnapshotHash, DoesNotMixUpNeighbouringTexts) {
  snapshot::Snapshot one;
  one.clusters.push_back({.name = "ab", .host = "c"});
  snapshot::Snapshot two;
  two.clusters.push_back({.name = "a", .host = "bc"});
  EXPECT_NE(snapshot_hash(one), snapshot_hash(two));
  EXPECT_NE(snapshot_hash(one), snapshot_hash({}));
}

}  // namespace
}  // namespace sluice::config

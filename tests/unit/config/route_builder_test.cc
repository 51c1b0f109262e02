#include "config/route_builder.h"

#include "config_testing.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

constexpr std::string_view to_app = "route: [{destination: {host: app.example}}]";

std::string http_server(std::string_view hosts, std::string_view more = "") {
  return "[{port: {number: 80, name: http, protocol: HTTP}, hosts: " + std::string(hosts) + std::string(more) + "}]";
}

// A VirtualService of Gateway gw whose routes have these names, for requests to /NAME; "*" is for all.
std::string routes(std::string_view name, std::string_view hosts, const std::vector<std::string_view>& paths,
                   std::string_view gateways = "[gw]") {
  std::string http;
  for (const std::string_view path : paths) {
    const std::string match = path == "*" ? "" : "match: [{uri: {exact: /" + std::string(path) + "}}], ";
    http += (http.empty() ? "" : ", ") + std::string("{name: '") + std::string(path) + "', " + match +
            std::string(to_app) + "}";
  }
  return virtual_service(
      name, "hosts: " + std::string(hosts) + ", gateways: " + std::string(gateways) + ", http: [" + http + "]");
}

std::span<const snapshot::RequestMatch> matches_of(const snapshot::Snapshot& snapshot,
                                                   const snapshot::VirtualHost& host) {
  if (!host.route_list) return {};
  return snapshot.route_lists.at(*host.route_list).matches();
}

// "host1(route route) host2(redirect)" of the only table, in the order in which they are.
std::string flat(const Loaded& loaded) {
  if (!loaded.snapshot) return "errors";
  std::string result;
  for (const snapshot::RouteTable& table : loaded.snapshot->route_tables) {
    for (const snapshot::VirtualHost& host : table.virtual_hosts) {
      std::string inner = host.https_redirect ? "redirect" : "";
      for (const snapshot::RequestMatch& match : matches_of(*loaded.snapshot, host))
        inner += (inner.empty() ? "" : " ") + snapshot::route_name(loaded.snapshot->routes.at(match.route), match);
      result += (result.empty() ? "" : " ") + host.pattern + "(" + inner + ")";
    }
  }
  return result;
}

std::string flat(const std::string& documents) { return flat(load_document(documents + std::string(app_entry))); }

TEST(VirtualHosts, AreTheIntersectionOfBothHosts) {
  const auto both = [](std::string_view server, std::string_view service) {
    return flat(gateway("gw", http_server(server)) + routes("vs", service, {"*"}));
  };
  EXPECT_EQ(both("['*']", "[a.example.com]"), "a.example.com(*)");
  EXPECT_EQ(both("['*.example.com']", "[a.example.com, a.b.example.com]"), "a.example.com(*) a.b.example.com(*)");
  EXPECT_EQ(both("[a.example.com]", "['*.example.com']"), "a.example.com(*)");
  EXPECT_EQ(both("[a.example.com, b.example.com, c.example.org]", "['*.example.com']"),
            "a.example.com(*) b.example.com(*)");
  EXPECT_EQ(both("['*.a.example.com']", "['*.example.com']"), "*.a.example.com(*)");
  EXPECT_EQ(both("['*']", "['*']"), "*(*)");
  EXPECT_EQ(both("[A.Example.com]", "[a.example.COM]"), "a.example.com(*)");
  EXPECT_EQ(both("['*.example.com']", "[example.com]"), "");
  EXPECT_EQ(both("['*.example.com', a.example.com, '*']", "[a.example.com]"), "a.example.com(*)")
      << "once, not for each host that covers it";
}

TEST(VirtualHosts, HonourTheNamespaceOfServerHosts) {
  const auto with = [](std::string_view server) {
    return flat(gateway("gw", http_server(server)) + routes("vs", "[a.example.com]", {"*"}));
  };
  EXPECT_EQ(with("['default/*']"), "a.example.com(*)");
  EXPECT_EQ(with("['./*']"), "a.example.com(*)");
  EXPECT_EQ(with("['*/*']"), "a.example.com(*)");
  EXPECT_EQ(with("['other/*']"), "");
}

TEST(VirtualHosts, AreBoundByGatewayNamesWithAndWithoutNamespace) {
  const auto with = [](std::string_view gateways) {
    return flat(gateway("gw", http_server("['*']")) + routes("vs", "[a.example.com]", {"*"}, gateways));
  };
  EXPECT_EQ(with("[gw]"), "a.example.com(*)");
  EXPECT_EQ(with("[default/gw]"), "a.example.com(*)");
  EXPECT_EQ(with("[mesh, gw, gw, default/gw]"), "a.example.com(*)");
  EXPECT_EQ(with("[other/gw]"), "");
  EXPECT_EQ(with("[mesh]"), "");
}

TEST(VirtualHosts, HaveTheRoutesOfSeveralVirtualServicesWithCatchAllsLast) {
  EXPECT_EQ(flat(std::string(plain_gateway) + routes("one", "[a.example.com]", {"a", "*"}) +
                 routes("two", "[a.example.com]", {"b"})),
            "a.example.com(a b *)");
}

TEST(VirtualHosts, OrderVirtualServicesByAge) {
  const auto dated = [](std::string text, std::string_view created) {
    return text.replace(text.find("metadata: {"), 11, "metadata: {creationTimestamp: '" + std::string(created) + "', ");
  };
  EXPECT_EQ(flat(std::string(plain_gateway) + dated(routes("young", "[a.example.com]", {"y"}), "2026-02-01T00:00:00Z") +
                 dated(routes("old", "[a.example.com]", {"o"}), "2026-01-01T00:00:00Z") +
                 routes("undated", "[a.example.com]", {"u"})),
            "a.example.com(u o y)");
}

// Found by tests/property: the order was the one in which the VirtualService names the Gateways.
TEST(VirtualHosts, TakeTheServersOfAPortByTheAgeOfTheirGateways) {
  EXPECT_EQ(flat(gateway("older", http_server("['*']")) + gateway("newer", http_server("['*']")) +
                 virtual_service("vs",
                                 "hosts: ['*'], gateways: [newer, older], http: [{name: of-newer, match: "
                                 "[{gateways: [newer]}], " +
                                     std::string(to_app) + "}, {name: all, " + std::string(to_app) + "}]")),
            "*(all)");
}

TEST(VirtualHosts, AreFilledInTheTableOfEachServer) {
  const Loaded loaded = load_document(gateway("gw",
                                              "[{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']}, {port: "
                                              "{number: 81, name: b, protocol: HTTP}, hosts: ['*']}]") +
                                      routes("vs", "[a.example.com]", {"*"}) + std::string(app_entry));
  EXPECT_EQ(flat(loaded), "a.example.com(*) a.example.com(*)");
  EXPECT_EQ(loaded.snapshot->clusters.size(), 1u) << "one cluster for all that go there";
}

TEST(Redirect, NeedsNoVirtualService) {
  EXPECT_EQ(flat(gateway("gw", http_server("['*.example.com', example.com]", ", tls: {httpsRedirect: true}"))),
            "*.example.com(redirect) example.com(redirect)");
}

TEST(Redirect, TakesTheRoutesOfVirtualServicesOfItsServer) {
  EXPECT_EQ(flat(gateway("gw", http_server("['*.example.com']", ", tls: {httpsRedirect: true}")) +
                 routes("vs", "[a.example.com]", {"*"})),
            "a.example.com(redirect) *.example.com(redirect)");
}

TEST(Redirect, KeepsTheRoutesForWhatTrustedProxiesCallHttps) {
  const std::string documents = gateway("gw", http_server("[a.example.com]", ", tls: {httpsRedirect: true}")) +
                                virtual_service("a",
                                                "hosts: [a.example.com], gateways: [gw], http: [{route: [{destination: "
                                                "{host: app.example}}]}]") +
                                std::string(app_entry);
  const auto routes_with = [&](std::string_view proxies) {
    const Loaded loaded =
        load_document(documents +
                      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: "
                      "'defaultConfig: {gatewayTopology: {numTrustedProxies: " +
                      std::string(proxies) + "}}'}\n");
    const snapshot::VirtualHost& host = loaded.snapshot->route_tables.at(0).virtual_hosts.at(0);
    EXPECT_TRUE(host.https_redirect);
    return matches_of(*loaded.snapshot, host).size();
  };
  EXPECT_EQ(routes_with("0"), 0u);
  EXPECT_EQ(routes_with("1"), 1u);
}

TEST(Redirect, WinsOverAServerWithoutForTheSameHost) {
  const std::string plain = gateway("plain", http_server("[a.example.com]"));
  const std::string redirecting =
      gateway("redirecting", http_server("[a.example.com]", ", tls: {httpsRedirect: true}"));
  const std::string service = routes("vs", "[a.example.com]", {"*"}, "[plain]");
  EXPECT_EQ(flat(plain + redirecting + service), "a.example.com(redirect)");
  EXPECT_EQ(flat(redirecting + plain + service), "a.example.com(redirect)");
}

TEST(Redirect, LeavesAMoreSpecificHostOfAnotherServerAlone) {
  EXPECT_EQ(flat(gateway("redirecting", http_server("['*.example.com']", ", tls: {httpsRedirect: true}")) +
                 gateway("plain", http_server("[a.example.com]")) + routes("vs", "[a.example.com]", {"*"}, "[plain]")),
            "a.example.com(*) *.example.com(redirect)");
}

TEST(Routes, MatchPathsExactlyByPrefixOrAll) {
  const Loaded loaded =
      load_document(std::string(plain_gateway) +
                    virtual_service("vs",
                                    "hosts: [a.example.com], gateways: [gw], http: [{name: x, match: [{uri: {exact: "
                                    "/a}}, {uri: {prefix: /b/}}], " +
                                        std::string(to_app) + "}, {match: [{}], " + std::string(to_app) + "}]") +
                    std::string(app_entry));
  ASSERT_NE(loaded.snapshot, nullptr);
  const std::span matches = matches_of(*loaded.snapshot, loaded.snapshot->route_tables.at(0).virtual_hosts.at(0));
  ASSERT_EQ(matches.size(), 3u);
  EXPECT_EQ(matches[0].path.kind, snapshot::TextMatch::Kind::exact);
  EXPECT_EQ(matches[0].path.text, "/a");
  EXPECT_EQ(matches[1].path.kind, snapshot::TextMatch::Kind::prefix);
  EXPECT_EQ(matches[1].path.text, "/b/");
  EXPECT_EQ(matches[1].route, matches[0].route);
  EXPECT_EQ(matches[2].path.kind, snapshot::TextMatch::Kind::any);
  EXPECT_EQ(loaded.snapshot->routes.at(matches[0].route).place.to_string(), "test.yaml:13:55");
}

TEST(Routes, AreOfTheDocumentsAndServersThatTheyNameForPeople) {
  const Loaded loaded = load_document(
      gateway("gw", http_server("['*']")) +
      virtual_service("one", "hosts: [a.test], gateways: [gw], http: [{route: [{destination: {host: app.example}}]}]") +
      virtual_service("two", "hosts: [b.test], gateways: [gw], http: [{match: [{uri: {exact: /x}}], " +
                                 std::string(to_app) + "}]") +
      std::string(app_entry));
  ASSERT_TRUE(loaded.snapshot);
  const snapshot::Snapshot& snapshot = *loaded.snapshot;
  const snapshot::RequestMatch& match = matches_of(snapshot, snapshot.route_tables[0].virtual_hosts[1])[0];
  const snapshot::Route& route = snapshot.routes[match.route];
  EXPECT_EQ(snapshot.virtual_services.at(route.virtual_service).title, "VirtualService default/two");
  EXPECT_LT(snapshot.virtual_services.at(route.virtual_service).place.line, route.place.line);
  EXPECT_EQ(match.line, route.place.line) << "both are in one line here";
  ASSERT_EQ(snapshot.listeners[0].plain_servers.size(), 1U);
  const snapshot::GatewayServer& server = snapshot.gateway_servers.at(snapshot.listeners[0].plain_servers[0]);
  EXPECT_EQ(server.gateway + " " + server.port_name, "default/gw http");
  EXPECT_EQ(snapshot.route_tables[0].virtual_hosts[1].gateway_server, snapshot.listeners[0].plain_servers[0]);
}

TEST(Routes, HaveTheTimeoutThatIsWritten) {
  const Loaded loaded =
      load_document(std::string(plain_gateway) +
                    virtual_service("vs", "hosts: [a.example.com], gateways: [gw], http: [{timeout: 1.5s, " +
                                              std::string(to_app) + "}]") +
                    std::string(app_entry));
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_EQ(loaded.snapshot->routes.at(0).timeout, std::chrono::milliseconds(1500));
}

// The matches before the one that takes everything keep their place when other VirtualServices follow.
TEST(Routes, SplitARouteWhoseLastMatchTakesEverything) {
  EXPECT_EQ(flat(std::string(plain_gateway) +
                 virtual_service("one",
                                 "hosts: [a.example.com], gateways: [gw], http: [{name: one, match: [{uri: {exact: "
                                 "/a}}, {uri: {prefix: /}}], " +
                                     std::string(to_app) + "}]") +
                 routes("two", "[a.example.com]", {"b"})),
            "a.example.com(one b one)");
}

TEST(Routes, OfDelegatesTakeThePlaceOfTheRouteThatDelegates) {
  const Loaded loaded = load_document(
      std::string(plain_gateway) +
      virtual_service("root",
                      "hosts: [a.example.com], gateways: [gw], http: [{name: shop, match: [{name: m, uri: {prefix: "
                      "/shop/}, headers: {x: {exact: a}}}, {uri: {exact: /more}}], delegate: {name: shop}, timeout: "
                      "5s}, {name: rest, " +
                          std::string(to_app) + "}]") +
      virtual_service("shop",
                      "http: [{name: cart, timeout: 1s, match: [{uri: {prefix: /shop/cart/}, headers: {y: {}}}], " +
                          std::string(to_app) + "}, {" + std::string(to_app) + "}]") +
      std::string(app_entry));
  EXPECT_EQ(flat(loaded), "a.example.com(shop-cart.m shop.m shop rest)");
  ASSERT_NE(loaded.snapshot, nullptr);
  const std::span matches = loaded.snapshot->route_lists.at(0).matches();
  EXPECT_EQ(matches[0].path.text, "/shop/cart/");
  ASSERT_EQ(matches[0].conditions.size(), 2u);
  EXPECT_EQ(matches[0].conditions[0].name, "y");
  EXPECT_EQ(matches[0].conditions[1].name, "x");
  EXPECT_EQ(loaded.snapshot->routes.at(matches[0].route).timeout, std::chrono::seconds(1));
  EXPECT_EQ(matches[1].path.text, "/shop/");
  EXPECT_EQ(matches[2].path.text, "/more");
  EXPECT_EQ(loaded.snapshot->routes.at(matches[2].route).timeout, std::chrono::seconds(5));
}

TEST(Routes, OfDelegatesAreOfTheDelegatesDocument) {
  const Loaded loaded = load_document(
      std::string(plain_gateway) +
      virtual_service("root",
                      "hosts: [a.example.com], gateways: [gw], http: [{name: shop, match: [{uri: {prefix: /shop/}}], "
                      "delegate: {name: shop}}, {name: rest, " +
                          std::string(to_app) + "}]") +
      virtual_service("shop", "http: [{match: [{uri: {prefix: /shop/cart/}}], " + std::string(to_app) + "}, {" +
                                  std::string(to_app) + "}]") +
      std::string(app_entry));
  ASSERT_NE(loaded.snapshot, nullptr);
  std::vector<std::string> titles;
  for (const snapshot::RequestMatch& match : loaded.snapshot->route_lists.at(0).matches()) {
    const snapshot::Route& route = loaded.snapshot->routes.at(match.route);
    titles.push_back(loaded.snapshot->virtual_services.at(route.virtual_service).title);
  }
  EXPECT_EQ(titles, (std::vector<std::string>{"VirtualService default/shop", "VirtualService default/shop",
                                              "VirtualService default/root"}));
}

// "share host" of each.
std::string mirrors_of(const std::string& routes, const std::string& more = "") {
  const Loaded loaded = load_document(std::string(plain_gateway) +
                                      virtual_service("vs", "hosts: [a.test], gateways: [gw], http: [" + routes + "]") +
                                      more + std::string(app_entry));
  if (!loaded.snapshot) return "errors";
  std::string result;
  for (const snapshot::Mirror& mirror : loaded.snapshot->routes.at(0).mirrors) {
    result += (result.empty() ? "" : " ") + std::to_string(mirror.share) + " " +
              loaded.snapshot->clusters.at(mirror.cluster).host;
  }
  return result;
}

TEST(Mirrors, GetEverythingOrTheirShare) {
  const auto with = [](std::string_view mirror) {
    return mirrors_of("{" + std::string(mirror) + ", " + std::string(to_app) + "}");
  };
  EXPECT_EQ(with("mirror: {host: other.example}"), "1000000 other.example");
  EXPECT_EQ(with("mirror: {host: other.example}, mirrorPercent: 7"), "70000 other.example");
  EXPECT_EQ(with("mirror: {host: other.example}, mirrorPercent: 7, mirrorPercentage: {value: 0.5}"),
            "5000 other.example");
  EXPECT_EQ(with("mirror: {host: other.example}, mirrorPercentage: {}"), "");
  EXPECT_EQ(with("mirror: {host: other.example}, mirrorPercent: 0"), "");
  EXPECT_EQ(with("mirrors: [{destination: {host: app.example}}, {destination: {host: other.example}, percentage: "
                 "{value: 1}}, {destination: {host: app.example}, percentage: {value: 0}}]"),
            "1000000 app.example 10000 other.example");
  EXPECT_EQ(with("mirror: {host: unknown.example}"), "");
}

TEST(Mirrors, OfTheRootAreForDelegatesWithoutAnyAndMeanServicesOfItsNamespace) {
  const auto with = [](std::string_view mirror) {
    return mirrors_of("{delegate: {name: leaf, namespace: inner}, mirror: {host: app}}",
                      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: leaf, namespace: "
                      "inner}\nspec: {http: [{" +
                          std::string(mirror) + std::string(to_app) +
                          "}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: app, namespace: "
                          "default}\nspec: {clusterIP: 127.0.0.1, ports: [{port: 80}]}\n---\n");
  };
  EXPECT_EQ(with(""), "1000000 app.default.svc.cluster.local");
  EXPECT_EQ(with("mirror: {host: other.example}, "), "1000000 other.example");
  EXPECT_EQ(with("mirrors: [{destination: {host: other.example}}], "),
            "1000000 app.default.svc.cluster.local 1000000 other.example")
      << "as in Istio, which completes each field for itself";
}

TEST(Routes, EndAtTheFirstThatTakesEverything) {
  EXPECT_EQ(flat(std::string(plain_gateway) + routes("vs", "[a.example.com]", {"a", "*", "b"})), "a.example.com(a *)");
}

// "cluster*weight cluster*weight = total" of the first route.
std::string weights(std::string_view destinations) {
  const Loaded loaded = load_document(std::string(plain_gateway) +
                                      virtual_service("vs", "hosts: [a.example.com], gateways: [gw], http: [{route: " +
                                                                std::string(destinations) + "}]") +
                                      std::string(app_entry));
  if (!loaded.snapshot) return "errors";
  const snapshot::Route& route = loaded.snapshot->routes.at(0);
  std::string result;
  for (const snapshot::WeightedDestination& to : route.destinations) {
    result += loaded.snapshot->clusters.at(to.cluster).host + "*" + std::to_string(to.weight) + " ";
  }
  return result + "= " + std::to_string(route.total_weight);
}

TEST(Destinations, ShareByWeight) {
  EXPECT_EQ(
      weights("[{destination: {host: app.example}, weight: 90}, {destination: {host: other.example}, weight: 10}]"),
      "app.example*90 other.example*10 = 100");
  EXPECT_EQ(weights("[{destination: {host: app.example}, weight: 2147483647}, {destination: {host: other.example}, "
                    "weight: 2147483647}]"),
            "app.example*2147483647 other.example*2147483647 = 4294967294");
}

TEST(Destinations, GetEverythingWhenAlone) {
  EXPECT_EQ(weights("[{destination: {host: app.example}}]"), "app.example*1 = 1");
  EXPECT_EQ(weights("[{destination: {host: app.example}, weight: 0}]"), "app.example*1 = 1");
  EXPECT_EQ(weights("[{destination: {host: app.example}, weight: 50}]"), "app.example*1 = 1");
}

TEST(Destinations, WithoutWeightAmongSeveralGetNothing) {
  EXPECT_EQ(weights("[{destination: {host: app.example}, weight: 0}, {destination: {host: other.example}, weight: 3}]"),
            "other.example*3 = 3");
  EXPECT_EQ(weights("[{destination: {host: app.example}}, {destination: {host: other.example}, weight: 3}]"),
            "other.example*3 = 3");
  EXPECT_EQ(weights("[{destination: {host: app.example}}, {destination: {host: other.example}}]"), "= 0");
}

TEST(Destinations, ThatAreNotKnownLeaveTheRouteWithoutAny) {
  EXPECT_EQ(weights("[{destination: {host: nowhere.example}}]"), "= 0");
  EXPECT_EQ(weights("[{destination: {host: a.example}, weight: 1}, {destination: {host: b.example}, weight: 1}]"),
            "= 0");
}

TEST(Destinations, ThatAreNotKnownAmongOthersKeepTheirShare) {
  EXPECT_EQ(
      weights("[{destination: {host: app.example}, weight: 9}, {destination: {host: nowhere.example}, weight: 1}]"),
      "app.example*9 nowhere.example*1 = 10");
}

}  // namespace
}  // namespace sluice::config

#include "config/header_operations.h"

#include "config_testing.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sluice::config {
namespace {

using snapshot::FieldOperation;
using snapshot::FieldOperations;

// "-removed =name:value +name:value", in order.
std::string flat(const FieldOperations& operations) {
  std::string result;
  const auto add = [&result](std::string_view text) { result += (result.empty() ? "" : " ") + std::string(text); };
  for (const std::string& name : operations.remove) add("-" + name);
  for (const FieldOperation& field : operations.set) add("=" + field.name + ":" + field.value.source);
  for (const FieldOperation& field : operations.add) add("+" + field.name + ":" + field.value.source);
  return result;
}

Loaded load_route(std::string_view route) {
  return load_document(std::string(plain_gateway) + std::string(app_entry) +
                       virtual_service("vs", "hosts: ['*'], gateways: [gw], http: [" + std::string(route) + "]"));
}

const snapshot::Route& only_route(const Loaded& loaded) { return loaded.snapshot->routes.at(0); }

TEST(HeaderOperations, AreThoseOfTheRoute) {
  const Loaded loaded = load_route(
      "{headers: {request: {set: {X-B: '%PROTOCOL%', X-A: a}, add: {x-c: c}, remove: [X-E, x-d]}, response: {remove: "
      "[x-f]}}, route: [{destination: {host: app.example}}]}");
  ASSERT_NE(loaded.snapshot, nullptr);
  const auto index = only_route(loaded).header_operations;
  ASSERT_TRUE(index.has_value());
  const snapshot::HeaderOperations& operations = loaded.snapshot->header_operations.at(*index);
  EXPECT_EQ(flat(operations.request), "-x-d -x-e =x-a:a =x-b:%PROTOCOL% +x-c:c");
  EXPECT_EQ(flat(operations.response), "-x-f");
  EXPECT_EQ(operations.authority, "");
}

TEST(HeaderOperations, AreNoneWithoutAny) {
  const Loaded loaded =
      load_route("{headers: {request: {}, response: {set: {}}}, route: [{destination: {host: app.example}}]}");
  ASSERT_NE(loaded.snapshot, nullptr);
  EXPECT_EQ(only_route(loaded).header_operations, std::nullopt);
  EXPECT_TRUE(loaded.snapshot->header_operations.empty());
}

TEST(HeaderOperations, OfASingleDestinationComeAfterThoseOfItsRoute) {
  const Loaded loaded = load_route(
      "{headers: {request: {set: {x: route}, remove: [b]}}, route: [{destination: {host: app.example}, headers: "
      "{request: {set: {x: destination, Host: One.example:81}, add: {y: z}, remove: [a]}}}]}");
  ASSERT_NE(loaded.snapshot, nullptr);
  ASSERT_EQ(loaded.snapshot->header_operations.size(), 1U);
  const snapshot::HeaderOperations& operations = loaded.snapshot->header_operations.front();
  EXPECT_EQ(flat(operations.request), "-b -a =x:route =x:destination +y:z");
  EXPECT_EQ(operations.authority, "One.example:81");
  EXPECT_EQ(operations.host, "one.example");
  EXPECT_EQ(only_route(loaded).destinations.at(0).header_operations, std::nullopt);
}

TEST(HeaderOperations, OfSeveralDestinationsAreApart) {
  const Loaded loaded = load_route(
      "{headers: {request: {set: {x: route, Host: route.example}}}, route: [{destination: {host: app.example}, weight: "
      "1, headers: {request: {set: {x: first, ':authority': first.example}}}}, {destination: {host: other.example}, "
      "weight: 1}]}");
  ASSERT_NE(loaded.snapshot, nullptr);
  const snapshot::Route& route = only_route(loaded);
  const auto operations_at = [&](std::optional<uint32_t> index) {
    return index ? loaded.snapshot->header_operations.at(*index) : snapshot::HeaderOperations{};
  };
  EXPECT_EQ(flat(operations_at(route.header_operations).request), "=x:route");
  EXPECT_EQ(operations_at(route.header_operations).authority, "route.example");
  EXPECT_EQ(flat(operations_at(route.destinations.at(0).header_operations).request), "=x:first");
  EXPECT_EQ(operations_at(route.destinations.at(0).header_operations).authority, "first.example");
  EXPECT_EQ(route.destinations.at(1).header_operations, std::nullopt);
}

TEST(HeaderOperations, HaveAHostThatIsFixed) {
  const auto host = [](std::string_view value) {
    const Loaded loaded = load_route("{headers: {request: {set: {Host: '" + std::string(value) +
                                     "'}}}, route: [{destination: {host: app.example}}]}");
    return loaded.snapshot ? loaded.snapshot->header_operations.at(0).host : loaded.diagnostics.at(0);
  };
  EXPECT_EQ(host("App.Example."), "app.example");
  EXPECT_EQ(host("[::1]:80"), "[::1]");
  for (const std::string_view wrong : {"", ":80", "a b", "%REQ(x)%", "%%", "a/b", "user@a", "a:99999"}) {
    EXPECT_TRUE(host(wrong).ends_with(" is not a host: a name or an address, perhaps with a port, without operators"))
        << host(wrong);
  }
}

TEST(HeaderOperations, AreBounded) {
  const auto with = [](unsigned count) {
    std::string fields;
    for (unsigned i = 0; i < count; ++i) fields += "x" + std::to_string(i) + ": a, ";
    return load_route("{headers: {request: {set: {" + fields + "}}}, route: [{destination: {host: app.example}}]}");
  };
  EXPECT_NE(with(32).snapshot, nullptr);
  EXPECT_TRUE(with(33).diagnostics.at(0).ends_with("set has more than 32 fields")) << with(33).diagnostics.at(0);
}

}  // namespace
}  // namespace sluice::config

#include "upstream/requested_endpoints.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace sluice::upstream {
namespace {

using namespace std::chrono_literals;
using snapshot::AddressGuard;
using snapshot::Resolution;
using Status = RequestedEndpoints::Status;

const AddressGuard only_global{.named = AddressScope::global, .original = AddressScope::site, .registered = {}};
const Instant start = Instant(1h);

class RequestedEndpointsTest : public testing::Test {
 protected:
  RequestedEndpoints::Found find(std::string_view host, uint16_t port = 443, const SocketAddress* original = nullptr) {
    return endpoints_.find({.host = host, .port = port, .original = original}, now_);
  }
  Status status_of(std::string_view host, uint16_t port = 443) { return find(host, port).status; }

  RequestedEndpoints endpoints_{Resolution::by_request, 0, only_global};
  Instant now_ = start;
};

TEST_F(RequestedEndpointsTest, HasOneForEachNameAndPort) {
  Endpoint* first = find("a.test", 443).endpoint;
  ASSERT_NE(first, nullptr);
  EXPECT_TRUE(first->is_named());
  EXPECT_EQ(first->name(), "a.test");
  EXPECT_EQ(first->address().port, 443);
  EXPECT_EQ(find("a.test", 443).endpoint, first);
  EXPECT_NE(find("a.test", 8443).endpoint, first);
  EXPECT_NE(find("b.test", 443).endpoint, first);
  EXPECT_EQ(endpoints_.count(), 3U);
}

TEST_F(RequestedEndpointsTest, TakesAddressesAsAddresses) {
  for (const std::string_view host : {"8.8.8.8", "2606:4700::1111", "[2606:4700::1111]"}) {
    const auto found = find(host, 80);
    ASSERT_EQ(found.status, Status::found) << host;
    EXPECT_FALSE(found.endpoint->is_named());
    EXPECT_EQ(found.endpoint->address().port, 80);
  }
  EXPECT_EQ(endpoints_.count(), 2U) << "brackets make no difference";
}

TEST_F(RequestedEndpointsTest, RefusesAddressesThatTheGuardDoesNotLetThrough) {
  for (const std::string_view host : {"127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0", "::1", "[::1]",
                                      "::", "::ffff:127.0.0.1", "[::ffff:10.0.0.1]", "64:ff9b::7f00:1",
                                      "2002:7f00:1::", "fe80::1", "fd00:ec2::254", "100.64.0.1", "::127.0.0.1"})
    EXPECT_EQ(status_of(host), Status::forbidden) << host;
  EXPECT_EQ(endpoints_.count(), 0U);
}

// Other programs take these for addresses; sluice takes them for nothing.
TEST_F(RequestedEndpointsTest, TakesWhatOnlyLooksLikeAnAddressForNothing) {
  for (const std::string_view host :
       {"0x7f.1",     "2130706433", "127.1",     "0177.0.0.1",    "127.0.0.01",  "0x7f000001",
        "127.0.0.1.", "a.1",        "1.2.3.4.5", "fe80::1%eth0",  "[::1",        "::1]",
        "[127.0.0.1", "",           ".",         "a..b",          "a b",         "a/b",
        "a:80",       "a@b",        "x.0xa",     "\xc3\xa4.test", "localhost%00"})
    EXPECT_NE(status_of(host), Status::found) << host;
  EXPECT_EQ(status_of("a\0b"), Status::found) << "that is only an a";
  using namespace std::string_view_literals;
  EXPECT_EQ(status_of("a\0b"sv), Status::unresolved);
  EXPECT_EQ(status_of(std::string(64, 'a') + ".test"), Status::unresolved);
  EXPECT_EQ(status_of(std::string(63, 'a') + ".test"), Status::found);
  std::string longest;
  while (longest.size() < 250) longest += "a.";
  EXPECT_EQ(status_of(longest + "abc"), Status::found);
  EXPECT_EQ(status_of(longest + "abcd"), Status::unresolved);
  EXPECT_EQ(status_of("a.test", 0), Status::unresolved) << "no port";
}

TEST_F(RequestedEndpointsTest, LeavesNamesSuchAsLocalhostToTheLookup) {
  EXPECT_EQ(status_of("localhost"), Status::found);
  EXPECT_EQ(status_of("_service.x_y.test"), Status::found);
}

TEST_F(RequestedEndpointsTest, LetsThroughWhatIsRegistered) {
  AddressGuard guard = only_global;
  guard.registered.push_back(*AddressRange::parse("10.1.0.0/16"));
  RequestedEndpoints endpoints(Resolution::by_request, 0, guard);
  EXPECT_EQ(endpoints.find({.host = "10.1.2.3", .port = 80}, now_).status, Status::found);
  EXPECT_EQ(endpoints.find({.host = "10.2.0.1", .port = 80}, now_).status, Status::forbidden);
}

TEST_F(RequestedEndpointsTest, PutsThePortOfTheClusterInThePlaceOfTheRequestedOne) {
  RequestedEndpoints endpoints(Resolution::by_request, 8443, only_global);
  EXPECT_EQ(endpoints.find({.host = "a.test", .port = 443}, now_).endpoint->address().port, 8443);
  EXPECT_EQ(endpoints.find({.host = "8.8.8.8", .port = 443}, now_).endpoint->address().port, 8443);
  EXPECT_EQ(endpoints.find({.host = "a.test", .port = 1}, now_).endpoint,
            endpoints.find({.host = "a.test", .port = 2}, now_).endpoint);
}

TEST_F(RequestedEndpointsTest, GoesToTheAddressThatARedirectedClientHasConnectedTo) {
  RequestedEndpoints endpoints(Resolution::original, 0, only_global);
  const SocketAddress within = *SocketAddress::parse("10.0.0.1:5432");
  const auto found = endpoints.find({.host = "a.test", .port = 80, .original = &within}, now_);
  ASSERT_EQ(found.status, Status::found);
  EXPECT_EQ(found.endpoint->address(), within);
  const SocketAddress own = *SocketAddress::parse("127.0.0.1:5432");
  EXPECT_EQ(endpoints.find({.host = "a.test", .port = 80, .original = &own}, now_).status, Status::forbidden);
  EXPECT_TRUE(endpoints.find({.host = "a.test", .port = 80}, now_).endpoint->is_named()) << "it came by itself";
  EXPECT_EQ(endpoints.find({.host = "10.0.0.1", .port = 5432}, now_).status, Status::forbidden)
      << "named by the request, not where the client was going";
}

TEST_F(RequestedEndpointsTest, LooksAtTheRequestAloneWhereThatCounts) {
  const SocketAddress original = *SocketAddress::parse("8.8.8.8:80");
  EXPECT_TRUE(find("a.test", 80, &original).endpoint->is_named());
}

TEST_F(RequestedEndpointsTest, ForgetsWhatNobodyHasUsedForAWhile) {
  static_cast<void>(find("unused.test"));
  Endpoint* busy = find("busy.test").endpoint;
  ++busy->active_requests;
  now_ += limits::requested_endpoint_lifetime / 2;
  static_cast<void>(find("later.test"));
  now_ += limits::requested_endpoint_lifetime / 2;
  endpoints_.forget_unused(now_);
  EXPECT_EQ(endpoints_.count(), 2U);
  EXPECT_EQ(find("busy.test").endpoint, busy);
  --busy->active_requests;
  now_ += limits::requested_endpoint_lifetime;
  endpoints_.forget_unused(now_);
  EXPECT_EQ(endpoints_.count(), 0U);
}

TEST_F(RequestedEndpointsTest, IsBoundedAndTheOneWithoutRequestsThatWasRequestedLongestAgoMakesRoom) {
  std::vector<Endpoint*> all;
  for (size_t i = 0; i < limits::requested_endpoints_max; ++i)
    all.push_back(find("n" + std::to_string(i) + ".test").endpoint);
  ++all[0]->active_requests;
  static_cast<void>(find("n1.test"));
  ASSERT_EQ(find("one-more.test").status, Status::found);
  EXPECT_EQ(endpoints_.count(), limits::requested_endpoints_max);
  EXPECT_EQ(find("n0.test").endpoint, all[0]);
  EXPECT_EQ(find("n1.test").endpoint, all[1]);
  --all[0]->active_requests;
}

// Else whoever holds connections to enough destinations would keep everybody from any other one.
TEST_F(RequestedEndpointsTest, MakesRoomWhenAllHaveRequests) {
  std::vector<std::shared_ptr<Endpoint>> all;
  for (size_t i = 0; i < limits::requested_endpoints_max; ++i) {
    all.push_back(find("n" + std::to_string(i) + ".test").endpoint->shared_from_this());
    ++all.back()->active_requests;
  }
  EXPECT_EQ(status_of("one-more.test"), Status::found);
  EXPECT_EQ(endpoints_.count(), limits::requested_endpoints_max);
  EXPECT_EQ(all[0]->name(), "n0.test") << "who uses it keeps it";
  EXPECT_NE(find("n0.test").endpoint, all[0].get());
  for (const auto& endpoint : all) --endpoint->active_requests;
}

}  // namespace
}  // namespace sluice::upstream

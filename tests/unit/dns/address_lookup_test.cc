#include "dns/address_lookup.h"

#include "base/limits.h"
#include "name_server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace sluice::dns {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> texts_of(const AddressAnswer& answer) {
  std::vector<std::string> texts;
  for (const SocketAddress& address : answer.addresses) texts.push_back(address.ip_text());
  return texts;
}

using Strings = std::vector<std::string>;

TEST(AddressLookup, FindsAllAddressesOfBothFamiliesSortedWithTheShortestTtl) {
  const NameServer server({{"a.test", kTypeA, "10.0.0.2", 90},
                           {"a.test", kTypeA, "10.0.0.1", 30},
                           {"a.test", kTypeA, "10.0.0.2", 90},
                           {"a.test", kTypeAaaa, "2001:db8::1", 60}});
  const Strings names{"a.test"};
  const auto answers = look_up_addresses(names, server.place(), 5s);
  EXPECT_EQ(answers.at("a.test").error, "");
  Strings found = texts_of(answers.at("a.test"));
  std::ranges::sort(found);
  EXPECT_EQ(found, (Strings{"10.0.0.1", "10.0.0.2", "2001:db8::1"}));
  EXPECT_TRUE(std::ranges::is_sorted(answers.at("a.test").addresses));
  EXPECT_EQ(answers.at("a.test").ttl, 30s);
}

TEST(AddressLookup, TellsOfANameThatDoesNotExistWithoutHarmToOthers) {
  const NameServer server({{"a.test", kTypeA, "10.0.0.1", 30}});
  const Strings names{"a.test", "missing.test"};
  const auto answers = look_up_addresses(names, server.place(), 5s);
  EXPECT_EQ(texts_of(answers.at("a.test")), Strings{"10.0.0.1"});
  EXPECT_NE(answers.at("missing.test").error, "");
  EXPECT_TRUE(answers.at("missing.test").addresses.empty());
}

TEST(AddressLookup, GivesUpAfterTheTimeThatItHas) {
  const NameServer server({{"a.test", kTypeA, "10.0.0.1", 30}});
  const Strings names{"silent.test", "a.test"};
  const auto started = std::chrono::steady_clock::now();
  const auto answers = look_up_addresses(names, server.place(), 400ms);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 3s);
  EXPECT_NE(answers.at("silent.test").error, "");
  EXPECT_EQ(texts_of(answers.at("a.test")), Strings{"10.0.0.1"});
}

TEST(AddressLookup, GivesUpEarlyForWhatIsMoreUrgentAndSaysNothingOfTheRest) {
  const NameServer server({{"a.test", kTypeA, "10.0.0.1", 30}});
  const Strings names{"silent.test", "a.test"};
  const auto started = std::chrono::steady_clock::now();
  const auto is_wanted_elsewhere = [started] { return std::chrono::steady_clock::now() - started > 300ms; };
  const auto answers = look_up_addresses(names, server.place(), 60s, is_wanted_elsewhere);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 3s);
  EXPECT_FALSE(answers.contains("silent.test")) << "it has not failed: nobody waited for it";
  EXPECT_EQ(texts_of(answers.at("a.test")), Strings{"10.0.0.1"});
}

TEST(AddressLookup, LooksUpMoreNamesThanItAsksForAtATime) {
  std::vector<HostRecord> records;
  Strings names;
  for (unsigned i = 0; i < 3 * limits::dns_lookups_max; ++i) {
    names.push_back("n" + std::to_string(i) + ".test");
    records.push_back({names.back(), kTypeA, "10.0.0." + std::to_string(i % 250), 30});
  }
  const NameServer server(records);
  const auto answers = look_up_addresses(names, server.place(), 20s);
  ASSERT_EQ(answers.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i)
    EXPECT_EQ(texts_of(answers.at(names[i])), Strings{records[i].ip}) << names[i];
}

TEST(AddressLookup, ReadsEtcHostsFirst) {
  const NameServer server({});
  const Strings names{"localhost"};
  const auto answers = look_up_addresses(names, server.place(), 5s);
  EXPECT_EQ(answers.at("localhost").error, "");
  const Strings found = texts_of(answers.at("localhost"));
  EXPECT_NE(std::ranges::find(found, "127.0.0.1"), found.end());
  EXPECT_EQ(server.query_count(), 0U);
}

TEST(AddressLookup, AsksNoDomainOfASearchList) {
  const NameServer server({});
  const Strings names{"single"};
  const auto answers = look_up_addresses(names, server.place(), 5s);
  EXPECT_NE(answers.at("single").error, "");
  EXPECT_LE(server.query_count(), 2U) << "one for each family";
}

TEST(AddressLookup, FailsEveryNameWhenTheServersAreNonsense) {
  const Strings names{"a.test"};
  EXPECT_NE(look_up_addresses(names, "not an address", 1s).at("a.test").error, "");
}

TEST(AddressLookup, HasNothingToDoWithoutNames) { EXPECT_TRUE(look_up_addresses({}, "", 1s).empty()); }

}  // namespace
}  // namespace sluice::dns

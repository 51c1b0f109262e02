#include "renewal/record.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace sluice::renewal {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now{1'800'000'000s};

Record whole_record() {
  Record record;
  record.secret = "istio-system/kyma-gateway-certs";
  record.issuer = "default/letsencrypt";
  record.common_name = "*.example.com";
  record.dns_names = {"example.com", "*.example.com"};
  record.state = State::error;
  record.message = "what the server said: \"no\"\n\xc3\xa4";
  record.issued = Issued{.digest = "abc",
                         .serial = "01ff",
                         .issuer = "default/letsencrypt",
                         .certificate_id = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
                         .issued = now,
                         .not_before = now - 1h,
                         .not_after = now + 24h * 90,
                         .is_revoked = true};
  record.renewal = now + 24h * 60;
  record.backoff = {.failures = 3, .failed_at = now, .interval = 360s};
  record.wish = "def";
  PendingOrder order;
  order.url = "https://ca.example/order/1";
  order.account_url = "https://ca.example/account/1";
  order.key_pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
  order.digest = "abc";
  order.replaces = "x.y";
  record.order = order;
  record.suggested = SuggestedWindow{now + 1h, now + 2h};
  record.ask_for_window = now + 6h;
  record.is_renew_done = true;
  record.is_renew_wanted = true;
  record.revoking = PendingRevocation{.certificate_pem = "-----BEGIN CERTIFICATE-----",
                                      .serial = "01",
                                      .issuer = "default/acme",
                                      .document = "default/compromised",
                                      .reason = "keyCompromise",
                                      .is_after_renewal = true};
  record.revocations = {"default/compromised"};
  record.failed_orders = {{.names = {"example.com"}, .time = now - 5min}, {.names = {"a", "b"}, .time = now}};
  record.dns_records = {{.name = "_acme-challenge.example.com.", .value = "abc", .issuer = "default/acme"},
                        {.name = "_acme-challenge.example.com.", .value = "def", .issuer = "default/acme"}};
  return record;
}

TEST(Record, IsReadAsItWasWritten) {
  for (const State state : {State::pending, State::ready, State::error, State::revoked}) {
    Record record = whole_record();
    record.state = state;
    const auto read = read_record(to_json(record));
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(*read, record);
  }
  const auto empty = read_record(to_json(Record()));
  ASSERT_TRUE(empty.has_value()) << empty.error().message;
  EXPECT_EQ(*empty, Record());
}

// Another version knows fewer members, or more.
TEST(Record, OfAnotherVersionHasDefaults) {
  const auto read = read_record(R"({"state": "Ready", "message": "m", "unknown": [1]})");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  Record expected;
  expected.state = State::ready;
  expected.message = "m";
  EXPECT_EQ(*read, expected);
  EXPECT_FALSE(read_record("{}").has_value());
}

TEST(Record, HasTheControllersWords) {
  EXPECT_EQ(text_of(State::pending), "Pending");
  EXPECT_EQ(text_of(State::ready), "Ready");
  EXPECT_EQ(text_of(State::error), "Error");
  EXPECT_EQ(text_of(State::revoked), "Revoked");
}

// A file that was damaged, or that another version wrote, is no record: never half of one.
TEST(Record, OfAnythingElseIsRefused) {
  const std::string whole = to_json(whole_record());
  for (size_t size = 0; size + 2 < whole.size(); size += 7) EXPECT_FALSE(read_record(whole.substr(0, size))) << size;
  struct {
    std::string_view old_text, new_text;
  } cases[] = {
      {"\"state\": \"Error\"", "\"state\": \"Broken\""},
      {"\"state\": \"Error\"", "\"state\": 1"},
      {"\"renewal\": ", "\"renewal\": -"},
      {"\"failures\": 3", "\"failures\": \"3\""},
      {"\"notAfter\": 1", "\"notAfter\": 9999999999991"},
      {"\"notAfter\": ", "\"notAfter\": 1, \"x\": "},
      {"\"isRenewDone\": true", "\"isRenewDone\": \"y\""},
      {"\"order\": {", "\"order\": [], \"x\": {"},
      {"\"interval\": 360", "\"interval\": 1e3"},
      {"\"interval\": 360", "\"interval\": 9199999999"},  // with the time of the failure beyond all times
      {"\"failures\": 3", "\"failures\": 4294967296"},
      {"\"end\": 1", "\"end\": 0, \"x\": 1"},
      {"\"digest\": \"abc\"", "\"digest\": null"},
      {"\"dnsNames\": [", "\"dnsNames\": [1, "},
  };
  for (const auto& each : cases) {
    std::string text = whole;
    const size_t place = text.find(each.old_text);
    ASSERT_NE(place, std::string::npos) << each.old_text;
    text.replace(place, each.old_text.size(), each.new_text);
    const auto record = read_record(text);
    ASSERT_FALSE(record.has_value()) << each.new_text;
    EXPECT_NE(record.error().message, "");
  }
  for (const std::string_view text : {"", "[]", "{}", "null", "\"state\"", "\xff\xfe"})
    EXPECT_FALSE(read_record(text)) << text;
  EXPECT_FALSE(read_record(std::string(100'000, '[')));
}

}  // namespace
}  // namespace sluice::renewal

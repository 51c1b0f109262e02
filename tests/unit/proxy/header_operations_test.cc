#include "proxy/header_operations.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

namespace sluice::proxy {
namespace {

using snapshot::FieldOperations;
using snapshot::FieldReference;
using snapshot::Format;
using snapshot::FormatPart;
using snapshot::Operator;

FormatPart literal(std::string_view text) { return {.op = Operator::literal, .text = std::string(text)}; }

FormatPart field(std::string_view name, uint32_t bytes_max = 0) {
  return {.op = Operator::request_field,
          .field = {.kind = FieldReference::Kind::field, .name = std::string(name)},
          .bytes_max = bytes_max};
}

Format format(std::vector<FormatPart> parts) { return {.source = {}, .parts = std::move(parts)}; }

struct Message {
  Arena arena{limits::exchange_arena_bytes_max};
  http::HeaderList fields{arena};
  observe::RequestRecord record;

  Message() { record.request_fields = &fields; }
  explicit Message(std::initializer_list<http::HeaderField> list) : Message() {
    for (const auto& [name, value] : list) EXPECT_TRUE(fields.add(name, value));
  }

  bool apply(const FieldOperations& operations) { return apply_operations(operations, fields, record); }
  [[nodiscard]] std::string flat() const {
    std::string text;
    for (const auto& [name, value] : fields) text += std::string(name) + ":" + std::string(value) + "|";
    return text;
  }
};

TEST(HeaderOperations, RemoveThenSetThenAdd) {
  Message message{{"a", "1"}, {"b", "2"}, {"a", "3"}, {"c", "4"}, {"d", "5"}};
  FieldOperations operations;
  operations.remove = {"c", "none"};
  operations.set = {{"a", format({literal("new")})}, {"e", format({literal("6")})}};
  operations.add = {{"d", format({literal("7")})}, {"c", format({literal("8")})}};
  ASSERT_TRUE(message.apply(operations));
  EXPECT_EQ(message.flat(), "a:new|b:2|d:5|e:6|d:7|c:8|");
}

TEST(HeaderOperations, EvaluateAllValuesBeforeAnyIsChanged) {
  Message message{{"a", "1"}, {"b", "2"}, {"c", "3"}};
  FieldOperations operations;
  operations.remove = {"c"};
  operations.set = {{"a", format({field("b"), literal("!")})}, {"b", format({field("a"), literal("!")})}};
  operations.add = {{"d", format({literal("c="), field("c"), literal(" a="), field("a")})}};
  ASSERT_TRUE(message.apply(operations));
  EXPECT_EQ(message.flat(), "a:2!|b:1!|d:c= a=1|") << "what was removed is gone already, as in Envoy";
}

// Envoy would leave the field of the client. It would name itself.
TEST(HeaderOperations, SetNothingToNothing) {
  Message message{{"x-subject", "CN=admin"}, {"x-other", "kept"}};
  FieldOperations operations;
  operations.set = {{"x-subject", format({field("none")})}, {"x-blank", format({literal(" "), field("none")})}};
  operations.add = {{"x-other", format({field("none")})}, {"x-new", format({})}};
  ASSERT_TRUE(message.apply(operations));
  EXPECT_EQ(message.flat(), "x-other:kept|");
}

TEST(HeaderOperations, NeverMakeMoreThanOneValue) {
  Message message;
  std::string every;
  for (unsigned c = 0; c < 256; ++c) every += static_cast<char>(c);
  message.record.requested_server_name = "a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1";
  message.record.details = every;
  FieldOperations operations;
  operations.set = {{"x-name", format({{.op = Operator::requested_server_name}})},
                    {"x-every", format({literal("<"), {.op = Operator::response_code_details}, literal(">")})}};
  ASSERT_TRUE(message.apply(operations));
  EXPECT_EQ(message.fields.find("x-name"), "a__Content-Length: 0____GET / HTTP/1.1");
  const std::string_view value = message.fields.find("x-every").value();
  EXPECT_EQ(value.size(), 258U) << "nothing is dropped, so that what differs still differs";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    EXPECT_TRUE(byte == '\t' || (byte >= 0x20 && byte != 0x7f)) << static_cast<unsigned>(byte);
  }
}

TEST(HeaderOperations, CutValuesOnlyWhereTheFormatAsks) {
  const std::string longest(limits::generated_value_bytes_max, 'x');
  FieldOperations operations;
  operations.set = {{"x", format({field("long"), field("none")})}};
  Message fits{{"long", longest}};
  ASSERT_TRUE(fits.apply(operations));
  EXPECT_EQ(fits.fields.find("x"), longest);
  const std::string longer = longest + "x";
  Message too_long{{"long", longer}};
  EXPECT_FALSE(too_long.apply(operations));
  operations.set = {{"x", format({field("long", 3)})}};
  Message cut{{"long", longer}};
  ASSERT_TRUE(cut.apply(operations));
  EXPECT_EQ(cut.fields.find("x"), "xxx");
}

TEST(HeaderOperations, SayWhenTheFieldsAreTooMany) {
  Message message;
  FieldOperations operations;
  operations.add = {{"x", format({literal("y")})}};
  for (unsigned i = 0; i < limits::header_list_count_max; ++i) ASSERT_TRUE(message.apply(operations)) << i;
  EXPECT_FALSE(message.apply(operations));
}

TEST(HeaderOperations, SayWhenTheArenaIsFull) {
  const std::string long_value(limits::generated_value_bytes_max / 2, 'x');
  Message message{{"long", long_value}};
  FieldOperations operations;
  for (unsigned i = 0; i < limits::header_operations_max; ++i)
    operations.add.push_back({"x", format({field("long"), literal("!")})});
  EXPECT_FALSE(message.apply(operations)) << "32 times 16 KiB";
}

}  // namespace
}  // namespace sluice::proxy

#include "config/format_compiler.h"

#include "base/limits.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sluice::config {
namespace {

using snapshot::Format;
using snapshot::FormatPart;
using snapshot::Operator;

Format compiled(std::string_view text) {
  auto format = compile_format(text);
  EXPECT_TRUE(format.has_value()) << text << ": " << format.error().message;
  return format.value_or(Format{});
}

// "12: message"
std::string wrong_with(std::string_view text) {
  const auto format = compile_format(text);
  return format ? "nothing" : std::to_string(format.error().offset) + ": " + format.error().message;
}

std::string literal_of(std::string_view text) {
  const Format format = compiled(text);
  if (format.parts.empty()) return "";
  EXPECT_EQ(format.parts.size(), 1U) << text;
  EXPECT_EQ(format.parts.front().op, Operator::literal) << text;
  return format.parts.front().text;
}

TEST(FormatCompiler, TakesTextAsItIs) {
  EXPECT_EQ(literal_of(""), "");
  EXPECT_EQ(literal_of("text, \"quoted\" (and: so on)"), "text, \"quoted\" (and: so on)");
  EXPECT_EQ(literal_of("%%"), "%");
  EXPECT_EQ(literal_of("100%% of %%PROTOCOL%%"), "100% of %PROTOCOL%") << "one part";
}

TEST(FormatCompiler, KeepsWhatWasWritten) { EXPECT_EQ(compiled("a%%%PROTOCOL%").source, "a%%%PROTOCOL%"); }

TEST(FormatCompiler, KnowsEachOperator) {
  const std::pair<std::string_view, Operator> known[] = {
      {"%PROTOCOL%", Operator::protocol},
      {"%REQ(x)%", Operator::request_field},
      {"%RESP(x)%", Operator::response_field},
      {"%START_TIME%", Operator::start_time},
      {"%START_TIME()%", Operator::start_time},
      {"%START_TIME(%s)%", Operator::start_time},
      {"%RESPONSE_CODE%", Operator::response_code},
      {"%RESPONSE_CODE_DETAILS%", Operator::response_code_details},
      {"%GRPC_STATUS%", Operator::grpc_status},
      {"%GRPC_STATUS_NUMBER%", Operator::grpc_status_number},
      {"%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%", Operator::response_code_details},
      {"%RESPONSE_FLAGS%", Operator::response_flags},
      {"%CONNECTION_TERMINATION_DETAILS%", Operator::connection_termination_details},
      {"%BYTES_RECEIVED%", Operator::bytes_received},
      {"%BYTES_SENT%", Operator::bytes_sent},
      {"%DURATION%", Operator::duration},
      {"%ROUTE_NAME%", Operator::route_name},
      {"%REQUESTED_SERVER_NAME%", Operator::requested_server_name},
      {"%UPSTREAM_HOST%", Operator::upstream_host},
      {"%UPSTREAM_REMOTE_ADDRESS%", Operator::upstream_host},
      {"%UPSTREAM_CLUSTER%", Operator::upstream_cluster},
      {"%UPSTREAM_CLUSTER_RAW%", Operator::upstream_cluster},
      {"%UPSTREAM_LOCAL_ADDRESS%", Operator::upstream_local_address},
      {"%UPSTREAM_TRANSPORT_FAILURE_REASON%", Operator::upstream_transport_failure_reason},
      {"%DOWNSTREAM_REMOTE_ADDRESS%", Operator::downstream_remote_address},
      {"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", Operator::downstream_remote_ip},
      {"%DOWNSTREAM_REMOTE_PORT%", Operator::downstream_remote_port},
      {"%DOWNSTREAM_LOCAL_ADDRESS%", Operator::downstream_local_address},
      {"%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", Operator::downstream_local_ip},
      {"%DOWNSTREAM_LOCAL_PORT%", Operator::downstream_local_port},
      {"%DOWNSTREAM_LOCAL_SUBJECT%", Operator::downstream_local_subject},
      {"%DOWNSTREAM_LOCAL_URI_SAN%", Operator::downstream_local_uri_san},
      {"%DOWNSTREAM_LOCAL_DNS_SAN%", Operator::downstream_local_dns_san},
      {"%DOWNSTREAM_TLS_VERSION%", Operator::downstream_tls_version},
      {"%DOWNSTREAM_TLS_CIPHER%", Operator::downstream_tls_cipher},
      {"%DOWNSTREAM_TLS_SESSION_ID%", Operator::downstream_tls_session_id},
      {"%DOWNSTREAM_PEER_SUBJECT%", Operator::downstream_peer_subject},
      {"%DOWNSTREAM_PEER_ISSUER%", Operator::downstream_peer_issuer},
      {"%DOWNSTREAM_PEER_SERIAL%", Operator::downstream_peer_serial},
      {"%DOWNSTREAM_PEER_FINGERPRINT_256%", Operator::downstream_peer_fingerprint_256},
      {"%DOWNSTREAM_PEER_FINGERPRINT_1%", Operator::downstream_peer_fingerprint_1},
      {"%DOWNSTREAM_PEER_URI_SAN%", Operator::downstream_peer_uri_san},
      {"%DOWNSTREAM_PEER_DNS_SAN%", Operator::downstream_peer_dns_san},
      {"%DOWNSTREAM_PEER_IP_SAN%", Operator::downstream_peer_ip_san},
      {"%DOWNSTREAM_PEER_EMAIL_SAN%", Operator::downstream_peer_email_san},
      {"%DOWNSTREAM_PEER_CERT%", Operator::downstream_peer_cert},
      {"%DOWNSTREAM_PEER_CERT_V_START(%Y)%", Operator::downstream_peer_cert_v_start},
      {"%DOWNSTREAM_PEER_CERT_V_END%", Operator::downstream_peer_cert_v_end},
  };
  for (const auto& [text, op] : known) {
    const Format format = compiled(text);
    ASSERT_EQ(format.parts.size(), 1U) << text;
    EXPECT_EQ(format.parts.front().op, op) << text;
    EXPECT_EQ(format.needs.local_address, text.starts_with("%DOWNSTREAM_LOCAL_A") || text == "%DOWNSTREAM_LOCAL_PORT%")
        << text;
    EXPECT_EQ(format.needs.client_tls,
              op >= Operator::downstream_local_subject && op != Operator::downstream_tls_session_id)
        << text;
  }
}

TEST(FormatCompiler, LooksUpTheHostNameOnce) {
  const Format format = compiled("%HOSTNAME%");
  ASSERT_EQ(format.parts.size(), 1U);
  EXPECT_EQ(format.parts.front().op, Operator::hostname);
  EXPECT_FALSE(format.parts.front().text.empty());
}

TEST(FormatCompiler, KeepsTheOrderOfTextsAndOperators) {
  const Format format = compiled("a %PROTOCOL%%%b%DURATION%");
  ASSERT_EQ(format.parts.size(), 4U);
  EXPECT_EQ(format.parts[0].text, "a ");
  EXPECT_EQ(format.parts[1].op, Operator::protocol);
  EXPECT_EQ(format.parts[2].text, "%b");
  EXPECT_EQ(format.parts[3].op, Operator::duration);
}

TEST(FormatCompiler, ReadsTheNamesOfFields) {
  using Kind = snapshot::FieldReference::Kind;
  const FormatPart part = compiled("%REQ(X-Envoy-Original-Path?:PATH):12%").parts.at(0);
  EXPECT_EQ(part.field.kind, Kind::field);
  EXPECT_EQ(part.field.name, "x-envoy-original-path");
  EXPECT_EQ(part.alternative.kind, Kind::path);
  EXPECT_EQ(part.bytes_max, 12U);
  EXPECT_EQ(compiled("%REQ(:authority)%").parts.at(0).field.kind, Kind::authority);
  EXPECT_EQ(compiled("%REQ(:METHOD)%").parts.at(0).field.kind, Kind::method);
  EXPECT_EQ(compiled("%REQ(:SCHEME)%").parts.at(0).field.kind, Kind::scheme);
  EXPECT_EQ(compiled("%RESP(:STATUS)%").parts.at(0).field.kind, Kind::status);
  EXPECT_EQ(compiled("%RESP(x)%").parts.at(0).alternative.kind, Kind::none);
}

TEST(FormatCompiler, ReadsTheFormatsOfTimes) {
  const FormatPart part = compiled("%START_TIME(at %Y%%%3f%f.%E6S%h)%").parts.at(0);
  std::string flat;
  for (const snapshot::TimePart& time : part.time) {
    flat += time.conversion == 0 ? "[" + time.literal + "]" : std::string(1, time.conversion);
    if (time.digits != 0) flat += std::to_string(time.digits);
  }
  EXPECT_EQ(flat, "[at ]Y[%]f3f9[.]S[.]f6b");
}

TEST(FormatCompiler, SaysWhatIsWrongAndWhere) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"%", "0: \"%\" begins no operator such as %PROTOCOL%; write %% for a percent sign"},
      {"100% of it", "3: \"%\" begins no operator such as %PROTOCOL%; write %% for a percent sign"},
      {"%protocol%", "0: \"%\" begins no operator such as %PROTOCOL%; write %% for a percent sign"},
      {"%%%", "2: \"%\" begins no operator such as %PROTOCOL%; write %% for a percent sign"},
      {"a%PROTOCOL", "1: the operator \"%PROTOCOL\" does not end in \"%\"; write %% for a percent sign"},
      {"%PROTOCOL %", "0: the operator \"%PROTOCOL\" does not end in \"%\"; write %% for a percent sign"},
      {"%REQ(x", "4: the argument of \"REQ\" has no \")\""},
      {"%REQ(x)", "0: the operator \"%REQ(x)\" does not end in \"%\"; write %% for a percent sign"},
      {"%PROTOCL%", "1: unknown operator \"PROTOCL\"; did you mean \"PROTOCOL\"?; write %% for a percent sign"},
      {"%X%", "1: unknown operator \"X\"; write %% for a percent sign"},
      {"%TRAILER(x)%", "1: %TRAILER% is not supported yet by this version of sluice"},
      {"%REQ%", "1: %REQ% needs the name of a field: %REQ(X-NAME)%"},
      {"%REQ()%", "5: \"\" is not the name of a field"},
      {"%REQ(x?)%", "7: \"\" is not the name of a field"},
      {"%REQ(x y)%", "5: \"x y\" is not the name of a field"},
      {"%REQ(x?a,b)%", "7: \"a,b\" is not the name of a field"},
      {"%REQ(:status)%", "5: \":status\" is not known: with a \":\" begin :method, :path, :authority and :scheme only"},
      {"%RESP(:path)%", "6: \":path\" is not known: with a \":\" begin :status only"},
      {"%PROTOCOL(x)%", "10: %PROTOCOL% takes no argument"},
      {"%RESPONSE_CODE_DETAILS(x)%", "23: %RESPONSE_CODE_DETAILS% takes no argument but ALLOW_WHITESPACES"},
      {"%PROTOCOL:5%", "1: %PROTOCOL% takes no length; REQ and RESP do, as in Envoy"},
      {"%REQ(x):%", "7: after \":\" stands the greatest length, from 1 to 1000000"},
      {"%REQ(x):0%", "7: after \":\" stands the greatest length, from 1 to 1000000"},
      {"%REQ(x):-1%", "7: after \":\" stands the greatest length, from 1 to 1000000"},
      {"%REQ(x):99999999999%", "7: after \":\" stands the greatest length, from 1 to 1000000"},
      {"%START_TIME(%Y%Q)%",
       "14: \"%Q\" is no conversion of a time that is known; known are those of strftime without a "
       "locale (%Y, %m, %d, %H, %M, %S, %s, %z, ...), and %f, %3f, %6f, %E3S"},
      {"%START_TIME(%)%",
       "12: \"%\" is no conversion of a time that is known; known are those of strftime without a "
       "locale (%Y, %m, %d, %H, %M, %S, %s, %z, ...), and %f, %3f, %6f, %E3S"},
      {"%START_TIME(%n)%",
       "12: \"%n\" is no conversion of a time that is known; known are those of strftime without a "
       "locale (%Y, %m, %d, %H, %M, %S, %s, %z, ...), and %f, %3f, %6f, %E3S"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(wrong_with(text), message) << text;
}

TEST(FormatCompiler, IsBounded) {
  EXPECT_EQ(wrong_with(std::string(limits::format_bytes_max, 'x')), "nothing");
  EXPECT_EQ(wrong_with(std::string(limits::format_bytes_max + 1, 'x')), "0: the format has more than 16384 bytes");
  std::string many;
  for (size_t i = 0; i < limits::format_operators_max; ++i) many += "%DURATION%";
  EXPECT_EQ(wrong_with(many), "nothing");
  EXPECT_EQ(wrong_with(many + "%DURATION%"), "2560: the format has more than 256 operators");
  EXPECT_EQ(wrong_with("%START_TIME(" + std::string(160, 'x') + ")%"), "nothing");
  EXPECT_EQ(wrong_with("%START_TIME(" + std::string(161, 'x') + ")%"),
            "12: the time may have more than 160 characters");
  EXPECT_EQ(wrong_with("%START_TIME(" + std::string(159, 'x') + "%d)%"),
            "12: the time may have more than 160 characters");
}

TEST(FormatCompiler, KnowsThePlaceInAFile) {
  const std::string file = "test.yaml";
  Node node;
  node.file = &file;
  node.line = 7;
  node.column = 12;
  node.text = NodeText::part_of("before %X%");
  node.is_plain = true;
  EXPECT_EQ(place_in(node, 7).to_string(), "test.yaml:7:19");
  node.is_plain = false;
  EXPECT_EQ(place_in(node, 7).to_string(), "test.yaml:7:20") << "behind the quote";
  node.text = NodeText::part_of("be\nore %X%");
  EXPECT_EQ(place_in(node, 7).to_string(), "test.yaml:7:12") << "on another line, or an escape";
}

}  // namespace
}  // namespace sluice::config

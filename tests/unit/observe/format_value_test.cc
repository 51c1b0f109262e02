#include "observe/format_value.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>

namespace sluice::observe {
namespace {

using snapshot::FieldReference;
using snapshot::FormatPart;
using snapshot::Operator;
using Kind = FormatValue::Kind;

struct Value {
  Kind kind;
  std::string text;
  friend bool operator==(const Value&, const Value&) = default;
};

void PrintTo(const Value& value, std::ostream* out) {
  *out << static_cast<int>(value.kind) << " \"" << value.text << '"';
}

Value evaluate(const FormatPart& part, const RequestRecord& record) {
  std::array<char, format_room_bytes> room;
  const FormatValue value = value_of(part, record, room);
  return {value.kind, std::string(value.text)};
}

Value evaluate(Operator op, const RequestRecord& record) { return evaluate(FormatPart{.op = op}, record); }

const Value absent{Kind::absent, ""};

struct Sample {
  Arena arena{64 * 1024};
  http::HeaderList request{arena};
  http::HeaderList response{arena};
  snapshot::Cluster cluster;
  snapshot::Route route;
  SocketAddress upstream = *SocketAddress::parse("10.0.0.7:8000");
  SocketAddress upstream_local = *SocketAddress::parse("10.0.0.1:40000");
  RequestRecord record;

  Sample() {
    cluster.name = "outbound|8000||app";
    route.name = "main";
    EXPECT_TRUE(request.add("x-one", "first") && request.add("x-one", "second") && request.add("x-empty", ""));
    EXPECT_TRUE(response.add("x-two", "answer"));
    record.request_fields = &request;
    record.response_fields = &response;
    record.method = "GET";
    record.path = "/a?b";
    record.authority = "App.example:8080";
    record.status = 503;
    record.grpc_status = GrpcStatus::deadline_exceeded;
    record.flags.set(ResponseFlag::upstream_connection_failure);
    record.flags.set(ResponseFlag::upstream_retry_limit_exceeded);
    record.details = "via upstream";
    record.connection_termination_details = "it ended";
    record.upstream_failure_reason = "connection timeout";
    record.bytes_received = 12;
    record.bytes_sent = 34;
    record.duration = std::chrono::microseconds(56'900);
    record.cluster = &cluster;
    record.route_name = route.name;
    record.upstream_host = &upstream;
    record.upstream_local = &upstream_local;
    record.downstream_local = *SocketAddress::parse("[::1]:443");
    record.downstream_remote = *SocketAddress::parse("192.0.2.1:55555");
    record.requested_server_name = "app.example";
  }
};

TEST(FormatValue, IsWhatTheRecordSays) {
  const Sample sample;
  const std::pair<Operator, Value> cases[] = {
      {Operator::protocol, {Kind::word, "HTTP/1.1"}},
      {Operator::response_code, {Kind::number, "503"}},
      {Operator::response_code_details, {Kind::word, "via upstream"}},
      {Operator::response_flags, {Kind::word, "UF,URX"}},
      {Operator::grpc_status, {Kind::word, "DeadlineExceeded"}},
      {Operator::grpc_status_number, {Kind::number, "4"}},
      {Operator::connection_termination_details, {Kind::word, "it ended"}},
      {Operator::bytes_received, {Kind::number, "12"}},
      {Operator::bytes_sent, {Kind::number, "34"}},
      {Operator::duration, {Kind::number, "56"}},
      {Operator::route_name, {Kind::word, "main"}},
      {Operator::requested_server_name, {Kind::word, "app.example"}},
      {Operator::upstream_host, {Kind::word, "10.0.0.7:8000"}},
      {Operator::upstream_cluster, {Kind::word, "outbound|8000||app"}},
      {Operator::upstream_local_address, {Kind::word, "10.0.0.1:40000"}},
      {Operator::upstream_transport_failure_reason, {Kind::text, "connection timeout"}},
      {Operator::downstream_remote_address, {Kind::word, "192.0.2.1:55555"}},
      {Operator::downstream_remote_ip, {Kind::word, "192.0.2.1"}},
      {Operator::downstream_remote_port, {Kind::number, "55555"}},
      {Operator::downstream_local_address, {Kind::word, "[::1]:443"}},
      {Operator::downstream_local_ip, {Kind::word, "::1"}},
      {Operator::downstream_local_port, {Kind::number, "443"}},
  };
  for (const auto& [op, value] : cases) EXPECT_EQ(evaluate(op, sample.record), value) << static_cast<int>(op);
}

TEST(FormatValue, IsAbsentWhereNothingIsKnown) {
  const RequestRecord record;
  for (const Operator op :
       {Operator::response_code_details, Operator::connection_termination_details, Operator::route_name,
        Operator::requested_server_name, Operator::upstream_host, Operator::upstream_cluster,
        Operator::upstream_local_address, Operator::upstream_transport_failure_reason, Operator::request_field,
        Operator::response_field})
    EXPECT_EQ(evaluate(op, record), absent) << static_cast<int>(op);
  EXPECT_EQ(evaluate(Operator::response_code, record), (Value{Kind::number, "0"})) << "as in Envoy";
  EXPECT_EQ(evaluate(Operator::response_flags, record), (Value{Kind::word, "-"})) << "as in Envoy";
  EXPECT_EQ(evaluate(Operator::grpc_status, record), absent);
  EXPECT_EQ(evaluate(Operator::grpc_status_number, record), absent);
  RequestRecord tcp;
  tcp.is_tcp = true;
  EXPECT_EQ(evaluate(Operator::protocol, tcp), absent);
}

ClientTls known_client() {
  return {.version = "TLSv1.3",
          .cipher = "TLS_AES_128_GCM_SHA256",
          .local_subject = "CN=gateway",
          .local_uri_sans = "spiffe://a/gateway",
          .local_dns_sans = "a.example,b.example",
          .peer = ClientTls::PeerCertificate{.subject = "O=Example,CN=client",
                                             .issuer = "CN=ca",
                                             .serial = "1000",
                                             .fingerprint_256 = "ab01",
                                             .fingerprint_1 = "cd02",
                                             .uri_sans = "spiffe://a/b,https://c",
                                             .dns_sans = "d.example",
                                             .ip_sans = "192.0.2.7",
                                             .email_sans = "e@example.com",
                                             .url_encoded_pem = "-----BEGIN%20",
                                             .not_before = WallTime(std::chrono::seconds(1'000'000'000)),
                                             .not_after = WallTime(std::chrono::seconds(2'000'000'000))}};
}

constexpr std::pair<Operator, std::string_view> own_side[] = {
    {Operator::downstream_tls_version, "TLSv1.3"},
    {Operator::downstream_tls_cipher, "TLS_AES_128_GCM_SHA256"},
    {Operator::downstream_local_subject, "CN=gateway"},
    {Operator::downstream_local_uri_san, "spiffe://a/gateway"},
    {Operator::downstream_local_dns_san, "a.example,b.example"},
};

constexpr std::pair<Operator, std::string_view> of_the_client[] = {
    {Operator::downstream_peer_subject, "O=Example,CN=client"},
    {Operator::downstream_peer_issuer, "CN=ca"},
    {Operator::downstream_peer_serial, "1000"},
    {Operator::downstream_peer_fingerprint_256, "ab01"},
    {Operator::downstream_peer_fingerprint_1, "cd02"},
    {Operator::downstream_peer_uri_san, "spiffe://a/b,https://c"},
    {Operator::downstream_peer_dns_san, "d.example"},
    {Operator::downstream_peer_ip_san, "192.0.2.7"},
    {Operator::downstream_peer_email_san, "e@example.com"},
    {Operator::downstream_peer_cert, "-----BEGIN%20"},
    {Operator::downstream_peer_cert_v_start, "2001-09-09T01:46:40.000Z"},
    {Operator::downstream_peer_cert_v_end, "2033-05-18T03:33:20.000Z"},
};

TEST(FormatValue, IsWhatTheClientsTlsSays) {
  Sample sample;
  ClientTls client = known_client();
  sample.record.client_tls = &client;
  for (const auto& [op, text] : own_side) EXPECT_EQ(evaluate(op, sample.record).text, text);
  for (const auto& [op, text] : of_the_client) EXPECT_EQ(evaluate(op, sample.record).text, text);
  FormatPart year{.op = Operator::downstream_peer_cert_v_end};
  year.time.push_back({.conversion = 'Y', .digits = 0, .literal = {}});
  EXPECT_EQ(evaluate(year, sample.record), (Value{Kind::text, "2033"}));
  EXPECT_EQ(evaluate(Operator::downstream_tls_session_id, sample.record), absent);

  client.peer.reset();
  for (const auto& [op, text] : own_side) EXPECT_EQ(evaluate(op, sample.record).text, text);
  for (const auto& [op, text] : of_the_client) EXPECT_EQ(evaluate(op, sample.record), absent) << text;
  sample.record.client_tls = nullptr;
  for (const auto& [op, text] : own_side) EXPECT_EQ(evaluate(op, sample.record), absent) << text;
  for (const auto& [op, text] : of_the_client) EXPECT_EQ(evaluate(op, sample.record), absent) << text;
}

TEST(FormatValue, OfAFieldIsTheFirstOfThatName) {
  Sample sample;
  const auto of_request = [&](FieldReference field, FieldReference alternative = {}, uint32_t bytes_max = 0) {
    return evaluate(
        FormatPart{.op = Operator::request_field, .field = field, .alternative = alternative, .bytes_max = bytes_max},
        sample.record);
  };
  const FieldReference one{FieldReference::Kind::field, "x-one"};
  const FieldReference missing{FieldReference::Kind::field, "x-two"};
  const FieldReference empty{FieldReference::Kind::field, "x-empty"};
  const FieldReference path{FieldReference::Kind::path, ":path"};
  EXPECT_EQ(of_request(one), (Value{Kind::text, "first"}));
  EXPECT_EQ(of_request(missing), absent);
  EXPECT_EQ(of_request(empty), absent);
  EXPECT_EQ(of_request(one, path), (Value{Kind::text, "first"}));
  EXPECT_EQ(of_request(missing, path), (Value{Kind::text, "/a?b"}));
  EXPECT_EQ(of_request(missing, missing), absent);
  EXPECT_EQ(of_request(one, {}, 3), (Value{Kind::text, "fir"}));
  EXPECT_EQ(of_request(one, {}, 300), (Value{Kind::text, "first"}));
  EXPECT_EQ(of_request(missing, path, 2), (Value{Kind::text, "/a"}));
  EXPECT_EQ(of_request({FieldReference::Kind::method, {}}), (Value{Kind::text, "GET"}));
  EXPECT_EQ(of_request({FieldReference::Kind::authority, {}}), (Value{Kind::text, "App.example:8080"}));
  EXPECT_EQ(of_request({FieldReference::Kind::scheme, {}}), (Value{Kind::text, "http"}));
  sample.record.is_https = true;
  EXPECT_EQ(of_request({FieldReference::Kind::scheme, {}}), (Value{Kind::text, "https"}));

  const auto of_response = [&](FieldReference field) {
    return evaluate(FormatPart{.op = Operator::response_field, .field = field}, sample.record);
  };
  EXPECT_EQ(of_response(missing), (Value{Kind::text, "answer"})) << "x-two";
  EXPECT_EQ(of_response(one), absent);
  EXPECT_EQ(of_response({FieldReference::Kind::status, {}}), (Value{Kind::number, "503"}));
}

TEST(FormatValue, OfATimeFollowsItsFormat) {
  Sample sample;
  const auto at = [&](int64_t nanoseconds, std::vector<snapshot::TimePart> parts) {
    sample.record.start = WallTime(Duration(nanoseconds));
    return evaluate(FormatPart{.op = Operator::start_time, .time = std::move(parts)}, sample.record).text;
  };
  constexpr int64_t then = 1'795'601'704'123'456'789;  // 2026-11-25T10:15:04.123456789Z, a Wednesday
  EXPECT_EQ(at(then, {}), "2026-11-25T10:15:04.123Z");
  EXPECT_EQ(at(then, {{'s'}, {0, 0, "."}, {'f', 6}}), "1795601704.123456");
  EXPECT_EQ(at(then, {{'f', 1}, {0, 0, " "}, {'f', 9}}), "1 123456789");
  EXPECT_EQ(at(then, {{'Y'}, {0, 0, "/"}, {'m'}, {0, 0, "/"}, {'d'}, {'z'}, {'Z'}}), "2026/11/25+0000UTC");
  EXPECT_EQ(at(then, {{'a'}, {'A'}, {'b'}, {'B'}}), "WedWednesdayNovNovember");
  EXPECT_EQ(at(then, {{'F'}, {0, 0, "T"}, {'T'}, {'p'}, {'I'}, {'j'}}), "2026-11-25T10:15:04AM10329");
  EXPECT_EQ(at(then + 60'000'000'000, {{'M'}}), "16") << "another time";
  EXPECT_EQ(at(0, {{'s'}, {'Y'}}), "01970");
  EXPECT_EQ(at(-1, {{'s'}, {0, 0, " "}, {'f', 9}}), "-1 999999999") << "a clock before the epoch";
}

}  // namespace
}  // namespace sluice::observe

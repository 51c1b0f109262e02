#include "observe/access_log_line.h"

#include "base/limits.h"
#include "config/access_log_format.h"
#include "config/yaml_document.h"
#include "sample_record.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::observe {
namespace {

TEST(AccessLogLine, IsIstiosDefaultFormat) {
  EXPECT_EQ(line_of(Sample().record),
            "[2026-11-25T10:15:04.123Z] \"GET /headers?x=1 HTTP/1.1\" 200 - via_upstream - \"-\" 5 1234 12 11 "
            "\"192.0.2.1\" \"curl/7.88.1\" \"0b3a5a52-8f5c-4f3e-9c3f-0a9a4a3d2f10\" \"httpbin.local.kyma.dev\" "
            "\"10.0.0.7:8000\" outbound|8000||httpbin.default.svc.cluster.local 10.0.0.1:40000 [::1]:443 "
            "192.0.2.1:55555 httpbin.local.kyma.dev default\n");
}

TEST(AccessLogLine, HasADashForWhatIsAbsent) {
  RequestRecord record;
  record.start = kStart;
  record.flags.set(ResponseFlag::downstream_protocol_error);
  record.status = 400;
  EXPECT_EQ(line_of(record),
            "[2026-11-25T10:15:04.123Z] \"- - HTTP/1.1\" 400 DPE - - \"-\" 0 0 0 - \"-\" \"-\" \"-\" \"-\" \"-\" - - "
            "0.0.0.0:0 0.0.0.0:0 - -\n");
}

TEST(AccessLogLine, HasNeitherMethodNorProtocolNorCodeForAConnectionWithoutHttp) {
  const Sample sample;
  RequestRecord record;
  record.is_tcp = true;
  record.start = kStart;
  record.duration = std::chrono::seconds(2);
  record.flags.set(ResponseFlag::upstream_connection_failure);
  record.flags.set(ResponseFlag::upstream_retry_limit_exceeded);
  record.details = "upstream_connection_failure";
  record.upstream_failure_reason = "connection_timeout";
  record.bytes_received = 100;
  record.bytes_sent = 2000;
  record.cluster = &sample.cluster;
  record.upstream_host = &sample.upstream;
  record.downstream_local = *SocketAddress::parse("192.0.2.2:5432");
  record.downstream_remote = *SocketAddress::parse("192.0.2.1:55555");
  record.requested_server_name = "db.local.kyma.dev";
  EXPECT_EQ(
      line_of(record),
      "[2026-11-25T10:15:04.123Z] \"- - -\" 0 UF,URX upstream_connection_failure - \"connection_timeout\" 100 2000 "
      "2000 - \"-\" \"-\" \"-\" \"-\" \"10.0.0.7:8000\" outbound|8000||httpbin.default.svc.cluster.local - "
      "192.0.2.2:5432 192.0.2.1:55555 db.local.kyma.dev -\n");
}

TEST(AccessLogLine, IsAppendedToWhatIsThere) {
  std::string out = "before";
  EXPECT_TRUE(write_access_log_line(nullptr, Sample().record, out));
  EXPECT_TRUE(out.starts_with("before[2026-11-25T10:15:04.123Z] "));
  EXPECT_TRUE(out.ends_with(" default\n"));
}

TEST(AccessLogLine, TellsTheTimeOfEveryRequestAcrossSecondsAndDays) {
  Sample sample;
  const auto stamp_at = [&sample](int64_t milliseconds) {
    sample.record.start = WallTime(std::chrono::milliseconds(milliseconds));
    return line_of(sample.record).substr(0, 26);
  };
  EXPECT_EQ(stamp_at(1'795'601'704'999), "[2026-11-25T10:15:04.999Z]");
  EXPECT_EQ(stamp_at(1'795'601'705'000), "[2026-11-25T10:15:05.000Z]");
  EXPECT_EQ(stamp_at(1'795'601'704'007), "[2026-11-25T10:15:04.007Z]") << "also back in time";
  EXPECT_EQ(stamp_at(1'798'761'599'999), "[2026-12-31T23:59:59.999Z]");
  EXPECT_EQ(stamp_at(0), "[1970-01-01T00:00:00.000Z]");
  EXPECT_EQ(stamp_at(-1), "[1970-01-01T00:00:00.000Z]") << "a clock before the epoch";
}

// A client's text must neither end the line, nor close a quote, nor move a terminal's cursor.
TEST(AccessLogLine, StaysOneLineWhateverAClientSends) {
  Sample sample;
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  sample.record.path = sample.record.user_agent = sample.record.authority = sample.record.forwarded_for = every;
  sample.record.method = sample.record.request_id = sample.record.details = every;
  sample.record.requested_server_name = every;
  const std::string line = line_of(sample.record);
  for (const char c : line.substr(0, line.size() - 1)) ASSERT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
  EXPECT_EQ(line.back(), '\n');

  sample.record.user_agent = "a\"b\\c\nd\x9b\xc3\xbc";
  EXPECT_NE(line_of(sample.record).find(R"("a\"b\\c\x0ad\x9b\xc3\xbc")"), std::string::npos);
}

// Texts are looked at eight bytes at a time: every byte, in every place of such a word and after it.
TEST(AccessLogLine, EscapesEveryByteInEveryPlace) {
  Sample sample;
  for (unsigned c = 0; c < 256; ++c) {
    for (size_t place = 0; place < 12; ++place) {
      std::string text = "abcdefgh~ !}";
      text[place] = static_cast<char>(c);
      std::string expected;
      for (const char each : text) {
        char escaped[8];
        const auto byte = static_cast<unsigned char>(each);
        std::snprintf(escaped, sizeof escaped,
                      byte < 0x20 || byte > 0x7e    ? "\\x%02x"
                      : each == '"' || each == '\\' ? "\\%c"
                                                    : "%c",
                      byte);
        expected += escaped;
      }
      sample.record.user_agent = text;
      ASSERT_NE(line_of(sample.record).find(" \"" + expected + "\" "), std::string::npos) << c << " at " << place;
    }
  }
}

TEST(AccessLogLine, KeepsItsColumnsWhenAWordHasSpaces) {
  Sample sample;
  sample.record.details = "upstream reset before headers";
  sample.record.requested_server_name = "a b";
  EXPECT_NE(line_of(sample.record).find(" upstream_reset_before_headers - "), std::string::npos);
  EXPECT_TRUE(line_of(sample.record).ends_with(" a_b default\n"));
}

TEST(AccessLogLine, HoldsTheLongestTexts) {
  Sample sample;
  const std::string path(limits::target_bytes_max, '\x01');
  const std::string agent(limits::head_bytes_max, '\xff');
  sample.record.path = path;
  sample.record.user_agent = agent;
  EXPECT_GT(line_of(sample.record).size(), 4 * (path.size() + agent.size()));
}

// --- Formats of MeshConfig -------------------------------------------------------------------------

struct Compiled {
  std::optional<snapshot::AccessLogFormat> format;
  std::vector<std::string> errors;
};

Compiled compile(std::string_view format, std::string_view encoding) {
  static const std::string file = "mesh.yaml";
  config::Node format_node;
  format_node.text = config::NodeText::part_of(format);
  format_node.file = &file;
  config::Diagnostics diagnostics;
  Compiled compiled{
      config::compile_access_log_format({format_node.text, &format_node}, {encoding, &format_node}, diagnostics), {}};
  for (const config::Diagnostic& diagnostic : diagnostics.sorted()) compiled.errors.push_back(diagnostic.message);
  return compiled;
}

std::string line_of(const RequestRecord& record, std::string_view format, std::string_view encoding) {
  const Compiled compiled = compile(format, encoding);
  EXPECT_TRUE(compiled.format && compiled.errors.empty());
  std::string line;
  if (compiled.format) {
    EXPECT_TRUE(write_access_log_line(&*compiled.format, record, line));
  }
  return line;
}

// Istio's EnvoyTextLogFormat, as it is written there.
constexpr std::string_view istio_text =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
    "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% "
    "%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" "
    "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% "
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% "
    "%ROUTE_NAME%\n";

// A record whose fields say what its texts say.
struct WithFields : Sample {
  Arena arena{64 * 1024};
  http::HeaderList request{arena};
  http::HeaderList response{arena};

  WithFields() {
    EXPECT_TRUE(request.add("user-agent", record.user_agent) && request.add("x-request-id", record.request_id) &&
                request.add("x-forwarded-for", record.forwarded_for) &&
                response.add("x-envoy-upstream-service-time", "11"));
    record.request_fields = &request;
    record.response_fields = &response;
  }
};

TEST(AccessLogFormat, OfIstioComesToTheSameAsTheLineWrittenByHand) {
  WithFields sample;
  EXPECT_EQ(line_of(sample.record, istio_text, "TEXT"), line_of(sample.record));
  sample.record.path = "/with \"quotes\" and\nlines";
  sample.record.details = "two words";
  sample.record.upstream_host = sample.record.upstream_local = nullptr;
  sample.record.cluster = nullptr;
  EXPECT_EQ(line_of(sample.record, istio_text, "TEXT"), line_of(sample.record));
}

TEST(AccessLogFormat, OfTextIsOneLine) {
  const WithFields sample;
  EXPECT_EQ(line_of(sample.record, "%REQ(:METHOD)% 100%% %REQ(x-none)%", ""), "GET 100% -\n") << "a newline is added";
  EXPECT_EQ(line_of(sample.record, "%REQ(:METHOD)%\n", "TEXT"), "GET\n");
  EXPECT_FALSE(compile("", "TEXT").format) << "the default";
}

TEST(AccessLogFormat, OfJsonKeepsTypes) {
  WithFields sample;
  sample.record.path = "/a\"b\\c\n\x80";
  const std::string line =
      line_of(sample.record, R"({"n": "%RESPONSE_CODE%", "none": "%REQ(x-none)%", "p": "%REQ(:PATH)%",
      "mixed": "m=\"%REQ(:METHOD)%\" ü %REQ(x-none)%", "in": {"d": "%DURATION%", "l": ["%BYTES_SENT%", 3, null, true]},
      "k\"ey": "x"})",
              "JSON");
  EXPECT_EQ(line, R"({"n":200,"none":null,"p":"/a\"b\\c\u000a\u0080","mixed":"m=\"GET\" ü -",)"
                  R"("in":{"d":12,"l":[1234,3,null,true]},"k\"ey":"x"})"
                  "\n");
}

TEST(AccessLogFormat, OfJsonIsIstiosWithoutOne) {
  const WithFields sample;
  EXPECT_EQ(line_of(sample.record, "", "JSON"),
            "{\"start_time\":\"2026-11-25T10:15:04.123Z\",\"route_name\":\"default\",\"method\":\"GET\",\"path\":\"/"
            "headers?x=1\","
            "\"protocol\":\"HTTP/1.1\",\"response_code\":200,\"response_flags\":\"-\",\"response_code_details\":"
            "\"via_upstream\",\"connection_termination_details\":null,\"bytes_received\":5,\"bytes_sent\":1234,"
            "\"duration\":12,\"upstream_service_time\":\"11\",\"x_forwarded_for\":\"192.0.2.1\",\"user_agent\":"
            "\"curl/7.88.1\",\"request_id\":\"0b3a5a52-8f5c-4f3e-9c3f-0a9a4a3d2f10\",\"authority\":"
            "\"httpbin.local.kyma.dev\",\"upstream_host\":\"10.0.0.7:8000\",\"upstream_cluster\":"
            "\"outbound|8000||httpbin.default.svc.cluster.local\",\"upstream_local_address\":\"10.0.0.1:40000\","
            "\"downstream_local_address\":\"[::1]:443\",\"downstream_remote_address\":\"192.0.2.1:55555\","
            "\"requested_server_name\":\"httpbin.local.kyma.dev\",\"upstream_transport_failure_reason\":null}\n");
}

TEST(AccessLogFormat, IsRefusedWithItsReason) {
  EXPECT_EQ(compile("%NO_SUCH%", "TEXT").errors.size(), 1U);
  EXPECT_NE(compile("not json", "JSON").errors.at(0).find("is the text of a JSON object"), std::string::npos);
  EXPECT_NE(compile("[]", "JSON").errors.at(0).find("is the text of a JSON object"), std::string::npos);
  EXPECT_NE(compile(R"({"a": "%NO_SUCH%"})", "JSON").errors.at(0).find("NO_SUCH"), std::string::npos);
  std::string deep, wide = "{";
  for (size_t i = 0; i <= limits::access_log_depth_max; ++i) deep += R"({"a":)";
  deep += "1" + std::string(limits::access_log_depth_max + 1, '}');
  EXPECT_NE(compile(deep, "JSON").errors.at(0).find("deep"), std::string::npos);
  for (size_t i = 0; i <= limits::access_log_values_max; ++i) wide += "\"k" + std::to_string(i) + "\":\"x\",";
  wide.back() = '}';
  EXPECT_NE(
      compile("{" + std::string(limits::access_log_format_bytes_max, ' ') + "}", "JSON").errors.at(0).find("bytes"),
      std::string::npos);
  EXPECT_NE(compile(wide, "JSON").errors.at(0).find("more than 100 strings"), std::string::npos);
}

TEST(AccessLogFormat, SaysWhatItNeeds) {
  EXPECT_TRUE(compile("%DOWNSTREAM_LOCAL_ADDRESS%", "").format->needs.local_address);
  EXPECT_TRUE(compile(R"({"a": "%DOWNSTREAM_PEER_SUBJECT%"})", "JSON").format->needs.client_tls);
  EXPECT_FALSE(compile("%PROTOCOL%", "").format->needs.local_address);
}

TEST(AccessLogFormat, DropsALineThatIsTooLong) {
  WithFields sample;
  const std::string path(limits::access_log_line_bytes_max, 'a');
  sample.record.path = path;
  const Compiled compiled = compile("%REQ(:PATH)%%REQ(:PATH)%", "");
  std::string line;
  EXPECT_FALSE(write_access_log_line(&*compiled.format, sample.record, line));
}

}  // namespace
}  // namespace sluice::observe

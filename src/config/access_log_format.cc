#include "config/access_log_format.h"

#include "base/limits.h"
#include "config/format_compiler.h"
#include "config/yaml_document.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace sluice::config {

namespace {

using Json = nlohmann::ordered_json;
using snapshot::AccessLogFormat;

// Istio's EnvoyJSONLogFormatIstio (pilot/pkg/model/telemetry_logging.go): its keys and their operators.
constexpr std::pair<std::string_view, std::string_view> default_json[] = {
    {"start_time", "%START_TIME%"},
    {"route_name", "%ROUTE_NAME%"},
    {"method", "%REQ(:METHOD)%"},
    {"path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"},
    {"protocol", "%PROTOCOL%"},
    {"response_code", "%RESPONSE_CODE%"},
    {"response_flags", "%RESPONSE_FLAGS%"},
    {"response_code_details", "%RESPONSE_CODE_DETAILS%"},
    {"connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"},
    {"bytes_received", "%BYTES_RECEIVED%"},
    {"bytes_sent", "%BYTES_SENT%"},
    {"duration", "%DURATION%"},
    {"upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"},
    {"x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"},
    {"user_agent", "%REQ(USER-AGENT)%"},
    {"request_id", "%REQ(X-REQUEST-ID)%"},
    {"authority", "%REQ(:AUTHORITY)%"},
    {"upstream_host", "%UPSTREAM_HOST%"},
    {"upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"},
    {"upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"},
    {"downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"},
    {"downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"},
    {"requested_server_name", "%REQUESTED_SERVER_NAME%"},
    {"upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"},
};

Json make_default_json() {
  Json object = Json::object();
  for (const auto& [key, format] : default_json) object[key] = format;
  return object;
}

// Writes JSON as it will be, up to each value, and compiles the values. The first error ends it.
class JsonCompiler {
 public:
  std::optional<AccessLogFormat> compile(const Json& object);
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

 private:
  bool fail(std::string message) {
    error_ = std::move(message);
    return false;
  }
  bool add(const Json& value, size_t depth);
  bool add_items(const Json& value, size_t depth);
  bool add_format(const std::string& text);

  AccessLogFormat result_{.encoding = AccessLogFormat::Encoding::json, .values = {}, .end = {}, .needs = {}};
  std::string text_;  // since the last value
  std::string error_;
};

std::optional<AccessLogFormat> JsonCompiler::compile(const Json& object) {
  if (!add(object, 0)) return std::nullopt;
  result_.end = std::move(text_) + "\n";
  return std::move(result_);
}

bool JsonCompiler::add(const Json& value, size_t depth) {
  if (depth > limits::access_log_depth_max)
    return fail(fmt::format("it is nested more than {} deep", limits::access_log_depth_max));
  if (value.is_string()) return add_format(value.get<std::string>());
  if (value.is_structured()) return add_items(value, depth);
  text_ += value.dump();
  return true;
}

bool JsonCompiler::add_items(const Json& value, size_t depth) {
  text_ += value.is_object() ? '{' : '[';
  bool is_first = true;
  for (const auto& [key, item] : value.items()) {
    if (!std::exchange(is_first, false)) text_ += ',';
    if (value.is_object()) text_ += Json(key).dump(-1, ' ', /*ensure_ascii=*/true) + ':';
    if (!add(item, depth + 1)) return false;
  }
  text_ += value.is_object() ? '}' : ']';
  return true;
}

bool JsonCompiler::add_format(const std::string& text) {
  if (result_.values.size() == limits::access_log_values_max)
    return fail(fmt::format("it has more than {} strings", limits::access_log_values_max));
  auto format = compile_format(text);
  if (!format) return fail(std::move(format.error().message));
  // What the configuration says itself is written as it is: escaped here.
  for (snapshot::FormatPart& part : format->parts) {
    if (part.op != snapshot::Operator::literal) continue;
    const std::string quoted = Json(part.text).dump();
    part.text = quoted.substr(1, quoted.size() - 2);
  }
  result_.needs |= format->needs;
  result_.values.push_back({.before = std::exchange(text_, {}), .format = std::move(*format)});
  return true;
}

std::optional<AccessLogFormat> compile_json(const Text& format, Diagnostics& diagnostics) {
  JsonCompiler compiler;
  if (format.value.empty()) return compiler.compile(make_default_json());
  // Keys are compared one by one when they are read.
  if (format.value.size() > limits::access_log_format_bytes_max) {
    diagnostics.error(format.node->place(),
                      fmt::format("accessLogFormat has more than {} bytes", limits::access_log_format_bytes_max));
    return std::nullopt;
  }
  const Json object = Json::parse(format.value, nullptr, /*allow_exceptions=*/false);
  std::optional<AccessLogFormat> result;
  if (object.is_discarded() || !object.is_object()) {
    diagnostics.error(format.node->place(),
                      "with accessLogEncoding JSON, accessLogFormat is the text of a JSON object whose values are "
                      "formats: {\"path\": \"%REQ(:PATH)%\"}");
  } else if (result = compiler.compile(object); !result) {
    diagnostics.error(format.node->place(), "accessLogFormat: " + compiler.error());
  }
  return result;
}

std::optional<AccessLogFormat> compile_text(const Text& text, Diagnostics& diagnostics) {
  if (text.value.empty()) return std::nullopt;
  auto format = compile_format(text.value);
  if (!format) {
    diagnostics.error(place_in(*text.node, format.error().offset), format.error().message);
    return std::nullopt;
  }
  AccessLogFormat result;
  if (!text.value.ends_with('\n')) result.end = "\n";
  result.needs = format->needs;
  result.values.push_back({.before = {}, .format = std::move(*format)});
  return result;
}

}  // namespace

std::optional<AccessLogFormat> compile_access_log_format(const Text& format, const Text& encoding,
                                                         Diagnostics& diagnostics) {
  return encoding.value == "JSON" ? compile_json(format, diagnostics) : compile_text(format, diagnostics);
}

}  // namespace sluice::config

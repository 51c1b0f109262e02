#include "config/format_compiler.h"

#include "base/limits.h"
#include "config/wording.h"
#include "http/chars.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

using snapshot::FieldReference;
using snapshot::Format;
using snapshot::FormatPart;
using snapshot::Operator;
using snapshot::TimePart;

enum class Argument : uint8_t { none, field, time, flag };

struct OperatorSchema {
  std::string_view name;
  Operator op;
  Argument argument = Argument::none;
  snapshot::FormatNeeds needs{};
};

constexpr snapshot::FormatNeeds local_address{.local_address = true};
constexpr snapshot::FormatNeeds client_tls{.client_tls = true};

constexpr OperatorSchema operators[] = {
    {"REQ", Operator::request_field, Argument::field},
    {"RESP", Operator::response_field, Argument::field},
    {"START_TIME", Operator::start_time, Argument::time},
    {"PROTOCOL", Operator::protocol},
    {"RESPONSE_CODE", Operator::response_code},
    {"RESPONSE_CODE_DETAILS", Operator::response_code_details, Argument::flag},
    {"RESPONSE_FLAGS", Operator::response_flags},
    {"GRPC_STATUS", Operator::grpc_status},
    {"GRPC_STATUS_NUMBER", Operator::grpc_status_number},
    {"CONNECTION_TERMINATION_DETAILS", Operator::connection_termination_details},
    {"BYTES_RECEIVED", Operator::bytes_received},
    {"BYTES_SENT", Operator::bytes_sent},
    {"DURATION", Operator::duration},
    {"ROUTE_NAME", Operator::route_name},
    {"REQUESTED_SERVER_NAME", Operator::requested_server_name},
    {"HOSTNAME", Operator::hostname},
    {"UPSTREAM_HOST", Operator::upstream_host},
    {"UPSTREAM_REMOTE_ADDRESS", Operator::upstream_host},
    {"UPSTREAM_CLUSTER", Operator::upstream_cluster},
    {"UPSTREAM_CLUSTER_RAW", Operator::upstream_cluster},
    {"UPSTREAM_LOCAL_ADDRESS", Operator::upstream_local_address},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", Operator::upstream_transport_failure_reason},
    {"DOWNSTREAM_REMOTE_ADDRESS", Operator::downstream_remote_address},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Operator::downstream_remote_ip},
    {"DOWNSTREAM_REMOTE_PORT", Operator::downstream_remote_port},
    {"DOWNSTREAM_LOCAL_ADDRESS", Operator::downstream_local_address, Argument::none, local_address},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Operator::downstream_local_ip, Argument::none, local_address},
    {"DOWNSTREAM_LOCAL_PORT", Operator::downstream_local_port, Argument::none, local_address},
    {"DOWNSTREAM_LOCAL_SUBJECT", Operator::downstream_local_subject, Argument::none, client_tls},
    {"DOWNSTREAM_LOCAL_URI_SAN", Operator::downstream_local_uri_san, Argument::none, client_tls},
    {"DOWNSTREAM_LOCAL_DNS_SAN", Operator::downstream_local_dns_san, Argument::none, client_tls},
    {"DOWNSTREAM_TLS_VERSION", Operator::downstream_tls_version, Argument::none, client_tls},
    {"DOWNSTREAM_TLS_CIPHER", Operator::downstream_tls_cipher, Argument::none, client_tls},
    {"DOWNSTREAM_TLS_SESSION_ID", Operator::downstream_tls_session_id},
    {"DOWNSTREAM_PEER_SUBJECT", Operator::downstream_peer_subject, Argument::none, client_tls},
    {"DOWNSTREAM_PEER_ISSUER", Operator::downstream_peer_issuer, Argument::none, client_tls},
    {"DOWNSTREAM_PEER_SERIAL", Operator::downstream_peer_serial, Argument::none, client_tls},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", Operator::downstream_peer_fingerprint_256, Argument::none, client_tls},
    {"DOWNSTREAM_PEER_FINGERPRINT_1", Operator::downstream_peer_fingerprint_1, Argument::none, client_tls},
    {"DOWNSTREAM_PEER_URI_SAN", Operator::downstream_peer_uri_san, Argument::none, client_tls},
    {"DOWNSTREAM_PEER_DNS_SAN", Operator::downstream_peer_dns_san, Argument::none, client_tls},
    {"DOWNSTREAM_PEER_IP_SAN", Operator::downstream_peer_ip_san, Argument::none, client_tls},
    {"DOWNSTREAM_PEER_EMAIL_SAN", Operator::downstream_peer_email_san, Argument::none, client_tls},
    {"DOWNSTREAM_PEER_CERT", Operator::downstream_peer_cert, Argument::none, client_tls},
    {"DOWNSTREAM_PEER_CERT_V_START", Operator::downstream_peer_cert_v_start, Argument::time, client_tls},
    {"DOWNSTREAM_PEER_CERT_V_END", Operator::downstream_peer_cert_v_end, Argument::time, client_tls},
};

// Of Envoy, and not built.
constexpr std::string_view planned_operators[] = {
    "BYTES_RETRANSMITTED",
    "CEL",
    "CLUSTER_METADATA",
    "COMMON_DURATION",
    "CONNECTION_ID",
    "CUSTOM_FLAGS",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_LOCAL_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_PORT",
    "DOWNSTREAM_HANDSHAKE_DURATION",
    "DOWNSTREAM_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_HEADER_BYTES_SENT",
    "DOWNSTREAM_LOCAL_EMAIL_SAN",
    "DOWNSTREAM_LOCAL_IP_SAN",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256",
    "DOWNSTREAM_PEER_CHAIN_SERIALS",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    "DOWNSTREAM_WIRE_BYTES_SENT",
    "DYNAMIC_METADATA",
    "EMIT_TIME",
    "ENVIRONMENT",
    "FILTER_CHAIN_NAME",
    "FILTER_STATE",
    "METADATA",
    "PACKETS_RETRANSMITTED",
    "REQUEST_DURATION",
    "REQUEST_TX_DURATION",
    "REQ_WITHOUT_QUERY",
    "RESPONSE_DURATION",
    "RESPONSE_FLAGS_LONG",
    "RESPONSE_TX_DURATION",
    "ROUNDTRIP_DURATION",
    "START_TIME_LOCAL",
    "STREAM_ID",
    "TLS_JA3_FINGERPRINT",
    "TRACE_ID",
    "TRAILER",
    "UNIQUE_ID",
    "UPSTREAM_CONNECTION_ID",
    "UPSTREAM_FILTER_STATE",
    "UPSTREAM_HEADER_BYTES_RECEIVED",
    "UPSTREAM_HEADER_BYTES_SENT",
    "UPSTREAM_HOST_NAME",
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_LOCAL_PORT",
    "UPSTREAM_METADATA",
    "UPSTREAM_PEER_CERT",
    "UPSTREAM_PEER_ISSUER",
    "UPSTREAM_PEER_SUBJECT",
    "UPSTREAM_PROTOCOL",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_REMOTE_PORT",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    "UPSTREAM_TLS_CIPHER",
    "UPSTREAM_TLS_SESSION_ID",
    "UPSTREAM_TLS_VERSION",
    "UPSTREAM_WIRE_BYTES_RECEIVED",
    "UPSTREAM_WIRE_BYTES_SENT",
    "VIRTUAL_CLUSTER_NAME",
};

struct PseudoField {
  std::string_view name;
  FieldReference::Kind kind;
  bool is_of_request = true;
};
constexpr PseudoField pseudo_fields[] = {
    {":method", FieldReference::Kind::method},        {":path", FieldReference::Kind::path},
    {":authority", FieldReference::Kind::authority},  {":scheme", FieldReference::Kind::scheme},
    {":status", FieldReference::Kind::status, false},
};

constexpr uint32_t value_bytes_max = 1'000'000;  // of LENGTH: enough for all that there is

bool is_operator_char(char c) noexcept { return (c >= 'A' && c <= 'Z') || http::is_digit(c) || c == '_'; }

// Once: it is in messages and values, whatever somebody has called the machine.
std::string host_name() {
  char name[256]{};
  if (gethostname(name, sizeof name - 1) != 0) return "-";
  std::string text(name);
  std::ranges::replace_if(text, [](char c) { return c <= ' ' || c >= 0x7f || c == '"' || c == '\\'; }, '_');
  return text;
}

// --- Times -----------------------------------------------------------------------------------------

// Of strftime(3), those whose meaning does not depend on a locale or a time zone, and their longest results.
struct Conversion {
  char name;
  unsigned bytes_max;
};
constexpr Conversion conversions[] = {
    {'Y', 5},  {'y', 2}, {'m', 2}, {'d', 2}, {'e', 2}, {'H', 2}, {'I', 2},  {'M', 2},
    {'S', 2},  {'p', 2}, {'j', 3}, {'a', 3}, {'A', 9}, {'b', 3}, {'h', 3},  {'B', 9},
    {'F', 11}, {'T', 8}, {'D', 8}, {'R', 5}, {'z', 5}, {'Z', 3}, {'s', 20},
};

class TimeCompiler {
 public:
  TimeCompiler(std::string_view format, size_t offset) : format_(format), offset_(offset) {}

  std::expected<std::vector<TimePart>, FormatError> compile();

 private:
  void add(TimePart part, unsigned bytes) {
    parts_.push_back(std::move(part));
    bytes_ += bytes;
  }
  void add_literal(char c) {
    if (parts_.empty() || parts_.back().conversion != 0) parts_.emplace_back();
    parts_.back().literal += c;
    ++bytes_;
  }
  // What follows a percent sign; the number of characters, 0: it is nothing that is known.
  size_t add_conversion(std::string_view text);

  std::string_view format_;
  size_t offset_;
  std::vector<TimePart> parts_;
  unsigned bytes_ = 0;  // of the text, at most
};

size_t TimeCompiler::add_conversion(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] == '%') {
    add_literal('%');
    return 1;
  }
  // Envoy's own: %f is the fraction in nanoseconds, %3f in milliseconds. %E3S is from Abseil: seconds with a fraction.
  const auto digit_at = [text](size_t i) -> uint8_t {
    return i < text.size() && text[i] >= '1' && text[i] <= '9' ? static_cast<uint8_t>(text[i] - '0') : 0;
  };
  if (text[0] == 'f') {
    add({'f', 9, {}}, 9);
    return 1;
  }
  if (digit_at(0) != 0 && text.substr(1).starts_with('f')) {
    add({'f', digit_at(0), {}}, 9);
    return 2;
  }
  if (text[0] == 'E' && digit_at(1) != 0 && text.substr(2).starts_with('S')) {
    add({'S', 0, {}}, 2);
    add_literal('.');
    add({'f', digit_at(1), {}}, 9);
    return 3;
  }
  const auto* found = std::ranges::find(conversions, text[0], &Conversion::name);
  if (found == std::end(conversions)) return 0;
  add({text[0] == 'h' ? 'b' : text[0], 0, {}}, found->bytes_max);
  return 1;
}

std::expected<std::vector<TimePart>, FormatError> TimeCompiler::compile() {
  for (size_t i = 0; i < format_.size(); ++i) {
    if (format_[i] != '%') {
      add_literal(format_[i]);
      continue;
    }
    const size_t size = add_conversion(format_.substr(i + 1));
    if (size == 0) {
      return std::unexpected(FormatError{
          offset_ + i, fmt::format("{} is no conversion of a time that is known; known are those of strftime without "
                                   "a locale (%Y, %m, %d, %H, %M, %S, %s, %z, ...), and %f, %3f, %6f, %E3S",
                                   in_quotes(format_.substr(i, 2)))});
    }
    i += size;
  }
  if (bytes_ > snapshot::time_text_bytes_max) {
    return std::unexpected(
        FormatError{offset_, fmt::format("the time may have more than {} characters", snapshot::time_text_bytes_max)});
  }
  return std::move(parts_);
}

// --- Formats ---------------------------------------------------------------------------------------

// Reads one operator after the other. After the first error nothing more is read.
class Compiler {
 public:
  explicit Compiler(std::string_view source) : source_(source) {}

  std::expected<Format, FormatError> compile();

 private:
  bool fail(size_t offset, std::string message) {
    error_ = {offset, std::move(message)};
    return false;
  }
  void add_literal(std::string_view text);
  bool read_operator();
  bool read_length(FormatPart& part, size_t at);
  bool add_operator(std::string_view name, size_t at, std::optional<std::string_view> argument, FormatPart part);
  bool read_argument(const OperatorSchema& schema, size_t at, std::optional<std::string_view> argument,
                     FormatPart& part);
  bool read_fields(const OperatorSchema& schema, size_t at, std::string_view text, FormatPart& part);
  bool read_field(const OperatorSchema& schema, size_t at, std::string_view name, FieldReference& field);
  bool fail_unknown(std::string_view name, size_t at);

  std::string_view source_;
  size_t at_ = 0;  // what is read next
  size_t operator_count_ = 0;
  Format format_;
  FormatError error_;
};

std::expected<Format, FormatError> Compiler::compile() {
  if (source_.size() > limits::format_bytes_max) {
    return std::unexpected(FormatError{0, fmt::format("the format has more than {} bytes", limits::format_bytes_max)});
  }
  format_.source = source_;
  while (at_ < source_.size()) {
    const size_t percent = std::min(source_.find('%', at_), source_.size());
    add_literal(source_.substr(at_, percent - at_));
    at_ = percent;
    if (at_ < source_.size() && !read_operator()) return std::unexpected(std::move(error_));
  }
  return std::move(format_);
}

void Compiler::add_literal(std::string_view text) {
  if (text.empty()) return;
  if (format_.parts.empty() || format_.parts.back().op != Operator::literal) format_.parts.emplace_back();
  format_.parts.back().text += text;
}

// at_ is at a percent sign.
bool Compiler::read_operator() {
  const size_t start = at_++;
  if (source_.substr(at_).starts_with('%')) {
    add_literal("%");
    ++at_;
    return true;
  }
  const size_t name_start = at_;
  while (at_ < source_.size() && is_operator_char(source_[at_])) ++at_;
  const std::string_view name = source_.substr(name_start, at_ - name_start);
  constexpr std::string_view advice = "write %% for a percent sign";
  if (name.empty()) return fail(start, fmt::format("\"%\" begins no operator such as %PROTOCOL%; {}", advice));

  FormatPart part;
  std::optional<std::string_view> argument;
  if (source_.substr(at_).starts_with('(')) {
    const size_t end = source_.find(')', at_);
    if (end == std::string_view::npos)
      return fail(at_, fmt::format("the argument of {} has no \")\"", in_quotes(name)));
    argument = source_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
  }
  if (source_.substr(at_).starts_with(':') && !read_length(part, at_)) return false;
  if (!source_.substr(at_).starts_with('%')) {
    return fail(start, fmt::format("the operator {} does not end in \"%\"; {}",
                                   in_quotes(source_.substr(start, at_ - start)), advice));
  }
  ++at_;
  if (++operator_count_ > limits::format_operators_max) {
    return fail(start, fmt::format("the format has more than {} operators", limits::format_operators_max));
  }
  return add_operator(name, name_start, argument, std::move(part));
}

bool Compiler::read_length(FormatPart& part, size_t at) {
  const char* first = source_.data() + at + 1;
  const auto [end, failed] = std::from_chars(first, source_.data() + source_.size(), part.bytes_max);
  if (failed != std::errc{} || part.bytes_max == 0 || part.bytes_max > value_bytes_max)
    return fail(at, fmt::format("after \":\" stands the greatest length, from 1 to {}", value_bytes_max));
  at_ = static_cast<size_t>(end - source_.data());
  return true;
}

bool Compiler::add_operator(std::string_view name, size_t at, std::optional<std::string_view> argument,
                            FormatPart part) {
  const auto* schema = std::ranges::find(operators, name, &OperatorSchema::name);
  if (schema == std::end(operators)) return fail_unknown(name, at);
  if (part.bytes_max != 0 && schema->argument != Argument::field)
    return fail(at, fmt::format("%{}% takes no length; REQ and RESP do, as in Envoy", name));
  part.op = schema->op;
  if (!read_argument(*schema, at, argument, part)) return false;
  format_.needs |= schema->needs;
  format_.parts.push_back(std::move(part));
  return true;
}

bool Compiler::read_argument(const OperatorSchema& schema, size_t at, std::optional<std::string_view> argument,
                             FormatPart& part) {
  if (schema.op == Operator::hostname) part.text = host_name();
  const size_t argument_at = at + schema.name.size() + 1;
  switch (schema.argument) {
    case Argument::none: return !argument || fail(argument_at, fmt::format("%{}% takes no argument", schema.name));
    case Argument::flag:  // without it, spaces become "_" in lines of text; here they do in any case
      return !argument || *argument == "ALLOW_WHITESPACES" ||
             fail(argument_at, fmt::format("%{}% takes no argument but ALLOW_WHITESPACES", schema.name));
    case Argument::time: {
      if (!argument || argument->empty()) return true;
      auto time = TimeCompiler(*argument, argument_at).compile();
      if (!time) {
        error_ = std::move(time.error());
        return false;
      }
      part.time = std::move(*time);
      return true;
    }
    case Argument::field:
      if (argument) return read_fields(schema, argument_at, *argument, part);
      return fail(at, fmt::format("%{0}% needs the name of a field: %{0}(X-NAME)%", schema.name));
  }
  return false;
}

bool Compiler::read_fields(const OperatorSchema& schema, size_t at, std::string_view text, FormatPart& part) {
  const size_t question = text.find('?');
  if (!read_field(schema, at, text.substr(0, question), part.field)) return false;
  if (question == std::string_view::npos) return true;
  return read_field(schema, at + question + 1, text.substr(question + 1), part.alternative);
}

bool Compiler::read_field(const OperatorSchema& schema, size_t at, std::string_view name, FieldReference& field) {
  const bool is_of_request = schema.op == Operator::request_field;
  field.name = to_lower(name);
  if (!name.starts_with(':')) {
    field.kind = FieldReference::Kind::field;
    return http::is_token(name) || fail(at, fmt::format("{} is not the name of a field", in_quotes(name)));
  }
  const auto* known = std::ranges::find(pseudo_fields, field.name, &PseudoField::name);
  if (known == std::end(pseudo_fields) || known->is_of_request != is_of_request) {
    return fail(at, fmt::format("{} is not known: with a \":\" begin {} only", in_quotes(name),
                                is_of_request ? ":method, :path, :authority and :scheme" : ":status"));
  }
  field.kind = known->kind;
  return true;
}

bool Compiler::fail_unknown(std::string_view name, size_t at) {
  if (std::ranges::find(planned_operators, name) != std::end(planned_operators))
    return fail(at, fmt::format("%{}% is not supported yet by this version of sluice", name));
  std::vector<std::string_view> names;
  for (const OperatorSchema& schema : operators) names.push_back(schema.name);
  const std::string meant = hint(name, names);
  return fail(at, fmt::format("unknown operator {}{}{}; write %% for a percent sign", in_quotes(name),
                              meant.empty() ? "" : "; ", meant));
}

}  // namespace

std::expected<Format, FormatError> compile_format(std::string_view format) { return Compiler(format).compile(); }

SourcePlace place_in(const Node& text, size_t offset) {
  SourcePlace place = text.place();
  const std::string_view before = std::string_view(text.text).substr(0, offset);
  const bool may_be_escaped = before.find_first_of("\n\t\"'\\") != std::string_view::npos;
  if (!may_be_escaped) place.column += static_cast<unsigned>(offset) + (text.is_plain ? 0 : 1);
  return place;
}

}  // namespace sluice::config

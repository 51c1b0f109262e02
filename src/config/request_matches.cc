#include "config/request_matches.h"

#include "base/limits.h"
#include "config/gateway_key.h"
#include "config/labels.h"
#include "config/visibility.h"
#include "config/wording.h"
#include "http/chars.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::config {

namespace {

using snapshot::Condition;
using snapshot::TextMatch;

// "*" is no regular expression; Istio takes it for "any value".
bool is_any(const StringMatch& match) noexcept { return match.regex.value == "*"; }

void warn_of_method(const StringMatch& method, Diagnostics& diagnostics) {
  if (!method.exact || std::ranges::none_of(method.exact.value, [](char c) { return c >= 'a' && c <= 'z'; })) return;
  diagnostics.warning(method.exact.node->place(),
                      fmt::format("method {} is not the method {}: methods are case-sensitive",
                                  in_quotes(method.exact.value), in_quotes(to_upper(method.exact.value))));
}

void warn_of_path(const HttpMatch& match, Diagnostics& diagnostics) {
  const Text& path = match.uri.exact ? match.uri.exact : match.uri.prefix;
  if (!path.value.empty() && !path.value.starts_with('/')) {
    diagnostics.warning(path.node->place(),
                        fmt::format("{} matches no request: a path starts with \"/\"", in_quotes(path.value)));
  } else if (path.value.contains('?')) {
    diagnostics.warning(path.node->place(), fmt::format("{} matches no request: the query is not part of the path; "
                                                        "queryParams is for it",
                                                        in_quotes(path.value)));
  }
  if (match.ignore_uri_case.value && match.uri.regex) {
    diagnostics.warning(match.ignore_uri_case.node->place(),
                        "ignoreUriCase has no effect on a regular expression; write (?i) at its start");
  }
}

// One of exact, prefix and regex; of fields and parameters also none of them: any value.
enum class AnyValue : uint8_t { may_be, may_not_be };

class MatchChecker {
 public:
  MatchChecker(RegexCompiler& regexes, Diagnostics& diagnostics) : regexes_(regexes), diagnostics_(diagnostics) {}

  void check(StringMatch& match, std::string_view field, AnyValue any_value);
  void check(Rare<StringMatch>& match, std::string_view field) {
    if (match.get() != nullptr) check(*match.get(), field, AnyValue::may_not_be);
  }
  void check_fields(ObjectMap<StringMatch>& fields, std::string_view name);

 private:
  RegexCompiler& regexes_;
  Diagnostics& diagnostics_;
};

void MatchChecker::check(StringMatch& match, std::string_view field, AnyValue any_value) {
  if (match.node == nullptr || match.node->kind != Node::Kind::mapping) return;
  const auto is_given = [&](std::string_view kind) { return match.node->has(kind); };
  static constexpr std::string_view kinds[] = {"exact", "prefix", "regex"};
  const auto count = std::ranges::count_if(kinds, is_given);
  if (count > 1 || (count == 0 && any_value == AnyValue::may_not_be))
    diagnostics_.error(match.node->place(), fmt::format("{} needs one of exact, prefix and regex", field));
  if (match.regex && !is_any(match)) match.compiled_regex = regexes_.compile(match.regex);
}

void MatchChecker::check_fields(ObjectMap<StringMatch>& fields, std::string_view name) {
  for (auto& [field, match] : fields) {
    check(match, field, AnyValue::may_be);
    if (!http::is_token(field) && match.node != nullptr) {
      diagnostics_.error(match.node->place(), fmt::format("{}: {} is not the name of a field", name, in_quotes(field)));
    }
  }
}

}  // namespace

// --- As it is written ------------------------------------------------------------------------------

void check_string_match(StringMatch& match, std::string_view field, RegexCompiler& regexes, Diagnostics& diagnostics) {
  MatchChecker(regexes, diagnostics).check(match, field, AnyValue::may_not_be);
}

void check_match(HttpMatch& match, RegexCompiler& regexes, Diagnostics& diagnostics) {
  MatchChecker checker(regexes, diagnostics);
  checker.check(match.uri, "uri", AnyValue::may_not_be);
  checker.check(match.scheme, "scheme");
  checker.check(match.method, "method");
  checker.check(match.authority, "authority");
  checker.check_fields(match.headers, "headers");
  checker.check_fields(match.without_headers, "withoutHeaders");
  for (auto& [name, value] : match.query_params) checker.check(value, name, AnyValue::may_be);
  warn_of_path(match, diagnostics);
  warn_of_method(*match.method, diagnostics);
  const size_t count = match.headers.size() + match.without_headers.size() + match.query_params.size();
  if (count > limits::match_conditions_max) {
    diagnostics.error(match.node->place(),
                      fmt::format("a match with more than {} conditions", limits::match_conditions_max));
  }
}

std::shared_ptr<const snapshot::Regex> RegexCompiler::compile(const Text& expression) {
  const auto [known, is_new] = known_.try_emplace(std::string(expression.value));
  if (!is_new && known->second != nullptr) return known->second;
  Result<std::shared_ptr<const snapshot::Regex>> compiled = snapshot::Regex::compile(expression.value);
  if (compiled) {
    known->second = std::move(*compiled);
  } else {
    diagnostics_.error(expression.node->place(), fmt::format("{} is not a regular expression of RE2: {}",
                                                             in_quotes(expression.value), compiled.error().message));
  }
  return known->second;
}

// --- What it means ---------------------------------------------------------------------------------

TextMatch compile_text(const StringMatch& written) {
  if (written.exact) return {TextMatch::Kind::exact, false, std::string(written.exact.value)};
  if (written.compiled_regex) return {TextMatch::Kind::regex, false, {}, written.compiled_regex};
  if (!written.prefix.value.empty()) return {TextMatch::Kind::prefix, false, std::string(written.prefix.value)};
  return {};
}

snapshot::RequestMatch compile_match(const HttpMatch& written) {
  snapshot::RequestMatch match;
  match.path = compile_text(written.uri);
  match.path.ignores_case = written.ignore_uri_case.value &&
                            (match.path.kind == TextMatch::Kind::exact || match.path.kind == TextMatch::Kind::prefix);
  const auto add = [&](const StringMatch& text, Condition::Subject subject) {
    if (text.node != nullptr && !is_any(text)) match.conditions.push_back({subject, false, {}, compile_text(text)});
  };
  add(*written.scheme, Condition::Subject::scheme);
  add(*written.method, Condition::Subject::method);
  add(*written.authority, Condition::Subject::authority);
  for (const auto& [name, text] : written.headers)
    match.conditions.push_back({Condition::Subject::field, false, to_lower(name), compile_text(text)});
  for (const auto& [name, text] : written.without_headers)
    match.conditions.push_back({Condition::Subject::field, true, to_lower(name), compile_text(text)});
  for (const auto& [name, text] : written.query_params)
    match.conditions.push_back({Condition::Subject::query_parameter, false, std::string(name), compile_text(text)});
  return match;
}

// --- Which servers it is for -----------------------------------------------------------------------

bool is_server_specific(const HttpMatch& match) noexcept {
  return match.port || match.source_namespace || !match.gateways.empty() || !match.source_labels.empty();
}

bool is_for(const HttpMatch& match, const BoundServer& server, const VirtualService& service) {
  if (match.port && match.port.value != server.server->port.number.value) return false;
  if (!match.gateways.empty()) return names_gateway(match.gateways, *server.gateway, service);
  return has_labels(server.gateway->spec.selector, match.source_labels) &&
         (!match.source_namespace || match.source_namespace.value == gateway_namespace);
}

}  // namespace sluice::config

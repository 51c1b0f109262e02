#include "config/route_actions.h"

#include "base/limits.h"
#include "base/text.h"
#include "config/base64.h"
#include "config/header_operations.h"
#include "config/wording.h"
#include "http/authority.h"
#include "http/chars.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::config {

namespace {

bool is_redirect_status(uint32_t status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// What may stand in a path or query on the wire as it is: no spaces, nothing beyond ASCII.
bool is_target_text(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

void check_path(const Text& path, std::string_view field, Diagnostics& diagnostics) {
  if (!path || (path.value.starts_with('/') && is_target_text(path.value))) return;
  diagnostics.error(path.node->place(),
                    fmt::format("{}: {} is not a path: it begins with \"/\", and other than visible ASCII is "
                                "percent-encoded",
                                field, in_quotes(path.value)));
}

void check_authority(const Text& authority, std::string_view field, Diagnostics& diagnostics) {
  if (!authority || authority.value.empty()) return;
  const auto parsed = http::parse_authority(authority.value);
  if (parsed && !parsed->host.empty()) return;
  diagnostics.error(authority.node->place(),
                    fmt::format("{}: {} is not a host: a name or an address, perhaps with a port", field,
                                in_quotes(authority.value)));
}

// --- Each for itself -------------------------------------------------------------------------------

void check_redirect(const Redirect& redirect, Diagnostics& diagnostics) {
  if (redirect.node == nullptr) return;
  if (const Number& code = redirect.redirect_code; code && !is_redirect_status(code.value)) {
    diagnostics.error(code.node->place(),
                      fmt::format("redirectCode {} is not one of 301, 302, 303, 307 and 308", code.value));
  }
  if (!redirect.uri.value.empty()) check_path(redirect.uri, "redirect.uri", diagnostics);
  check_authority(redirect.authority, "redirect.authority", diagnostics);
  if (const Text& scheme = redirect.scheme; scheme && scheme.value != "http" && scheme.value != "https") {
    diagnostics.error(scheme.node->place(),
                      fmt::format("redirect.scheme: {} is neither http nor https", in_quotes(scheme.value)));
  }
  if (redirect.port && redirect.derive_port)
    diagnostics.error(redirect.node->place(), "redirect has one of port and derivePort");
  const bool changes = redirect.uri || redirect.authority || redirect.scheme || redirect.port || redirect.derive_port;
  if (!changes && redirect.node->kind == Node::Kind::mapping)
    diagnostics.error(redirect.node->place(), "redirect must change something: uri, authority, scheme or port");
}

void check_direct_response(const DirectResponse& response, Diagnostics& diagnostics) {
  const DirectResponseBody& body = response.body;
  if (body.string && body.bytes) diagnostics.error(body.node->place(), "body has one of string and bytes");
  const std::optional<std::string> decoded = body.bytes ? decode_base64(body.bytes.value) : std::nullopt;
  if (body.bytes && !decoded)
    diagnostics.error(body.bytes.node->place(), "body.bytes is not base64; string takes text");
  if (std::max(body.string.value.size(), decoded ? decoded->size() : 0) > limits::direct_response_bytes_max) {
    diagnostics.error(body.node->place(),
                      fmt::format("the body is longer than {} bytes", limits::direct_response_bytes_max));
  }
  const uint32_t status = response.status.value;
  if ((status == 204 || status == 304) && body.node != nullptr) {
    diagnostics.error(body.node->place(), fmt::format("an answer with status {} has no body (RFC 9110 6.4.1)", status));
  }
}

void check_rewrite(Rewrite& rewrite, RegexCompiler& regexes, Diagnostics& diagnostics) {
  if (!rewrite.uri.value.empty()) check_path(rewrite.uri, "rewrite.uri", diagnostics);
  snapshot::HeaderOperations unused;
  compile_host(rewrite.authority, unused, diagnostics);
  if (rewrite.uri.value.contains('?'))
    diagnostics.error(rewrite.uri.node->place(), "rewrite.uri: the query of a request cannot be rewritten");
  RegexRewrite& regex = rewrite.uri_regex_rewrite;
  if (rewrite.uri && regex.node != nullptr)
    diagnostics.error(rewrite.node->place(), "rewrite has one of uri and uriRegexRewrite");
  if (!regex.match) return;
  regex.compiled = regexes.compile(regex.match);
  if (regex.compiled == nullptr || !regex.rewrite) return;
  const std::string_view substitution = regex.rewrite.value;
  if (const Status status = regex.compiled->check_substitution(substitution); !status) {
    diagnostics.error(regex.rewrite.node->place(), fmt::format("uriRegexRewrite.rewrite: {}", status.error().message));
  } else if (!is_target_text(substitution) || substitution.contains('?')) {
    diagnostics.error(
        regex.rewrite.node->place(),
        fmt::format("uriRegexRewrite.rewrite: {} has something that no path has: a space, \"?\", \"#\" or "
                    "other than ASCII",
                    in_quotes(substitution)));
  }
}

// Said by the statuses beside it; the fields, which Istio cannot configure; HTTP/3, which destinations do not get.
constexpr std::string_view retry_names_without_effect[] = {"retriable-status-codes", "retriable-headers",
                                                           "http3-post-connect-failure"};

// The bit of a name; 0 for those without effect. Nothing: it is none.
std::optional<uint32_t> retry_condition(std::string_view name) noexcept {
  if (name == "reset-before-request") return static_cast<uint32_t>(snapshot::RetryOn::connect_failure);
  if (std::ranges::find(retry_names_without_effect, name) != std::end(retry_names_without_effect)) return 0;
  const auto found = std::ranges::find(snapshot::retry_on_names, name, &snapshot::RetryOnName::name);
  if (found == std::end(snapshot::retry_on_names)) return std::nullopt;
  return static_cast<uint32_t>(found->condition);
}

// Calls with_part(text) for each part between commas, without spaces.
template <typename WithPart>
void for_each_part(std::string_view list, WithPart with_part) {
  while (!list.empty()) {
    const std::string_view part = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), part.size() + 1));
    if (const std::string_view text = trimmed(part, " "); !text.empty()) with_part(text);
  }
}

std::optional<uint16_t> status_of(std::string_view part) noexcept {
  uint16_t status = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), status);
  if (error != std::errc{} || end != part.data() + part.size() || status < 100 || status > 599) return std::nullopt;
  return status;
}

void check_retries(const Retries& retries, Diagnostics& diagnostics) {
  if (retries.retry_on) {
    for_each_part(retries.retry_on.value, [&](std::string_view part) {
      if (status_of(part) || retry_condition(part)) return;
      std::vector<std::string_view> names;
      for (const snapshot::RetryOnName& known : snapshot::retry_on_names) names.push_back(known.name);
      diagnostics.error(
          retries.retry_on.node->place(),
          fmt::format("retryOn: {} is neither a status nor something that can be tried again", in_quotes(part)),
          hint(part, names));
    });
  }
  const auto check_span = [&](const TimeSpan& span, std::string_view field) {
    if (span.node != nullptr && span.value < std::chrono::milliseconds(1))
      diagnostics.error(span.node->place(), fmt::format("{} must be at least 1ms", field));
  };
  check_span(retries.per_try_timeout, "perTryTimeout");
  check_span(retries.backoff, "backoff");
}

void warn_of_no_share(const Node* fault, bool has_share, std::string_view what, Diagnostics& diagnostics) {
  if (fault == nullptr || has_share) return;
  diagnostics.warning(fault->place(), fmt::format("no request is {}: percentage is not given", what));
}

void check_fault(const Fault& fault, Diagnostics& diagnostics) {
  const FaultDelay& delay = fault.delay;
  if (delay.fixed_delay.node != nullptr && delay.fixed_delay.value < std::chrono::milliseconds(1))
    diagnostics.error(delay.fixed_delay.node->place(), "fixedDelay must be at least 1ms");
  warn_of_no_share(delay.node, delay.percentage.value || delay.percent, "delayed", diagnostics);
  const FaultAbort& abort = fault.abort;
  if (abort.node != nullptr && abort.http_status.node == nullptr && !abort.grpc_status)
    diagnostics.error(abort.node->place(), "abort needs httpStatus or grpcStatus");
  if (abort.http_status && abort.grpc_status)
    diagnostics.error(abort.node->place(), "abort has one of httpStatus and grpcStatus");
  warn_of_no_share(abort.node, static_cast<bool>(abort.percentage.value), "answered so", diagnostics);
  if (fault.node != nullptr && delay.node == nullptr && abort.node == nullptr)
    diagnostics.error(fault.node->place(), "fault needs delay or abort");
}

void check_list_of_tokens(const std::vector<Text>& values, std::string_view field, Diagnostics& diagnostics) {
  for (const Text& value : values) {
    if (value && !http::is_token(value.value))
      diagnostics.error(value.node->place(), fmt::format("{}: {} is not a name", field, in_quotes(value.value)));
  }
}

void check_cors_policy(CorsPolicy& policy, RegexCompiler& regexes, Diagnostics& diagnostics) {
  for (StringMatch& origin : policy.allow_origins) check_string_match(origin, "allowOrigins", regexes, diagnostics);
  check_list_of_tokens(policy.allow_methods, "allowMethods", diagnostics);
  check_list_of_tokens(policy.allow_headers, "allowHeaders", diagnostics);
  check_list_of_tokens(policy.expose_headers, "exposeHeaders", diagnostics);
  const auto takes_any = [](const StringMatch& origin) {
    return origin.exact.value == "*" || origin.regex.value == ".*";
  };
  if (policy.allow_credentials.value && std::ranges::any_of(policy.allow_origins, takes_any)) {
    diagnostics.warning(
        policy.allow_credentials.node->place(),
        "allowCredentials with an origin that is any: every page of the web may ask in the user's name");
  }
  if (policy.allow_origins.empty() && policy.allow_origin.empty())
    diagnostics.warning(policy.node->place(), "corsPolicy has no effect: it allows no origin");
}

void check_mirrors(const HttpRoute& route, Diagnostics& diagnostics) {
  const Node* list = route.node->find("mirrors");
  if (route.mirror->node != nullptr && list != nullptr)
    diagnostics.error(list->place(), "HTTP route cannot contain both mirror and mirrors");
  if (route.mirrors.size() > limits::mirrors_max)
    diagnostics.error(list->place(), fmt::format("there are more than {} mirrors", limits::mirrors_max));
  for (const Node* share : {route.mirror_percentage->node, route.mirror_percent.node}) {
    if (share != nullptr && route.mirror->node == nullptr)
      diagnostics.warning(share->place(), "this has no effect: it is the share of mirror, which is not given");
  }
  if (route.mirror->node == nullptr && route.mirrors.empty()) return;
  for (const std::string_view answer : {"redirect", "directResponse"}) {
    if (route.node->has(answer))
      diagnostics.warning(route.node->place(), fmt::format("nothing is copied to mirrors: {} answers", answer));
  }
}

}  // namespace

void check_actions(HttpRoute& route, RegexCompiler& regexes, Diagnostics& diagnostics) {
  if (route.node->kind != Node::Kind::mapping) return;
  check_redirect(*route.redirect, diagnostics);
  check_direct_response(*route.direct_response, diagnostics);
  if (Rewrite* rewrite = route.rewrite.get()) check_rewrite(*rewrite, regexes, diagnostics);
  check_retries(*route.retries, diagnostics);
  if (const Duration limit = route.timeout.value, each = route.retries->per_try_timeout.value;
      limit > Duration::zero() && each >= limit) {
    diagnostics.warning(route.retries->per_try_timeout.node->place(),
                        "perTryTimeout has no effect: the timeout of the route is over sooner");
  }
  check_fault(*route.fault, diagnostics);
  if (CorsPolicy* policy = route.cors_policy.get()) check_cors_policy(*policy, regexes, diagnostics);
  check_mirrors(route, diagnostics);
  // What answers does not forward, as in Istio.
  if (route.delegate->node != nullptr) {
    for (const std::string_view answer : {"route", "redirect", "directResponse"}) {
      if (route.node->has(answer))
        diagnostics.error(route.node->place(), fmt::format("HTTP route cannot contain both delegate and {}", answer));
    }
  }
  static constexpr std::string_view excluded[] = {"route", "rewrite", "fault", "directResponse", "redirect"};
  for (const std::string_view answer : {"redirect", "directResponse"}) {
    if (!route.node->has(answer)) continue;
    for (const std::string_view other : excluded) {
      if (other == answer || !route.node->has(other)) continue;
      if (answer == "directResponse" && other == "redirect") continue;  // said the other way round
      diagnostics.error(route.node->place(), fmt::format("HTTP route cannot contain both {} and {}", answer, other));
    }
  }
}

// --- What they mean --------------------------------------------------------------------------------

namespace {

std::string joined(const std::vector<Text>& values) {
  std::string result;
  for (const Text& value : values) result += (result.empty() ? "" : ",") + std::string(value.value);
  return result;
}

}  // namespace

std::shared_ptr<const snapshot::Redirect> compile_redirect(const Redirect& written) {
  if (written.node == nullptr) return nullptr;
  auto redirect = std::make_shared<snapshot::Redirect>();
  if (written.redirect_code) redirect->status = static_cast<uint16_t>(written.redirect_code.value);
  redirect->scheme = written.scheme.value;
  redirect->authority = written.authority.value;
  redirect->port = static_cast<uint16_t>(written.port.value);
  redirect->has_request_port = written.derive_port.value == "FROM_REQUEST_PORT";
  redirect->path = written.uri.value;
  return redirect;
}

std::shared_ptr<const snapshot::DirectResponse> compile_direct_response(const DirectResponse& written) {
  if (written.node == nullptr) return nullptr;
  auto response = std::make_shared<snapshot::DirectResponse>();
  response->status = static_cast<uint16_t>(written.status.value);
  response->body = written.body.string.value;
  if (written.body.bytes) response->body = decode_base64(written.body.bytes.value).value_or(std::string());
  return response;
}

std::shared_ptr<const snapshot::Rewrite> compile_rewrite(const Rewrite& written) {
  if (written.uri.value.empty() && written.uri_regex_rewrite.compiled == nullptr) return nullptr;
  auto rewrite = std::make_shared<snapshot::Rewrite>();
  rewrite->prefix = written.uri.value;
  rewrite->regex = written.uri_regex_rewrite.compiled;
  rewrite->substitution = written.uri_regex_rewrite.rewrite.value;
  return rewrite;
}

std::shared_ptr<const snapshot::RetryPolicy> compile_retries(const Retries& written) {
  if (written.node == nullptr) return nullptr;
  auto policy = std::make_shared<snapshot::RetryPolicy>();
  policy->attempts = static_cast<uint16_t>(written.attempts.value);
  if (!written.retry_on.value.empty()) {
    policy->conditions = 0;
    for_each_part(written.retry_on.value, [&](std::string_view part) {
      if (const std::optional<uint16_t> status = status_of(part)) {
        policy->statuses.push_back(*status);
      } else {
        policy->conditions |= *retry_condition(part);
      }
    });
  }
  policy->per_try_timeout = written.per_try_timeout.value;
  if (written.backoff.node != nullptr) policy->backoff = written.backoff.value;
  if (written.retry_ignore_previous_hosts.node != nullptr)
    policy->avoids_previous_endpoint = written.retry_ignore_previous_hosts.value;
  return policy;
}

std::shared_ptr<const snapshot::Fault> compile_fault(const Fault& written) {
  if (written.node == nullptr) return nullptr;
  auto fault = std::make_shared<snapshot::Fault>();
  fault->delay = written.delay.fixed_delay.value;
  fault->delay_share =
      (written.delay.percentage.value ? written.delay.percentage.value : written.delay.percent).millionths;
  if (written.abort.grpc_status) fault->abort_grpc_status = grpc_status_of(written.abort.grpc_status.value);
  fault->abort_status = static_cast<uint16_t>(written.abort.http_status.value);
  fault->abort_share = written.abort.percentage.value.millionths;
  return fault;
}

std::shared_ptr<const snapshot::CorsPolicy> compile_cors_policy(const CorsPolicy& written) {
  if (written.node == nullptr) return nullptr;
  auto policy = std::make_shared<snapshot::CorsPolicy>();
  for (const StringMatch& origin : written.allow_origins) policy->origins.push_back(compile_text(origin));
  if (written.allow_origins.empty()) {
    for (const Text& origin : written.allow_origin)
      policy->origins.push_back({snapshot::TextMatch::Kind::exact, false, std::string(origin.value)});
  }
  for (snapshot::TextMatch& origin : policy->origins) {
    if (origin.kind == snapshot::TextMatch::Kind::exact && origin.text == "*") origin = {};
  }
  policy->allow_methods = joined(written.allow_methods);
  policy->allow_headers = joined(written.allow_headers);
  policy->expose_headers = joined(written.expose_headers);
  if (written.max_age.node != nullptr) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(written.max_age.value);
    policy->max_age = std::to_string(seconds.count());
  }
  policy->allow_credentials = written.allow_credentials.value;
  policy->answers_other_origins = written.unmatched_preflights.value == "IGNORE";
  return policy;
}

}  // namespace sluice::config

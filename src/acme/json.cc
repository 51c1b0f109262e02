#include "acme/json.h"

#include "base/limits.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::acme {

namespace {

constexpr std::string_view kTypePrefix = "urn:ietf:params:acme:error:";

std::string describe(const Json& problem, const std::string& type) {
  const std::string detail = text_member(problem, "detail");
  if (type.empty()) return detail;
  return detail.empty() ? type : fmt::format("{}: {}", type, detail);
}

std::string type_of(const Json& problem) {
  const std::string type = text_member(problem, "type");
  return type.starts_with(kTypePrefix) ? printable(std::string_view(type).substr(kTypePrefix.size())) : std::string();
}

}  // namespace

std::optional<Json> parse_object(std::string_view text) {
  bool is_too_deep = false;
  const auto look = [&is_too_deep](int depth, Json::parse_event_t /*event*/, Json& /*value*/) {
    is_too_deep = is_too_deep || depth > limits::acme_nesting_max;
    return !is_too_deep;  // false: what follows is not kept
  };
  Json json = Json::parse(text, look, /*allow_exceptions=*/false);
  if (is_too_deep || !json.is_object()) return std::nullopt;
  return json;
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_member(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value == nullptr || !value->is_string() ? std::string() : value->get<std::string>();
}

bool is_usable_url(std::string_view url) noexcept {
  constexpr std::string_view kScheme = "https://";
  return url.starts_with(kScheme) && url.size() > kScheme.size() && url.size() <= limits::acme_url_bytes_max &&
         std::ranges::all_of(url, [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\'; });
}

std::string url_member(const Json& object, const char* name) {
  std::string url = text_member(object, name);
  return is_usable_url(url) ? url : std::string();
}

std::string printable(std::string_view text) {
  const bool is_cut = text.size() > limits::acme_problem_bytes_max;
  std::string copy(text.substr(0, limits::acme_problem_bytes_max));
  for (char& c : copy) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
    if (c < ' ' || c > '~') c = '?';
  }
  return is_cut ? copy + "..." : copy;
}

Problem read_problem(const Json& object) {
  Problem problem{.type = type_of(object)};
  std::string text = describe(object, problem.type);
  const Json* list = member(object, "subproblems");
  if (list != nullptr && list->is_array()) {
    for (size_t i = 0; i < std::min(list->size(), limits::acme_subproblems_max); ++i) {
      const Json& sub = (*list)[i];
      const Json* identifier = member(sub, "identifier");
      const std::string name = identifier == nullptr ? std::string() : text_member(*identifier, "value");
      text += fmt::format("; {}{}{}", name, name.empty() ? "" : ": ", describe(sub, type_of(sub)));
    }
    if (list->size() > limits::acme_subproblems_max)
      text += fmt::format("; and {} more", list->size() - limits::acme_subproblems_max);
  }
  problem.text = printable(text);
  return problem;
}

Failure order_failure(const Json& object, std::string_view what) {
  Problem problem = read_problem(object);
  // What the server, or the network between it and this one, does wrong.
  const bool is_passing = problem.type == "serverInternal" || problem.type == "rateLimited";
  return {.message = fmt::format("{}: {}", what, problem.text.empty() ? "the server does not say why" : problem.text),
          .kind = is_passing ? FailureKind::passing : FailureKind::order,
          .type = std::move(problem.type)};
}

}  // namespace sluice::acme

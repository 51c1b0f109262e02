// What ACME servers say in JSON: objects, and problem documents (RFC 7807, RFC 8555 6.7) inside of them. Servers are
// not trusted: what is of the wrong kind is as if it were not there. For the sources of this folder only.
#pragma once

#include "acme/failure.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace sluice::acme {

using Json = nlohmann::json;

// Nothing: it is no JSON object, or too deep a one.
[[nodiscard]] std::optional<Json> parse_object(std::string_view text);
// For requests; never fails.
[[nodiscard]] std::string to_text(const Json& json);

// Null: it is not there.
[[nodiscard]] const Json* member(const Json& object, const char* name);
// Empty: it is not there, or no text.
[[nodiscard]] std::string text_member(const Json& object, const char* name);
// The same for a URL that is_usable_url().
[[nodiscard]] std::string url_member(const Json& object, const char* name);
[[nodiscard]] bool is_usable_url(std::string_view url) noexcept;  // https, printable, not too long

// Printable ASCII of bounded length, of whatever a server says.
[[nodiscard]] std::string printable(std::string_view text);

struct Problem {
  std::string type;  // "rateLimited"; empty: none of ACME's
  std::string text;  // for people: type, detail, subproblems with their identifiers
};
[[nodiscard]] Problem read_problem(const Json& object);

// Of an order or one of its challenges.
[[nodiscard]] Failure order_failure(const Json& problem, std::string_view what);

}  // namespace sluice::acme

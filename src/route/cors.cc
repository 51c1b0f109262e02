#include "route/cors.h"

#include "route/text_match.h"

#include <algorithm>

namespace sluice::route {

namespace {

bool set_unless_empty(http::HeaderList& fields, std::string_view name, std::string_view value) {
  return value.empty() || fields.set(name, value);
}

bool add_origin(const snapshot::CorsPolicy& policy, std::string_view origin, http::HeaderList& fields) {
  return fields.set("access-control-allow-origin", origin) &&
         (!policy.allow_credentials || fields.set("access-control-allow-credentials", "true"));
}

}  // namespace

CorsRequest cors_request(const snapshot::CorsPolicy& policy, const http::RequestHead& head) {
  const std::string_view origin = head.headers.find("origin").value_or(std::string_view());
  if (origin.empty()) return CorsRequest::none;
  const bool is_preflight =
      head.method == "OPTIONS" && !head.headers.find("access-control-request-method").value_or("").empty();
  const bool is_allowed = std::ranges::any_of(
      policy.origins, [origin](const snapshot::TextMatch& allowed) { return fits(allowed, origin); });
  if (is_allowed) return is_preflight ? CorsRequest::preflight : CorsRequest::actual;
  return is_preflight && policy.answers_other_origins ? CorsRequest::other_preflight : CorsRequest::none;
}

bool add_cors_fields(const snapshot::CorsPolicy& policy, std::string_view origin, http::HeaderList& fields) {
  return add_origin(policy, origin, fields) &&
         set_unless_empty(fields, "access-control-expose-headers", policy.expose_headers);
}

bool add_preflight_fields(const snapshot::CorsPolicy& policy, std::string_view origin, http::HeaderList& fields) {
  return add_origin(policy, origin, fields) &&
         set_unless_empty(fields, "access-control-allow-methods", policy.allow_methods) &&
         set_unless_empty(fields, "access-control-allow-headers", policy.allow_headers) &&
         set_unless_empty(fields, "access-control-max-age", policy.max_age);
}

}  // namespace sluice::route

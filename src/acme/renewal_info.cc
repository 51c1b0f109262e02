#include "acme/renewal_info.h"

#include "acme/json.h"
#include "base/limits.h"
#include "base/rfc3339.h"

#include <algorithm>
#include <chrono>

namespace sluice::acme {

Answer<std::optional<RenewalInfo>> fetch_renewal_info(Client& client, const std::string& certificate_id) {
  const Answer<const Directory*> directory = client.directory();
  if (!directory) return std::unexpected(directory.error());
  if ((*directory)->renewal_info.empty()) return std::nullopt;
  const std::string& base = (*directory)->renewal_info;
  const Request request{.doing = "asking when to renew",
                        .url = base + (base.ends_with('/') ? "" : "/") + certificate_id};
  const Answer<Response> response = client.get(request);
  if (!response) {
    if (response.error().kind != FailureKind::passing) return std::nullopt;  // it does not know the certificate
    return std::unexpected(response.error());
  }
  const std::optional<Json> json = parse_object(response->body);
  const Json* window = json ? member(*json, "suggestedWindow") : nullptr;
  const auto start = window == nullptr ? std::nullopt : parse_rfc3339(text_member(*window, "start"));
  const auto end = window == nullptr ? std::nullopt : parse_rfc3339(text_member(*window, "end"));
  if (!start || !end || *end <= *start)  // RFC 9773 4.2: as if there were none
    return fail(FailureKind::passing, request, "the answer has no usable suggestedWindow");
  return RenewalInfo{.start = *start,
                     .end = *end,
                     .explanation_url = url_member(*json, "explanationURL"),
                     .ask_again = std::clamp(response->retry_after.value_or(limits::acme_window_interval_default),
                                             limits::acme_window_interval_min, limits::acme_window_interval_max)};
}

}  // namespace sluice::acme

#include "acme/renewal_info.h"

#include "acme/certificate_fields.h"
#include "acme/json.h"
#include "acme/jws.h"
#include "base/limits.h"

#include <algorithm>
#include <chrono>

namespace sluice::acme {

namespace {

// Drops so many digits from the front. -1: they are not there.
int take_number(std::string_view& text, size_t digits) noexcept {
  if (text.size() < digits) return -1;
  int number = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool take_one_of(std::string_view& text, std::string_view characters) noexcept {
  if (text.empty() || !characters.contains(text.front())) return false;
  text.remove_prefix(1);
  return true;
}

// Minutes that local time is ahead of UTC.
std::optional<int> take_offset(std::string_view& text) noexcept {
  if (take_one_of(text, "Zz")) return 0;
  const int sign = text.starts_with('-') ? -1 : 1;
  if (!take_one_of(text, "+-")) return std::nullopt;
  const int hours = take_number(text, 2);
  const bool has_colon = take_one_of(text, ":");
  const int minutes = take_number(text, 2);
  if (hours < 0 || hours > 23 || !has_colon || minutes < 0 || minutes > 59) return std::nullopt;
  return sign * (hours * 60 + minutes);
}

}  // namespace

std::optional<WallTime> read_rfc3339(std::string_view text) noexcept {
  const int year = take_number(text, 4);
  if (!take_one_of(text, "-")) return std::nullopt;
  const int month = take_number(text, 2);
  if (!take_one_of(text, "-")) return std::nullopt;
  const int day = take_number(text, 2);
  if (!take_one_of(text, "Tt ")) return std::nullopt;
  const int hour = take_number(text, 2);
  if (!take_one_of(text, ":")) return std::nullopt;
  const int minute = take_number(text, 2);
  if (!take_one_of(text, ":")) return std::nullopt;
  const int second = take_number(text, 2);
  if (take_one_of(text, ".")) {
    if (take_number(text, 1) < 0) return std::nullopt;
    while (take_number(text, 1) >= 0) continue;
  }
  const std::optional<int> offset = take_offset(text);
  // 1970 and 2261: a day at either end is what an offset may take.
  if (!offset || !text.empty() || year < 1970 || year > 2261 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60 || month < 0 || day < 0)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) +
                  std::chrono::minutes(minute - *offset) + std::chrono::seconds(second));
}

Result<std::string> certificate_id(ConstBytes der) {
  const std::optional<CertificateFields> fields = read_certificate_fields(der);
  if (!fields || fields->authority_key.empty())
    return failure("the certificate does not name the key of its issuer (authorityKeyIdentifier)");
  return to_base64url(fields->authority_key) + "." + to_base64url(fields->serial);
}

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
  const auto start = window == nullptr ? std::nullopt : read_rfc3339(text_member(*window, "start"));
  const auto end = window == nullptr ? std::nullopt : read_rfc3339(text_member(*window, "end"));
  if (!start || !end || *end < *start)  // RFC 9773 4.2: as if there were none
    return fail(FailureKind::passing, request, "the answer has no usable suggestedWindow");
  return RenewalInfo{.start = *start,
                     .end = *end,
                     .explanation_url = url_member(*json, "explanationURL"),
                     .ask_again = std::clamp(response->retry_after.value_or(limits::acme_window_interval_default),
                                             limits::acme_window_interval_min, limits::acme_window_interval_max)};
}

}  // namespace sluice::acme

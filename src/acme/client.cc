#include "acme/client.h"

#include "acme/json.h"
#include "acme/jws.h"
#include "base/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <thread>

namespace sluice::acme {

namespace {

// --- What answers mean -----------------------------------------------------------------------------

// RFC 8555 6.7. Types that are not here last until the configuration changes.
constexpr std::array<std::pair<std::string_view, FailureKind>, 12> kKinds = {{
    {"badNonce", FailureKind::passing},
    {"rateLimited", FailureKind::passing},
    {"serverInternal", FailureKind::passing},
    {"orderNotReady", FailureKind::passing},
    {"alreadyReplaced", FailureKind::order},  // RFC 9773 7.4
    {"caa", FailureKind::order},
    {"compound", FailureKind::order},
    {"connection", FailureKind::order},
    {"dns", FailureKind::order},
    {"dnssec", FailureKind::order},
    {"incorrectResponse", FailureKind::order},
    {"tls", FailureKind::order},
}};

FailureKind kind_of(unsigned status, std::string_view type) {
  if (status == 404) return FailureKind::order;  // servers forget orders
  if (status >= 500 || status == 429) return FailureKind::passing;
  if (type.empty()) return FailureKind::passing;  // not of the ACME server: a proxy, a firewall
  const auto found = std::ranges::find(kKinds, type, [](const auto& row) { return row.first; });
  return found == kKinds.end() ? FailureKind::lasting : found->second;
}

// RFC 9110 10.2.3. Nothing: none that is understood.
std::optional<Duration> read_retry_after(std::string_view text) {
  std::chrono::seconds delay{};
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) {
    delay = std::chrono::seconds(seconds);
  } else if (error == std::errc::result_out_of_range) {
    delay = std::chrono::seconds::max();
  } else {
    std::tm date{};
    const std::string copy(text);
    const char* rest = strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
    if (rest == nullptr || *rest != '\0') return std::nullopt;
    delay = std::chrono::seconds(timegm(&date)) -
            std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  }
  constexpr auto kMax = std::chrono::duration_cast<std::chrono::seconds>(limits::acme_retry_after_max);
  return std::clamp(delay, std::chrono::seconds(0), kMax);
}

std::optional<Duration> retry_after_of(const HttpResponse& response) {
  const std::string* value = response.field("retry-after");
  return value == nullptr ? std::nullopt : read_retry_after(*value);
}

bool is_nonce(std::string_view text) noexcept {  // RFC 8555 6.5.1
  return !text.empty() && text.size() <= limits::acme_nonce_bytes_max && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  });
}

// RFC 8288 3: <URL>;rel="alternate", several with commas between them. A parameter of another name may hold anything:
// what looks like a link inside of it is at worst a chain more to look at.
void add_alternates(std::string_view value, std::vector<std::string>& urls) {
  while (urls.size() < limits::acme_alternate_chains_max) {
    const size_t begin = value.find('<');
    const size_t end = begin == std::string_view::npos ? begin : value.find('>', begin);
    if (end == std::string_view::npos) return;
    const std::string_view url = value.substr(begin + 1, end - begin - 1);
    value.remove_prefix(end + 1);
    const std::string_view parameters = value.substr(0, value.find('<'));
    const bool is_alternate = parameters.contains("rel=\"alternate\"") || parameters.contains("rel=alternate");
    if (is_alternate && is_usable_url(url)) urls.emplace_back(url);
  }
}

Response to_response(HttpResponse& http) {
  Response response{.status = http.status, .body = std::move(http.body), .retry_after = retry_after_of(http)};
  if (const std::string* location = http.field("location"); location != nullptr && is_usable_url(*location))
    response.location = *location;
  for (const HttpField& field : http.fields) {
    if (field.name == "link") add_alternates(field.value, response.alternates);
  }
  return response;
}

Failure refusal(const Request& request, const HttpResponse& response) {
  const std::optional<Json> json = parse_object(response.body);
  Problem problem = json ? read_problem(*json) : Problem{};
  std::string what = fmt::format("it answers {}", response.status);
  if (!problem.text.empty()) what += fmt::format(" ({})", problem.text);
  if (problem.type == "userActionRequired" && json)  // RFC 8555 7.3.3: the terms have changed, say
    what += fmt::format("; see {}", printable(text_member(*json, "instance")));
  Failure failure = fail(kind_of(response.status, problem.type), request, what).error();
  failure.type = std::move(problem.type);
  failure.retry_after = retry_after_of(response);
  return failure;
}

bool is_success(unsigned status) noexcept { return status >= 200 && status < 300; }

Directory read_directory(const Json& json) {
  Directory directory{.new_nonce = url_member(json, "newNonce"),
                      .new_account = url_member(json, "newAccount"),
                      .new_order = url_member(json, "newOrder"),
                      .revoke_certificate = url_member(json, "revokeCert"),
                      .key_change = url_member(json, "keyChange"),
                      .renewal_info = url_member(json, "renewalInfo")};
  const Json* meta = member(json, "meta");
  if (meta == nullptr) return directory;
  directory.terms_of_service = printable(text_member(*meta, "termsOfService"));
  const Json* needs = member(*meta, "externalAccountRequired");
  directory.needs_external_account = needs != nullptr && needs->is_boolean() && needs->get<bool>();
  const Json* profiles = member(*meta, "profiles");
  if (profiles == nullptr || !profiles->is_object()) return directory;
  for (const auto& [name, description] : profiles->items()) {
    if (directory.profiles.size() == limits::acme_profiles_max) break;
    if (description.is_string()) directory.profiles.emplace_back(name, printable(description.get<std::string>()));
  }
  return directory;
}

}  // namespace

const std::string* HttpResponse::field(std::string_view name) const noexcept {
  const auto found = std::ranges::find(fields, name, &HttpField::name);
  return found == fields.end() ? nullptr : &found->value;
}

std::unexpected<Failure> fail(FailureKind kind, const Request& request, std::string_view what) {
  return fail(kind, fmt::format("{} at {}: {}", request.doing, printable(request.url), what));
}

// --- Exchanges -------------------------------------------------------------------------------------

Client::Client(Transport transport, std::string directory_url)
    : transport_(std::move(transport)), directory_url_(std::move(directory_url)) {}

Answer<HttpResponse> Client::send(const Request& request, const HttpRequest& http) {
  Answer<HttpResponse> response = transport_(http);
  if (!response) return fail(response.error().kind, request, response.error().message);
  keep_nonce(*response);
  return response;
}

Answer<const Directory*> Client::directory() {
  const auto now = std::chrono::steady_clock::now();
  if (directory_ && now - directory_fetched_ < limits::acme_directory_lifetime) return &*directory_;
  const Request request{.doing = "reading the directory", .url = directory_url_};
  if (!is_usable_url(directory_url_)) return fail(FailureKind::lasting, request, "the address is no https:// URL");
  const Answer<HttpResponse> response = send(request, {.url = directory_url_, .follows_redirects = true});
  if (!response) return std::unexpected(response.error());
  if (!is_success(response->status)) {
    Failure failure = refusal(request, *response);
    failure.kind = FailureKind::passing;
    return std::unexpected(std::move(failure));
  }
  const std::optional<Json> json = parse_object(response->body);
  Directory directory = json ? read_directory(*json) : Directory{};
  if (directory.new_nonce.empty() || directory.new_account.empty() || directory.new_order.empty())
    return fail(FailureKind::passing, request,
                "it is no directory of an ACME server (newNonce, newAccount, newOrder with https:// URLs)");
  directory_ = std::move(directory);
  directory_fetched_ = now;
  return &*directory_;
}

void Client::keep_nonce(const HttpResponse& response) {
  const std::string* nonce = response.field("replay-nonce");
  if (nonce == nullptr || !is_nonce(*nonce)) return;
  if (nonces_.size() == limits::acme_nonces_kept) nonces_.erase(nonces_.begin());
  nonces_.push_back(*nonce);
}

Answer<std::string> Client::take_nonce(const Request& request) {
  if (nonces_.empty()) {
    const Answer<const Directory*> directory = this->directory();
    if (!directory) return std::unexpected(directory.error());
    const Request asking{.doing = request.doing + ", for a nonce", .url = (*directory)->new_nonce};
    const Answer<HttpResponse> response = send(asking, {.method = Method::head, .url = asking.url});
    if (!response) return std::unexpected(response.error());
    if (!is_success(response->status)) {
      Failure failure = refusal(asking, *response);
      failure.kind = FailureKind::passing;
      return std::unexpected(std::move(failure));
    }
    if (nonces_.empty()) return fail(FailureKind::passing, asking, "the answer has no usable Replay-Nonce");
  }
  std::string nonce = std::move(nonces_.back());
  nonces_.pop_back();
  return nonce;
}

Answer<Response> Client::post(const AccountKey& key, std::string_view account_url, const Request& request) {
  if (request.url.empty()) return fail(FailureKind::lasting, request, "the server does not offer it");
  for (unsigned retries = 0;; ++retries) {
    Answer<std::string> nonce = take_nonce(request);
    if (!nonce) return std::unexpected(nonce.error());
    const JwsHeader header{.url = request.url, .key_id = std::string(account_url), .nonce = std::move(*nonce)};
    Result<std::string> jws = sign_jws(key, header, request.payload);
    if (!jws) return fail(FailureKind::passing, request, jws.error().message);
    Answer<HttpResponse> response =
        send(request, {.method = Method::post, .url = request.url, .body = std::move(*jws), .accept = request.accept});
    if (!response) return std::unexpected(response.error());
    if (is_success(response->status)) return to_response(*response);
    Failure failure = refusal(request, *response);
    if (failure.type != "badNonce" || retries == limits::acme_nonce_retries_max)
      return std::unexpected(std::move(failure));
    // A server that has begun anew likes none of the old ones; one that goes on like this is not to be hurried.
    if (retries >= limits::acme_nonce_retries_quick) std::this_thread::sleep_for(limits::acme_nonce_pause);
    // RFC 8555 6.5: the answer brings a new one; the others are as old as the one that was refused.
    if (nonces_.size() > 1) nonces_.erase(nonces_.begin(), nonces_.end() - 1);
  }
}

Answer<Response> Client::get(const Request& request) {
  Answer<HttpResponse> response = send(request, {.url = request.url, .accept = request.accept});
  if (!response) return std::unexpected(response.error());
  if (!is_success(response->status)) return std::unexpected(refusal(request, *response));
  return to_response(*response);
}

}  // namespace sluice::acme

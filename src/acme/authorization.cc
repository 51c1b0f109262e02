#include "acme/authorization.h"

#include "acme/json.h"
#include "base/base64.h"
#include "base/limits.h"
#include "tls/parsed_certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace sluice::acme {

namespace {

constexpr std::array<std::string_view, 3> kTypes = {"http-01", "dns-01", "tls-alpn-01"};
constexpr std::array<std::string_view, 4> kChallengeStatuses = {"pending", "processing", "valid", "invalid"};
constexpr std::array<std::string_view, 6> kStatuses = {"pending",     "valid",   "invalid",
                                                       "deactivated", "expired", "revoked"};

bool is_token(std::string_view text) noexcept {  // RFC 8555 8.1: base64url; it ends in a path and a map of ours
  return !text.empty() && text.size() <= limits::acme_token_bytes_max && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  });
}

// Nothing: of a type that is not known, or not usable.
std::optional<Challenge> read_challenge(const Json& json) {
  const auto type = std::ranges::find(kTypes, text_member(json, "type"));
  const auto status = std::ranges::find(kChallengeStatuses, text_member(json, "status"));
  Challenge challenge{.url = url_member(json, "url"), .token = text_member(json, "token")};
  if (type == kTypes.end() || status == kChallengeStatuses.end() || challenge.url.empty() || !is_token(challenge.token))
    return std::nullopt;
  challenge.type = static_cast<ChallengeType>(type - kTypes.begin());
  challenge.status = static_cast<ChallengeStatus>(status - kChallengeStatuses.begin());
  return challenge;
}

// Why it is not valid: of all challenges the one that was tried says so.
Failure failure_of(const Json& challenges, const Identifier& identifier, std::string_view status) {
  for (const Json& each : challenges) {
    const Json* error = member(each, "error");
    if (error == nullptr) continue;
    return order_failure(*error, fmt::format("the server could not validate {} by {}", identifier.value,
                                             printable(text_member(each, "type"))));
  }
  return {.message = fmt::format("the authorization of {} is {}", identifier.value, status),
          .kind = FailureKind::order};
}

}  // namespace

std::string_view text_of(ChallengeType type) noexcept { return kTypes[static_cast<size_t>(type)]; }

Answer<Authorization> fetch_authorization(Client& client, const Account& account, const std::string& url,
                                          const std::vector<Identifier>& identifiers) {
  const Request request{.doing = "looking at an authorization", .url = url};
  const auto refuse = [&request](std::string_view what) { return fail(FailureKind::passing, request, what); };
  const Answer<Response> response = client.post(account, request);
  if (!response) return std::unexpected(response.error());
  const std::optional<Json> json = parse_object(response->body);
  if (!json) return refuse("the answer is no JSON object");

  const auto status = std::ranges::find(kStatuses, text_member(*json, "status"));
  if (status == kStatuses.end()) return refuse("the answer has no status of an authorization");
  Authorization authorization{.status = static_cast<AuthorizationStatus>(status - kStatuses.begin()),
                              .retry_after = response->retry_after};

  const Json* identifier = member(*json, "identifier");
  const Json* wildcard = member(*json, "wildcard");
  const bool is_wildcard = wildcard != nullptr && wildcard->is_boolean() && wildcard->get<bool>();
  const std::string value =
      identifier == nullptr ? std::string() : (is_wildcard ? "*." : "") + text_member(*identifier, "value");
  const auto wanted = std::ranges::find_if(identifiers, [&value](const Identifier& each) {
    return std::ranges::equal(each.value, value, [](char a, char b) {
      return a == b || (b >= 'A' && b <= 'Z' && a == static_cast<char>(b - 'A' + 'a'));
    });
  });
  if (wanted == identifiers.end())
    return fail(FailureKind::order, request, "the authorization is for a name that was not asked for");
  authorization.identifier = *wanted;

  const Json* list = member(*json, "challenges");
  if (list == nullptr || !list->is_array() || list->size() > limits::acme_challenges_max)
    return refuse(fmt::format("the answer has no challenges, or more than {}", limits::acme_challenges_max));
  for (const Json& each : *list) {
    if (auto challenge = read_challenge(each)) authorization.challenges.push_back(std::move(*challenge));
  }
  if (authorization.status != AuthorizationStatus::pending && authorization.status != AuthorizationStatus::valid)
    authorization.failure = failure_of(*list, authorization.identifier, *status);
  return authorization;
}

Answer<void> accept_challenge(Client& client, const Account& account, const Challenge& challenge) {
  const Request request{.doing = fmt::format("accepting the challenge {}", text_of(challenge.type)),
                        .url = challenge.url,
                        .payload = "{}"};
  const Answer<Response> response = client.post(account, request);
  if (!response) return std::unexpected(response.error());
  return {};
}

std::string key_authorization(const Challenge& challenge, const AccountKey& key) {
  return challenge.token + "." + key.thumbprint();
}

std::string dns_value(std::string_view key_authorization) {
  const std::array<uint8_t, 32> digest = tls_alpn_digest(key_authorization);
  return to_base64url(std::as_bytes(std::span(digest)));
}

std::array<uint8_t, 32> tls_alpn_digest(std::string_view key_authorization) noexcept {
  return tls::sha256(as_bytes(key_authorization));
}

}  // namespace sluice::acme

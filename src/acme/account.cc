#include "acme/account.h"

#include "acme/json.h"
#include "acme/jws.h"
#include "base/wipe.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::acme {

namespace {

Answer<Json> bind_external(const AccountKey& key, const ExternalAccount& external, const Request& request) {
  const Result<std::string> jws =
      authenticate_jws(as_bytes(external.mac_key), {.url = request.url, .key_id = external.key_id}, key.jwk());
  if (!jws) return fail(FailureKind::passing, request, jws.error().message);
  return Json::parse(*jws);  // our own text
}

}  // namespace

ExternalAccount::~ExternalAccount() { wipe(mac_key); }

Answer<std::string> register_account(Client& client, const AccountKey& key, const Registration& registration) {
  const Answer<const Directory*> directory = client.directory();
  if (!directory) return std::unexpected(directory.error());
  Request request{.doing = registration.only_existing ? "looking for the account" : "making an account",
                  .url = (*directory)->new_account};
  Json payload = Json::object();
  if (registration.only_existing) {
    payload["onlyReturnExisting"] = true;
  } else {
    payload["termsOfServiceAgreed"] = true;
    Json contacts = Json::array();
    for (const std::string& email : registration.emails) contacts.push_back("mailto:" + email);
    if (!contacts.empty()) payload["contact"] = std::move(contacts);
    if (registration.external) {
      Answer<Json> binding = bind_external(key, *registration.external, request);
      if (!binding) return std::unexpected(binding.error());
      payload["externalAccountBinding"] = std::move(*binding);
    } else if ((*directory)->needs_external_account) {
      return fail(FailureKind::lasting, request,
                  "the server wants an external account: configure externalAccountBinding with the key id and the MAC "
                  "key that the authority has given you");
    }
  }
  request.payload = to_text(payload);
  const Answer<Response> response = client.post(key, {}, request);
  if (!response) return std::unexpected(response.error());
  if (response->location.empty()) return fail(FailureKind::passing, request, "the answer lacks the account's URL");
  const std::optional<Json> account = parse_object(response->body);
  const std::string status = account ? text_member(*account, "status") : std::string();
  if (!status.empty() && status != "valid")
    return fail(FailureKind::lasting, request,
                fmt::format("the account {} is {}: it needs another key, and becomes another account",
                            response->location, printable(status)));
  return response->location;
}

Answer<void> change_key(Client& client, const Account& account, const AccountKey& new_key) {
  const Answer<const Directory*> directory = client.directory();
  if (!directory) return std::unexpected(directory.error());
  Request request{.doing = "changing the account's key", .url = (*directory)->key_change};
  const Json inner = {{"account", account.url}, {"oldKey", Json::parse(account.key->jwk())}};
  Result<std::string> jws = sign_jws(new_key, {.url = request.url}, to_text(inner));
  if (!jws) return fail(FailureKind::passing, request, jws.error().message);
  request.payload = std::move(*jws);
  const Answer<Response> response = client.post(account, request);
  if (!response) return std::unexpected(response.error());
  return {};
}

}  // namespace sluice::acme

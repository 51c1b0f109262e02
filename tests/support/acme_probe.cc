// The ACME client on the command line, for tests/integration/test_acme_client.py: one step, with all that it needs to
// know, and its result as a line of JSON.
//   acme_probe DIRECTORY_URL CA_FILE KEY_FILE ACCOUNT_URL COMMAND [ARG...]
#include "acme/account.h"
#include "acme/authorization.h"
#include "acme/order.h"
#include "acme/renewal_info.h"
#include "base/address.h"
#include "base/base64.h"
#include "certs/certificate_facts.h"
#include "tls/pem.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <stop_token>

using namespace sluice;
using Json = nlohmann::ordered_json;
using Arguments = std::span<const std::string>;

namespace {

constexpr std::string_view kOrderStatuses[] = {"pending", "ready", "processing", "valid", "invalid"};
constexpr std::string_view kAuthorizationStatuses[] = {"pending",     "valid",   "invalid",
                                                       "deactivated", "expired", "revoked"};
constexpr std::string_view kKinds[] = {"passing", "order", "lasting"};

std::stop_source stopping;

Json failed(const acme::Failure& failure) {
  Json json = {
      {"failed", kKinds[static_cast<size_t>(failure.kind)]}, {"message", failure.message}, {"type", failure.type}};
  if (failure.retry_after) json["retryAfter"] = to_milliseconds(*failure.retry_after) / 1000;
  return json;
}

Json failed(const Error& error) { return {{"failed", "lasting"}, {"message", error.message}, {"type", ""}}; }

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<acme::Identifier> identifiers_of(Arguments names) {
  std::vector<acme::Identifier> identifiers;
  for (const std::string& name : names) {
    const bool is_ip = SocketAddress::from_ip(name, 0).has_value();
    identifiers.push_back({is_ip ? acme::Identifier::Type::ip : acme::Identifier::Type::dns, name});
  }
  return identifiers;
}

Json show(const acme::Answer<acme::Order>& order) {
  if (!order) return failed(order.error());
  Json json = {{"url", order->url},
               {"status", kOrderStatuses[static_cast<size_t>(order->status)]},
               {"authorizations", order->authorizations},
               {"finalize", order->finalize},
               {"certificate", order->certificate}};
  if (order->failure) json["failure"] = failed(*order->failure);
  return json;
}

Json show(const acme::Answer<acme::Authorization>& authorization, const acme::AccountKey& key) {
  if (!authorization) return failed(authorization.error());
  Json json = {{"status", kAuthorizationStatuses[static_cast<size_t>(authorization->status)]},
               {"identifier", authorization->identifier.value},
               {"challenges", Json::object()}};
  for (const acme::Challenge& challenge : authorization->challenges) {
    const std::string proof = acme::key_authorization(challenge, key);
    json["challenges"][std::string(acme::text_of(challenge.type))] = {{"url", challenge.url},
                                                                      {"token", challenge.token},
                                                                      {"keyAuthorization", proof},
                                                                      {"dnsValue", acme::dns_value(proof)}};
  }
  if (authorization->failure) json["failure"] = failed(*authorization->failure);
  return json;
}

Json show(const acme::Answer<std::string>& text) { return text ? Json{{"text", *text}} : failed(text.error()); }
Json show(const acme::Answer<void>& done) { return done ? Json::object() : failed(done.error()); }

Json show(const acme::Answer<std::optional<acme::RenewalInfo>>& info) {
  if (!info) return failed(info.error());
  if (!*info) return {{"offered", false}};
  const auto seconds = [](WallTime time) { return to_milliseconds(time.time_since_epoch()) / 1000; };
  return {{"offered", true},
          {"start", seconds((*info)->start)},
          {"end", seconds((*info)->end)},
          {"explanation", (*info)->explanation_url},
          {"askAgain", to_milliseconds((*info)->ask_again) / 1000}};
}

tls::Der certificate_in(const std::string& path) {
  return tls::decode_pem(read_file(path), tls::kCertificateLabel)->front();
}

// register [EMAIL [KEY_ID MAC_KEY]]
Json enlist(acme::Client& client, const acme::AccountKey& key, Arguments arguments) {
  acme::Registration registration;
  if (!arguments.empty()) registration.emails = {arguments[0]};
  if (arguments.size() == 3) {
    registration.external.emplace();
    registration.external->key_id = arguments[1];
    registration.external->mac_key = read_base64url(arguments[2]).value();
  }
  return show(acme::register_account(client, key, registration));
}

Json run(acme::Client& client, const acme::Account& account, const std::string& command, Arguments arguments) {
  if (command == "register") return enlist(client, *account.key, arguments);
  if (command == "find") return show(acme::register_account(client, *account.key, {.only_existing = true}));
  if (command == "change-key") {
    const auto key = acme::AccountKey::read(read_file(arguments[0]));
    return key ? show(acme::change_key(client, account, *key)) : failed(key.error());
  }
  if (command == "order") return show(acme::new_order(client, account, {.identifiers = identifiers_of(arguments)}));
  if (command == "order-profile")
    return show(acme::new_order(client, account,
                                {.identifiers = identifiers_of(arguments.subspan(1)), .profile = arguments[0]}));
  if (command == "show")
    return show(acme::fetch_order(client, account, arguments[0], identifiers_of(arguments.subspan(1))));
  if (command == "authorization")
    return show(acme::fetch_authorization(client, account, arguments[0], identifiers_of(arguments.subspan(1))),
                *account.key);
  if (command == "accept") return show(acme::accept_challenge(client, account, {.url = arguments[0]}));
  if (command == "finalize") {  // ORDER_URL FINALIZE_URL CSR_FILE NAME...
    const std::string csr = read_file(arguments[2]);
    return show(acme::finalize_order(client, account, {.url = arguments[0], .finalize = arguments[1]}, as_bytes(csr),
                                     identifiers_of(arguments.subspan(3))));
  }
  if (command == "certificate") {  // URL [COMMON_NAME_OF_THE_ROOT]
    acme::IsPreferred is_preferred;
    if (arguments.size() > 1 && !arguments[1].empty()) {
      is_preferred = [&root = arguments[1]](const std::string& chain_pem) {
        const auto facts = certs::read_facts(chain_pem);
        return facts && facts->root_common_name == root;
      };
    }
    return show(acme::fetch_certificate(client, account, arguments[0], is_preferred));
  }
  if (command == "revoke")
    return show(acme::revoke_certificate(client, account, certificate_in(arguments[0]), std::stoi(arguments[1])));
  if (command == "renewal-info") {
    const auto facts = certs::read_facts(read_file(arguments[0]));
    return facts ? show(acme::fetch_renewal_info(client, facts->certificate_id)) : failed(facts.error());
  }
  return failed(Error{"there is no command " + command});
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  if (arguments.size() < 5) return 2;
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { stopping.request_stop(); });
  const std::string& key_file = arguments[2];
  if (arguments[4] == "key") {
    const auto key = acme::AccountKey::make();
    std::ofstream(key_file) << key->to_pem();
    std::cout << Json{{"thumbprint", key->thumbprint()}}.dump() << "\n";
    return 0;
  }
  const auto transport = acme::https_transport({.ca_pem = arguments[1].empty() ? "" : read_file(arguments[1]),
                                                .ca_source = "Issuer test/pebble",
                                                .stop = stopping.get_token()});
  auto key = acme::AccountKey::read(read_file(key_file));
  Json result;
  if (!transport) {
    result = failed(transport.error());
  } else if (!key) {
    result = failed(key.error());
  } else {
    acme::Client client(*transport, arguments[0]);
    const acme::Account account{std::make_shared<const acme::AccountKey>(std::move(*key)), arguments[3]};
    result = run(client, account, arguments[4], Arguments(arguments).subspan(5));
  }
  std::cout << result.dump() << "\n";
  return result.contains("failed") ? 1 : 0;
}

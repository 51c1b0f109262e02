#include "acme/order.h"

#include "acme/json.h"
#include "base/base64.h"
#include "base/limits.h"
#include "tls/der.h"
#include "tls/pem.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace sluice::acme {

namespace {

constexpr std::array<std::string_view, 5> kStatuses = {"pending", "ready", "processing", "valid", "invalid"};

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// In any order (RFC 8555 7.4), as servers may write them.
std::vector<Identifier> comparable(std::vector<Identifier> identifiers) {
  for (Identifier& identifier : identifiers) identifier.value = lower_case(std::move(identifier.value));
  std::ranges::sort(identifiers);
  const auto same = std::ranges::unique(identifiers);
  identifiers.erase(same.begin(), same.end());
  return identifiers;
}

std::vector<Identifier> read_identifiers(const Json& order) {
  std::vector<Identifier> identifiers;
  const Json* list = member(order, "identifiers");
  if (list == nullptr || !list->is_array()) return identifiers;
  for (const Json& each : *list) {
    const bool is_ip = text_member(each, "type") == "ip";
    identifiers.push_back({is_ip ? Identifier::Type::ip : Identifier::Type::dns, text_member(each, "value")});
  }
  return identifiers;
}

// Empty: too many, none, or one that is no URL.
std::vector<std::string> read_authorizations(const Json& order) {
  const Json* list = member(order, "authorizations");
  if (list == nullptr || !list->is_array() || list->size() > limits::acme_authorizations_max) return {};
  std::vector<std::string> urls;
  for (const Json& each : *list) {
    if (!each.is_string() || !is_usable_url(each.get<std::string>())) return {};
    urls.push_back(each.get<std::string>());
  }
  return urls;
}

Answer<Order> read_order(const Request& request, const Response& response, std::string url,
                         const std::vector<Identifier>& identifiers) {
  const auto refuse = [&request](std::string_view what) { return fail(FailureKind::passing, request, what); };
  const std::optional<Json> json = parse_object(response.body);
  if (!json) return refuse("the answer is no JSON object");
  const auto status = std::ranges::find(kStatuses, text_member(*json, "status"));
  if (status == kStatuses.end()) return refuse("the answer has no status of an order");
  if (comparable(read_identifiers(*json)) != comparable(identifiers))
    return fail(FailureKind::order, request, "the order is not about the names that were asked for");
  Order order{.url = std::move(url),
              .status = static_cast<OrderStatus>(status - kStatuses.begin()),
              .authorizations = read_authorizations(*json),
              .finalize = url_member(*json, "finalize"),
              .certificate = url_member(*json, "certificate"),
              .retry_after = response.retry_after};
  switch (order.status) {
    case OrderStatus::pending:
      if (order.authorizations.empty())
        return refuse(fmt::format("the order has no authorizations, or one without an https:// URL, or more than {}",
                                  limits::acme_authorizations_max));
      [[fallthrough]];
    case OrderStatus::ready:
      if (order.finalize.empty()) return refuse("the order has no https:// URL to finalize it");
      break;
    case OrderStatus::valid:
      if (order.certificate.empty()) return refuse("the order has no https:// URL of its certificate");
      break;
    case OrderStatus::invalid: {
      const Json* error = member(*json, "error");
      order.failure = order_failure(error == nullptr ? Json::object() : *error, "the order has failed");
      break;
    }
    case OrderStatus::processing: break;
  }
  return order;
}

// RFC 5280 4.1: what is signed, how, and the signature. What it says is looked at by who wants to use it.
bool is_certificate(ConstBytes der) noexcept {
  const auto certificate = tls::der::take(der);
  if (!certificate || certificate->tag != tls::der::kSequence || !der.empty()) return false;
  ConstBytes parts = certificate->content;
  for (const uint8_t tag : {tls::der::kSequence, tls::der::kSequence, tls::der::kBitString}) {
    const auto part = tls::der::take(parts);
    if (!part || part->tag != tag) return false;
  }
  return parts.empty();
}

// "no PEM but certificates" (RFC 8555 9.1), the leaf and what leads to its CA.
Answer<void> check_chain(const Request& request, std::string_view pem) {
  const auto refuse = [&request](std::string_view what) { return fail(FailureKind::passing, request, what); };
  size_t blocks = 0;
  for (size_t at = 0; (at = pem.find("-----BEGIN ", at)) != std::string_view::npos; ++at) ++blocks;
  if (blocks > limits::acme_chain_certificates_max)
    return refuse(fmt::format("the chain has more than {} certificates", limits::acme_chain_certificates_max));
  const Result<std::vector<tls::Der>> chain = tls::decode_pem(pem, tls::kCertificateLabel);
  if (!chain) return refuse(fmt::format("the answer {}", chain.error().message));
  if (chain->size() != blocks) return refuse("the answer has other things than certificates");
  if (!std::ranges::all_of(*chain, is_certificate)) return refuse("the answer holds a certificate that cannot be read");
  return {};
}

}  // namespace

Answer<Order> new_order(Client& client, const Account& account, const OrderWish& wish) {
  const Answer<const Directory*> directory = client.directory();
  if (!directory) return std::unexpected(directory.error());
  Request request{.doing = "making an order", .url = (*directory)->new_order};
  const auto& profiles = (*directory)->profiles;
  const auto is_wanted = [&wish](const auto& profile) { return profile.first == wish.profile; };
  if (!wish.profile.empty() && std::ranges::none_of(profiles, is_wanted)) {
    std::string names;
    for (const auto& [name, description] : profiles) names += (names.empty() ? "" : ", ") + printable(name);
    return fail(FailureKind::lasting, request,
                fmt::format("the server has no profile '{}': it has {}", wish.profile, names.empty() ? "none" : names));
  }
  Json identifiers = Json::array();
  for (const Identifier& identifier : wish.identifiers)
    identifiers.push_back(
        {{"type", identifier.type == Identifier::Type::ip ? "ip" : "dns"}, {"value", identifier.value}});
  Json payload = {{"identifiers", std::move(identifiers)}};
  if (!wish.profile.empty()) payload["profile"] = wish.profile;
  if (!wish.replaces.empty() && !(*directory)->renewal_info.empty()) payload["replaces"] = wish.replaces;
  request.payload = to_text(payload);
  const Answer<Response> response = client.post(account, request);
  if (!response) return std::unexpected(response.error());
  if (response->location.empty()) return fail(FailureKind::passing, request, "the answer lacks the order's URL");
  return read_order(request, *response, response->location, wish.identifiers);
}

Answer<Order> fetch_order(Client& client, const Account& account, const std::string& url,
                          const std::vector<Identifier>& identifiers) {
  const Request request{.doing = "looking at the order", .url = url};
  const Answer<Response> response = client.post(account, request);
  if (!response) return std::unexpected(response.error());
  return read_order(request, *response, url, identifiers);
}

Answer<Order> finalize_order(Client& client, const Account& account, const Order& order, ConstBytes csr,
                             const std::vector<Identifier>& identifiers) {
  const Request request{
      .doing = "finalizing the order", .url = order.finalize, .payload = to_text({{"csr", to_base64url(csr)}})};
  const Answer<Response> response = client.post(account, request);
  if (!response) return std::unexpected(response.error());
  return read_order(request, *response, order.url, identifiers);
}

Answer<std::string> fetch_certificate(Client& client, const Account& account, const std::string& url,
                                      const IsPreferred& is_preferred) {
  Request request{.doing = "fetching the certificate", .url = url, .accept = "application/pem-certificate-chain"};
  std::string first;
  std::vector<std::string> alternates;
  for (size_t i = 0; i <= alternates.size(); ++i) {
    if (i > 0) request.url = alternates[i - 1];
    Answer<Response> response = client.post(account, request);
    if (!response && i > 0) continue;  // the first one is as good
    if (!response) return std::unexpected(response.error());
    const Answer<void> checked = check_chain(request, response->body);
    if (!checked && i > 0) continue;
    if (!checked) return std::unexpected(checked.error());
    if (!is_preferred || is_preferred(response->body)) return std::move(response->body);
    if (i > 0) continue;
    first = std::move(response->body);
    alternates = std::move(response->alternates);
  }
  return first;
}

Answer<void> revoke_certificate(Client& client, const Account& account, ConstBytes der, std::optional<int> reason) {
  const Answer<const Directory*> directory = client.directory();
  if (!directory) return std::unexpected(directory.error());
  Json payload = {{"certificate", to_base64url(der)}};
  if (reason) payload["reason"] = *reason;
  const Request request{
      .doing = "revoking the certificate", .url = (*directory)->revoke_certificate, .payload = to_text(payload)};
  const Answer<Response> response = client.post(account, request);
  if (!response) return std::unexpected(response.error());
  return {};
}

}  // namespace sluice::acme

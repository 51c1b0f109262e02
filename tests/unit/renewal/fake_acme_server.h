// An ACME server as far as the keeper's tests need one: in memory, honest, and quick. It counts what it has made, can
// refuse, and can end the process at any exchange.
#pragma once

#include "acme/transport.h"
#include "base/base64.h"
#include "certs/authority.h"
#include "certs/certificate_request.h"
#include "certs/self_signed.h"
#include "tls/pem.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sluice::renewal {

// Thrown out of an exchange: the process is gone.
struct Killed {};

class FakeAcmeServer {
 public:
  using Json = nlohmann::json;

  FakeAcmeServer() : authority_(make_authority()) {}

  // What the keeper is given.
  acme::Transport transport() {
    return [this](const acme::HttpRequest& request) { return exchange(request); };
  }

  int kill_before = 0;  // this exchange, counted from 1 and from now; 0: none
  int kill_after = 0;
  // Whether a proof for the name is there, asked when a challenge is accepted; `type` is "http-01" ...
  std::function<bool(const std::string& type, const std::string& token)> validates = [](auto&, auto&) { return true; };
  std::vector<std::string> offered = {"http-01", "dns-01", "tls-alpn-01"};
  Duration lifetime = std::chrono::hours(24 * 90);
  WallTime now{};
  Json renewal_info;             // null: not offered
  std::string refuse_new_order;  // a problem's type; empty: it does not

  int fail_each = 0;           // so many exchanges one is 503; 0: none
  bool mixes_up_keys = false;  // certificates are for another key
  bool is_at_rest = false;     // orders that have been finalized stay in processing

  void forget_accounts() { accounts_.clear(); }

  int exchanges = 0;
  int accounts = 0;
  int orders = 0;
  int certificates = 0;
  int revocations = 0;
  int certificates_at_revocation = 0;  // that had been issued by the last one
  std::vector<std::string> replaced;

 private:
  struct Order {
    std::string account;
    Json identifiers;
    std::map<std::string, bool> names;  // of the authorizations: valid?
    std::string certificate_pem;
  };

  static certs::Authority make_authority() {
    certs::CertificateWish wish;
    wish.common_name = "Fake CA";
    wish.is_ca = true;
    wish.key_type = certs::KeyType::ecdsa_p256;
    wish.duration = std::chrono::hours(24 * 3650);
    const auto issued = certs::issue_self_signed(wish, WallTime(std::chrono::seconds(1'790'000'000)));
    return *certs::Authority::read(issued->chain_pem, issued->key_pem);
  }

  static std::string url(std::string_view path) { return fmt::format("https://ca.example/{}", path); }

  acme::HttpResponse answer(unsigned status, const Json& body, std::string location = {}) {
    acme::HttpResponse response{.status = status,
                                .fields = {{"replay-nonce", fmt::format("n{}", exchanges)}},
                                .body = body.is_null() ? "" : body.dump()};
    if (!location.empty()) response.fields.push_back({"location", std::move(location)});
    return response;
  }
  acme::HttpResponse problem(unsigned status, const std::string& type, const std::string& detail) {
    return answer(status, {{"type", "urn:ietf:params:acme:error:" + type}, {"detail", detail}});
  }

  acme::Answer<acme::HttpResponse> exchange(const acme::HttpRequest& request) {
    ++exchanges;
    if (exchanges == kill_before) throw Killed();
    acme::HttpResponse response =
        fail_each != 0 && exchanges % fail_each == 0 ? problem(503, "serverInternal", "busy") : answer_to(request);
    if (exchanges == kill_after) throw Killed();
    return response;
  }

  acme::HttpResponse answer_to(const acme::HttpRequest& request) {
    const std::string path = request.url.substr(url("").size());
    if (path == "dir") return answer(200, directory());
    if (path == "nonce") return answer(200, nullptr);
    if (path.starts_with("ari/")) return answer(200, renewal_info);
    const Json jws = Json::parse(request.body);
    const Json header = Json::parse(*read_base64url(jws["protected"].get<std::string>()));
    const std::string payload = *read_base64url(jws["payload"].get<std::string>());
    const Json body = payload.empty() ? Json() : Json::parse(payload);
    if (path == "account") return account(header["jwk"].dump(), body);
    const std::string who = header["kid"];
    if (std::ranges::none_of(accounts_, [&](const auto& each) { return each.second == who; }))
      return problem(400, "accountDoesNotExist", "no such account");
    if (path == "order") return new_order(who, body);
    if (path == "revoke") {
      ++revocations;
      certificates_at_revocation = certificates;
      return answer(200, nullptr);
    }
    const size_t slash = path.find('/');
    const std::string what = path.substr(0, slash);
    std::string id = path.substr(slash + 1);
    if (what == "order") return answer(200, order_json(id));
    if (what == "authz") return answer(200, authorization_json(id));
    if (what == "chall") return challenge(id);
    if (what == "finalize") return finalize(id, body["csr"]);
    if (what == "cert") return {.status = 200, .fields = {}, .body = orders_.at(id).certificate_pem};
    return problem(404, "malformed", path);
  }

  Json directory() const {
    Json all = {{"newNonce", url("nonce")},    {"newAccount", url("account")}, {"newOrder", url("order")},
                {"revokeCert", url("revoke")}, {"keyChange", url("key")},      {"meta", Json::object()}};
    if (!renewal_info.is_null()) all["renewalInfo"] = url("ari");
    return all;
  }

  acme::HttpResponse account(const std::string& key, const Json& body) {
    const bool is_new = !accounts_.contains(key);
    if (is_new && body.value("onlyReturnExisting", false))
      return problem(400, "accountDoesNotExist", "no such account");
    if (is_new) accounts_[key] = url(fmt::format("account/{}", ++accounts));
    return answer(is_new ? 201 : 200, {{"status", "valid"}}, accounts_[key]);
  }

  acme::HttpResponse new_order(const std::string& who, const Json& body) {
    if (!refuse_new_order.empty())
      return problem(refuse_new_order == "rateLimited" ? 429 : 403, refuse_new_order, "not now");
    const std::string id = std::to_string(++orders);
    Order& order = orders_[id];
    order.account = who;
    order.identifiers = body["identifiers"];
    if (body.contains("replaces")) replaced.push_back(body["replaces"]);
    for (const Json& each : order.identifiers) order.names[each["value"]] = false;
    return answer(201, order_json(id), url("order/" + id));
  }

  bool is_valid(const Order& order) const {
    return std::ranges::all_of(order.names, [](const auto& each) { return each.second; });
  }

  Json order_json(const std::string& id) const {
    const Order& order = orders_.at(id);
    Json json = {{"status", failed_.contains(id)             ? "invalid"
                            : !order.certificate_pem.empty() ? is_at_rest ? "processing" : "valid"
                            : is_valid(order)                ? "ready"
                                                             : "pending"},
                 {"identifiers", order.identifiers},
                 {"authorizations", Json::array()},
                 {"finalize", url("finalize/" + id)}};
    for (const auto& [name, is_done] : order.names)
      json["authorizations"].push_back(url(fmt::format("authz/{}/{}", id, name)));
    if (!order.certificate_pem.empty() && !is_at_rest) json["certificate"] = url("cert/" + id);
    if (failed_.contains(id))
      json["error"] = {{"type", "urn:ietf:params:acme:error:unauthorized"}, {"detail", "no proof"}};
    return json;
  }

  // `id`: "ORDER/NAME".
  Json authorization_json(const std::string& id) const {
    const size_t slash = id.find('/');
    const std::string order = id.substr(0, slash), name = id.substr(slash + 1);
    const bool is_wildcard = name.starts_with("*.");
    const bool is_failed = failed_.contains(order);
    const char* const status = orders_.at(order).names.at(name) ? "valid" : is_failed ? "invalid" : "pending";
    Json json = {{"status", status},
                 {"identifier", {{"type", "dns"}, {"value", is_wildcard ? name.substr(2) : name}}},
                 {"challenges", Json::array()}};
    if (is_wildcard) json["wildcard"] = true;
    for (const std::string& type : offered) {
      if (is_wildcard && type != "dns-01") continue;
      Json challenge = {{"type", type},
                        {"status", status},
                        {"url", url(fmt::format("chall/{}/{}", id, type))},
                        {"token", token(id, type)}};
      if (is_failed) challenge["error"] = {{"type", "urn:ietf:params:acme:error:unauthorized"}, {"detail", "no proof"}};
      json["challenges"].push_back(std::move(challenge));
    }
    return json;
  }

  static std::string token(const std::string& id, const std::string& type) {
    const std::string text = id + type;
    return to_base64url(as_bytes(text));
  }

  // `id`: "ORDER/NAME/TYPE".
  acme::HttpResponse challenge(const std::string& id) {
    const size_t first = id.find('/'), last = id.rfind('/');
    const std::string order = id.substr(0, first), name = id.substr(first + 1, last - first - 1),
                      type = id.substr(last + 1);
    if (validates(type, token(id.substr(0, last), type))) {
      orders_.at(order).names[name] = true;
    } else {
      failed_.insert(order);
    }
    return answer(200, {{"type", type},
                        {"status", "processing"},
                        {"url", url("chall/" + id)},
                        {"token", token(id.substr(0, last), type)}});
  }

  acme::HttpResponse finalize(const std::string& id, const std::string& csr) {
    Order& order = orders_.at(id);
    if (!is_valid(order)) return problem(403, "orderNotReady", "not validated");
    const std::string der = *read_base64url(csr);
    certs::CertificateWish wish;
    wish.csr_pem = tls::encode_pem(as_bytes(der), certs::kRequestLabel);
    wish.duration = lifetime;
    if (mixes_up_keys) {
      wish.csr_pem.clear();
      wish.names.dns_names = {"a.example.com"};
    }
    const auto issued = authority_.issue(wish, now);
    if (!issued) return problem(400, "badCSR", issued.error().message);
    order.certificate_pem = issued->chain_pem;
    ++certificates;
    return answer(200, order_json(id), url("order/" + id));
  }

  certs::Authority authority_;
  std::map<std::string, std::string> accounts_;  // by key
  std::map<std::string, Order> orders_;
  std::set<std::string> failed_;
};

}  // namespace sluice::renewal

// Exchanges with one ACME server (RFC 8555 6, 7.1, 7.2): its directory, nonces, signed requests, and what its answers
// mean. Everything else of this folder is built on it. Blocks; one thread. It holds nothing that must survive.
#pragma once

#include "acme/account_key.h"
#include "acme/failure.h"
#include "acme/transport.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::acme {

struct Account {
  std::shared_ptr<const AccountKey> key;
  std::string url;
};

// RFC 8555 7.1.1. URLs are https; those of what a server does not offer are empty.
struct Directory {
  std::string new_nonce;
  std::string new_account;
  std::string new_order;
  std::string revoke_certificate;
  std::string key_change;
  std::string renewal_info;  // RFC 9773
  std::string terms_of_service;
  bool needs_external_account = false;
  std::vector<std::pair<std::string, std::string>> profiles;  // name and description (draft-ietf-acme-profiles)
};

// An answer of status 2xx.
struct Response {
  unsigned status = 0;
  std::string body;
  std::string location;                 // empty: none, or no https URL
  std::vector<std::string> alternates;  // URLs of Link fields with rel="alternate" (RFC 8555 7.4.2)
  std::optional<Duration> retry_after;
};

struct Request {
  std::string doing;  // for messages: "making an order"
  std::string url;
  std::string payload;  // JSON; empty: POST-as-GET (RFC 8555 6.3)
  std::string accept;
};

class Client {
 public:
  Client(Transport transport, std::string directory_url);

  // Fetched at the first call, and again after an hour. Valid until the next call of any function.
  [[nodiscard]] Answer<const Directory*> directory();

  // Signed by the account, or, if it has no URL, by the key that is shown. A nonce that the server does not take is
  // replaced, a bounded number of times.
  [[nodiscard]] Answer<Response> post(const AccountKey& key, std::string_view account_url, const Request& request);
  [[nodiscard]] Answer<Response> post(const Account& account, const Request& request) {
    return post(*account.key, account.url, request);
  }
  // Not signed.
  [[nodiscard]] Answer<Response> get(const Request& request);

  [[nodiscard]] const std::string& directory_url() const noexcept { return directory_url_; }

 private:
  [[nodiscard]] Answer<std::string> take_nonce(const Request& request);
  void keep_nonce(const HttpResponse& response);
  [[nodiscard]] Answer<HttpResponse> send(const Request& request, const HttpRequest& http);

  Transport transport_;
  std::string directory_url_;
  std::optional<Directory> directory_;
  std::chrono::steady_clock::time_point directory_fetched_{};
  std::vector<std::string> nonces_;  // the last one is the newest
};

// "making an order at https://ca.example/new-order: ...", of something that is wrong with the answer to it.
[[nodiscard]] std::unexpected<Failure> fail(FailureKind kind, const Request& request, std::string_view what);

}  // namespace sluice::acme

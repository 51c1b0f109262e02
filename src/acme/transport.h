// How requests reach an ACME server: a function, which tests replace.
#pragma once

#include "acme/failure.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::acme {

enum class Method : uint8_t { get, head, post };

struct HttpRequest {
  Method method = Method::get;
  std::string url;
  std::string body;    // of a POST: a JWS (RFC 8555 6.2)
  std::string accept;  // empty: anything
  bool follows_redirects = false;
};

struct HttpField {
  std::string name;  // lower case
  std::string value;
};

struct HttpResponse {
  unsigned status = 0;
  std::vector<HttpField> fields;
  std::string body;

  [[nodiscard]] const std::string* field(std::string_view name) const noexcept;  // the first; null: there is none
};

// Blocks. The message of a failure says what is wrong, without naming the server; the kind is `passing`.
using Transport = std::function<Answer<HttpResponse>(const HttpRequest&)>;

struct HttpsOptions {
  std::string ca_pem;     // who certifies the server; empty: the CAs of the system
  std::string ca_source;  // "Issuer default/lets-encrypt, caBundle", for messages
  std::stop_token stop;   // then every request fails, one that is under way within a second
};

// HTTPS by libcurl, with time limits and bounded answers; no other scheme. Proxies are those of the environment.
// Connections are kept. To be called and destroyed by one thread. Fails when `ca_pem` holds no certificate that can be
// used, or the system has none.
[[nodiscard]] Result<Transport> https_transport(const HttpsOptions& options);

}  // namespace sluice::acme

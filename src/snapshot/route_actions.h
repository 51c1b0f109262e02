// What a route does with a request beside choosing a destination (Istio's HTTPRoute). All of it was checked when the
// configuration was compiled.
#pragma once

#include "base/durations.h"
#include "snapshot/regex.h"
#include "snapshot/request_match.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice::snapshot {

// An answer with a Location; what is empty stays as the request has it.
struct Redirect {
  uint16_t status = 301;
  std::string scheme;
  std::string authority;
  uint16_t port = 0;              // 0: as below
  bool has_request_port = false;  // the port of the Gateway's server that the request came to; else the Host's stays
  std::string path;               // with a query of its own, or the request's query follows
};

struct DirectResponse {
  uint16_t status = 200;
  std::string body;
};

// Of the path, without query. With `regex`, every part of the path that it matches becomes `substitution`; else
// `prefix` takes the place of the prefix that was matched, or of the whole path when another kind of match was.
struct Rewrite {
  std::string prefix;
  std::shared_ptr<const Regex> regex;
  std::string substitution;
};

// Shares are millionths of the requests.
inline constexpr uint32_t every_request = 1'000'000;
struct Fault {
  Duration delay{};
  uint32_t delay_share = 0;
  uint16_t abort_status = 0;
  uint32_t abort_share = 0;
};

// Cross-origin requests (https://fetch.spec.whatwg.org/#http-cors-protocol). Texts are values of fields; empty ones are
// left out.
struct CorsPolicy {
  std::vector<TextMatch> origins;
  std::string allow_methods;
  std::string allow_headers;
  std::string expose_headers;
  std::string max_age;  // seconds
  bool allow_credentials = false;
  bool answers_other_origins = false;  // to their preflights, with nothing allowed; else these go to the destination
};

}  // namespace sluice::snapshot

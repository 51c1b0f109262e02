// Signed requests (RFC 7515, in the form of RFC 8555 6.2).
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace sluice::acme {

class AccountKey;

struct JwsHeader {
  std::string url;
  std::string key_id;  // of the account; empty: the key itself is shown (RFC 8555 6.2)
  std::string nonce;   // empty: none (RFC 8555 7.3.4, 7.3.5)
};

// A flattened JWS in JSON.
[[nodiscard]] Result<std::string> sign_jws(const AccountKey& key, const JwsHeader& header, std::string_view payload);

// With HS256 (RFC 7518 3.2) and a key that two parties have (RFC 8555 7.3.4).
[[nodiscard]] Result<std::string> authenticate_jws(ConstBytes mac_key, const JwsHeader& header,
                                                   std::string_view payload);

}  // namespace sluice::acme

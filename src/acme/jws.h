// Signed requests (RFC 7515, in the form of RFC 8555 6.2), and the encoding of everything binary in them.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::acme {

class AccountKey;

// RFC 4648 5, without padding.
[[nodiscard]] std::string to_base64url(ConstBytes bytes);
// With or without padding, as certificate authorities print the keys of external accounts. Nothing: it is none.
[[nodiscard]] std::optional<std::string> read_base64url(std::string_view text);

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

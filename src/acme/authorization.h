// Authorizations of an order and their challenges (RFC 8555 7.5, 8; RFC 8737 for tls-alpn-01). Each function that has a
// client is one exchange.
#pragma once

#include "acme/client.h"
#include "acme/order.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::acme {

enum class ChallengeType : uint8_t { http_01, dns_01, tls_alpn_01 };
[[nodiscard]] std::string_view text_of(ChallengeType type) noexcept;  // "http-01"

enum class ChallengeStatus : uint8_t { pending, processing, valid, invalid };

struct Challenge {
  ChallengeType type = ChallengeType::http_01;
  ChallengeStatus status = ChallengeStatus::pending;
  std::string url;
  std::string token;  // base64url: it can be part of a path
};

enum class AuthorizationStatus : uint8_t { pending, valid, invalid, deactivated, expired, revoked };

struct Authorization {
  AuthorizationStatus status = AuthorizationStatus::pending;
  Identifier identifier;              // one of the order's, with "*." if it has it
  std::vector<Challenge> challenges;  // of the types above; one of them is enough
  std::optional<Failure> failure;     // exactly when neither pending nor valid
  std::optional<Duration> retry_after;
};

// `identifiers` are the order's.
[[nodiscard]] Answer<Authorization> fetch_authorization(Client& client, const Account& account, const std::string& url,
                                                        const std::vector<Identifier>& identifiers);

// Tells the server that it can look now (RFC 8555 7.5.1).
[[nodiscard]] Answer<void> accept_challenge(Client& client, const Account& account, const Challenge& challenge);

// What proves that the key's owner has the name (RFC 8555 8.1). http-01: it is the body of
// http://NAME/.well-known/acme-challenge/TOKEN.
[[nodiscard]] std::string key_authorization(const Challenge& challenge, const AccountKey& key);
// The TXT record of _acme-challenge.NAME, without "*." (RFC 8555 8.4).
[[nodiscard]] std::string dns_value(std::string_view key_authorization);
// The content of the certificate's acmeIdentifier extension, before it is an OCTET STRING (RFC 8737 3).
[[nodiscard]] std::array<uint8_t, 32> tls_alpn_digest(std::string_view key_authorization) noexcept;

}  // namespace sluice::acme

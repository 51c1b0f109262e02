// Orders (RFC 8555 7.4) and the certificates that come of them. Each function but fetch_certificate() is one exchange;
// what the caller has to keep of it, before the next one, is the order's URL, and what it has asked for.
#pragma once

#include "acme/client.h"
#include "base/bytes.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sluice::acme {

struct Identifier {
  enum class Type : uint8_t { dns, ip };  // ip: RFC 8738
  Type type = Type::dns;
  std::string value;  // "example.org", "*.example.org", "192.0.2.1", "2001:db8::1" (RFC 5952)

  friend auto operator<=>(const Identifier&, const Identifier&) = default;
};

enum class OrderStatus : uint8_t { pending, ready, processing, valid, invalid };

struct Order {
  std::string url;
  OrderStatus status = OrderStatus::pending;
  std::vector<std::string> authorizations;  // URLs
  std::string finalize;                     // URL; not empty while pending or ready
  std::string certificate;                  // URL; not empty exactly when valid
  std::optional<Failure> failure;           // of an invalid order
  std::optional<Duration> retry_after;      // when to look again
};

struct OrderWish {
  std::vector<Identifier> identifiers;
  std::string profile;   // draft-ietf-acme-profiles; empty: the server's default
  std::string replaces;  // RFC 9773 5: the id of the predecessor; empty: none
};

// A failure of type "alreadyReplaced" or "malformed" may be the fault of `replaces`: to be tried once more without.
[[nodiscard]] Answer<Order> new_order(Client& client, const Account& account, const OrderWish& wish);

// Fails with the kind `order` when the server does not know it any more, or it is about other identifiers.
[[nodiscard]] Answer<Order> fetch_order(Client& client, const Account& account, const std::string& url,
                                        const std::vector<Identifier>& identifiers);

// Of an order that is ready. `csr` is DER (RFC 2986).
[[nodiscard]] Answer<Order> finalize_order(Client& client, const Account& account, const Order& order, ConstBytes csr,
                                           const std::vector<Identifier>& identifiers);

// Whether one of several chains, in PEM, is the one that is wanted.
using IsPreferred = std::function<bool(const std::string& chain_pem)>;

// Of an order that is valid: PEM, the leaf first. Of several chains, the first that is preferred; the server's own
// choice if none is, or if `is_preferred` is empty. Asks for one after the other, and changes nothing.
[[nodiscard]] Answer<std::string> fetch_certificate(Client& client, const Account& account, const std::string& url,
                                                    const IsPreferred& is_preferred);

// RFC 8555 7.6. `reason`: RFC 5280 5.3.1; nothing: none is given. A certificate that has been revoked before is a
// failure of type "alreadyRevoked".
[[nodiscard]] Answer<void> revoke_certificate(Client& client, const Account& account, ConstBytes der,
                                              std::optional<int> reason);

}  // namespace sluice::acme

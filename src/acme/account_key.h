// The key of an ACME account: what proves that a request comes from it (RFC 8555 6.2). Immutable; any thread.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::acme {

class AccountKey {
 public:
  // ECDSA on P-256.
  [[nodiscard]] static Result<AccountKey> make();
  // From PEM, not encrypted: PKCS#8, SEC 1 or PKCS#1; ECDSA on P-256, or RSA of 2048 to 4096 bits, which older accounts
  // have. The error says what is wrong with the text, without naming it: "holds ...".
  [[nodiscard]] static Result<AccountKey> read(std::string_view pem);

  AccountKey(AccountKey&&) noexcept;
  AccountKey& operator=(AccountKey&&) noexcept;
  ~AccountKey();  // wipes it

  [[nodiscard]] std::string to_pem() const;  // PKCS#8; the caller wipes it

  [[nodiscard]] std::string_view algorithm() const noexcept;  // RFC 7518 3.1: "ES256" or "RS256"
  // The public key as a JWK (RFC 7517) in the form of RFC 7638 3: no spaces, members in order.
  [[nodiscard]] const std::string& jwk() const noexcept { return jwk_; }
  [[nodiscard]] std::string thumbprint() const;  // RFC 7638, base64url

  // RFC 7518 3.3, 3.4. Fails when there are no random numbers.
  [[nodiscard]] Result<std::string> sign(std::string_view text) const;

 private:
  struct Parts;
  AccountKey(std::unique_ptr<Parts> parts, std::string jwk) noexcept;
  static Result<AccountKey> from(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
  std::string jwk_;
};

}  // namespace sluice::acme

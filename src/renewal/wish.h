// What the documents ask for, in the words of the folders that do it.
#pragma once

#include "certs/certificate_wish.h"
#include "config/managed_certificates.h"

#include <string>
#include <vector>

namespace sluice::renewal {

[[nodiscard]] certs::CertificateWish wish_of(const config::Certificate& certificate);
[[nodiscard]] certs::KeyType key_type_of(const config::KeyWish& wish) noexcept;
[[nodiscard]] certs::IssuerKind kind_of(const config::Issuer& issuer) noexcept;
[[nodiscard]] bool is_acme(const config::Issuer* issuer) noexcept;  // null is not
// DNS names and IP addresses: what an order is about.
[[nodiscard]] std::vector<std::string> names_of(const certs::Subject& subject);

// Equal as long as an Issuer stays as it is, its keys included. SHA-256, hexadecimal.
[[nodiscard]] std::string fingerprint_of(const config::Issuer& issuer);
// Equal as long as another attempt would be the same. `digest`: request_digest() of the Certificate; `issuer`: null
// when there is none.
[[nodiscard]] std::string fingerprint_of(const config::Certificate& certificate, std::string_view digest,
                                         const config::Issuer* issuer);

}  // namespace sluice::renewal

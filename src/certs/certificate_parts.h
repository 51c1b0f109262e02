// Parts of certificates and requests that tls/parsed_certificate.h does not show.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::certs {

// The value of an extension, of the content of Extensions (RFC 5280 4.1). Nothing: there is none.
[[nodiscard]] std::optional<ConstBytes> find_extension(ConstBytes extensions, std::string_view identifier) noexcept;

// The same of a whole certificate.
[[nodiscard]] std::optional<ConstBytes> find_certificate_extension(ConstBytes certificate,
                                                                   std::string_view identifier) noexcept;

// RFC 5280 4.2.1.2 and 4.2.1.1; empty: the certificate has none.
[[nodiscard]] ConstBytes subject_key_identifier(ConstBytes certificate) noexcept;
[[nodiscard]] ConstBytes authority_key_identifier(ConstBytes certificate) noexcept;

// What is wrong with a common name, or nothing: no control characters, UTF-8, limits::common_name_characters_max.
[[nodiscard]] std::optional<std::string> wrong_with_common_name(std::string_view name);

// The last common name of a Name, whose content `rdn_sequence` is, in UTF-8; empty: it has none. The error says what
// is wrong with it.
[[nodiscard]] Result<std::string> read_common_name(ConstBytes rdn_sequence);

// The RDNs that say whose certificates these are: country, organisation and its units, and its address, byte for byte.
[[nodiscard]] std::string organisation_of(ConstBytes rdn_sequence);

}  // namespace sluice::certs

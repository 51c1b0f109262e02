// The object identifiers that certificates and requests are made of, as the content of their DER elements.
#pragma once

#include <string_view>

namespace sluice::certs::oid {

using namespace std::string_view_literals;

// Attributes of names (RFC 5280 appendix A).
inline constexpr std::string_view common_name = "\x55\x04\x03"sv;
inline constexpr std::string_view country = "\x55\x04\x06"sv;
inline constexpr std::string_view locality = "\x55\x04\x07"sv;
inline constexpr std::string_view state_or_province = "\x55\x04\x08"sv;
inline constexpr std::string_view street_address = "\x55\x04\x09"sv;
inline constexpr std::string_view organization = "\x55\x04\x0a"sv;
inline constexpr std::string_view organizational_unit = "\x55\x04\x0b"sv;
inline constexpr std::string_view postal_code = "\x55\x04\x11"sv;

// Extensions (RFC 5280 4.2.1, RFC 8737 3).
inline constexpr std::string_view subject_key_identifier = "\x55\x1d\x0e"sv;
inline constexpr std::string_view key_usage = "\x55\x1d\x0f"sv;
inline constexpr std::string_view subject_alternative_name = "\x55\x1d\x11"sv;
inline constexpr std::string_view basic_constraints = "\x55\x1d\x13"sv;
inline constexpr std::string_view authority_key_identifier = "\x55\x1d\x23"sv;
inline constexpr std::string_view extended_key_usage = "\x55\x1d\x25"sv;
inline constexpr std::string_view acme_identifier = "\x2b\x06\x01\x05\x05\x07\x01\x1f"sv;

inline constexpr std::string_view server_auth = "\x2b\x06\x01\x05\x05\x07\x03\x01"sv;
inline constexpr std::string_view client_auth = "\x2b\x06\x01\x05\x05\x07\x03\x02"sv;

// Keys and signatures (RFC 4055, RFC 5480, RFC 5758, RFC 8410).
inline constexpr std::string_view rsa_key = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"sv;
inline constexpr std::string_view rsa_pss = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"sv;
inline constexpr std::string_view ec_key = "\x2a\x86\x48\xce\x3d\x02\x01"sv;
inline constexpr std::string_view ed25519 = "\x2b\x65\x70"sv;
inline constexpr std::string_view ed448 = "\x2b\x65\x71"sv;
inline constexpr std::string_view sha256_with_rsa = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"sv;
inline constexpr std::string_view sha384_with_rsa = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"sv;
inline constexpr std::string_view sha512_with_rsa = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"sv;
inline constexpr std::string_view ecdsa_with_sha256 = "\x2a\x86\x48\xce\x3d\x04\x03\x02"sv;
inline constexpr std::string_view ecdsa_with_sha384 = "\x2a\x86\x48\xce\x3d\x04\x03\x03"sv;
inline constexpr std::string_view ecdsa_with_sha512 = "\x2a\x86\x48\xce\x3d\x04\x03\x04"sv;

// RFC 2985 5.4.2: the extensions that a request asks for.
inline constexpr std::string_view extension_request = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"sv;

}  // namespace sluice::certs::oid

// The certificates of the TLS fuzz targets: made at start-up, and the same in every process.
#pragma once

#include "unit/tls/authority.h"

#include <memory>
#include <string>

namespace sluice::fuzz {

inline constexpr const char* kServerName = "server.test";

struct Credentials {
  test::Pem server_ecdsa;
  test::Pem server_rsa;
  test::Pem server_by_intermediate;  // with the intermediate behind it
  test::Pem server_of_others;        // the right name, by a CA that nobody trusts
  test::Pem client;
  test::Pem client_by_intermediate;
  test::Pem client_of_others;
  test::Pem client_revoked;
  std::string ca_pem;
  std::string intermediate_pem;
  std::string crl_pem;
};

// Initialises the TLS library, too.
[[nodiscard]] const Credentials& credentials();

[[nodiscard]] std::shared_ptr<const snapshot::KeyPair> key_pair(const test::Pem& pem, std::string ocsp_staple = {});

// By the CA. Only the certificates that it has issued itself are on its list.
enum class Revocation : uint8_t { checked, not_checked };
[[nodiscard]] snapshot::PeerVerification verification(Revocation revocation);

}  // namespace sluice::fuzz

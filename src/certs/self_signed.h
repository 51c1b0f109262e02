// Self-signed certificates, for a first start and for tests.
#pragma once

#include "base/durations.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace sluice::certs {

enum class KeyType { rsa_2048, rsa_3072, rsa_4096, ecdsa_p256, ecdsa_p384 };

struct SelfSignedOptions {
  std::vector<std::string> hosts;  // DNS names (wildcards too) and IP addresses: the subjectAltName; not empty
  KeyType key_type = KeyType::rsa_2048;
  Duration lifetime = std::chrono::hours(24 * 90);
};

struct IssuedCertificate {
  std::string chain_pem;
  std::string key_pem;  // PKCS#8 PEM; wiped at the end

  IssuedCertificate() = default;
  IssuedCertificate(IssuedCertificate&&) = default;
  IssuedCertificate& operator=(IssuedCertificate&&) = default;
  ~IssuedCertificate();
};

// A server certificate (serverAuth and clientAuth, not a CA) that begins at `now`. Its common name is the
// first host, if that has at most 63 characters. Refuses a list without hosts, and what is no host.
[[nodiscard]] Result<IssuedCertificate> make_self_signed(const SelfSignedOptions& options, WallTime now);

// A Kubernetes Secret of type kubernetes.io/tls (tls.crt, tls.key, base64 in `data`) as YAML.
[[nodiscard]] std::string to_secret_yaml(const IssuedCertificate& certificate, std::string_view name,
                                         std::string_view name_space);

}  // namespace sluice::certs

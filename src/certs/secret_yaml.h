// An issued certificate as a Kubernetes Secret: what the state directory holds, and what `sluice cert` writes.
#pragma once

#include "certs/issued_certificate.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::certs {

struct SecretDescription {
  std::string name_space;
  std::string name;
  std::string digest;                                       // config::request_digest_annotation; empty: none
  std::vector<std::pair<std::string, std::string>> labels;  // spec.secretLabels
};

// Of type kubernetes.io/tls (tls.crt, tls.key, and ca.crt if it is known, base64 in `data`), as YAML. The caller wipes
// it.
[[nodiscard]] std::string secret_yaml(const SecretDescription& description, const IssuedCertificate& certificate);

}  // namespace sluice::certs

// A Secret of the state directory, as certs/secret_yaml.h has written it or `sluice cert import` has.
#pragma once

#include "base/result.h"
#include "certs/issued_certificate.h"

#include <string>
#include <string_view>

namespace sluice::renewal {

struct StoredSecret {
  std::string digest;  // of what was asked for; empty: it was imported
  certs::IssuedCertificate certificate;
};

// Fails with what is wrong with the text, without naming it: "holds no ...".
[[nodiscard]] Result<StoredSecret> read_stored_secret(std::string_view yaml);

}  // namespace sluice::renewal

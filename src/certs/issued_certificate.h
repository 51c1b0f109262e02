// A certificate with its key, as it is put into a Secret.
#pragma once

#include "base/wipe.h"

#include <string>

namespace sluice::certs {

struct IssuedCertificate {
  std::string chain_pem;  // tls.crt: the certificate, then who has issued it, without self-signed roots
  std::string key_pem;    // tls.key; empty: the user has it. Wiped at the end
  std::string ca_pem;     // ca.crt: who has issued it; empty: not known

  IssuedCertificate() = default;
  IssuedCertificate(IssuedCertificate&&) = default;
  IssuedCertificate& operator=(IssuedCertificate&&) = default;
  ~IssuedCertificate() { wipe(key_pem); }
};

}  // namespace sluice::certs

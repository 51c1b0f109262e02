// What logs and headers say of the certificate that we show.
#pragma once

#include <string>

namespace sluice::tls {

struct LocalCertificate {
  std::string subject;  // RFC 2253
  std::string uri;      // the first one of subjectAltName; empty: there is none
};

}  // namespace sluice::tls

// What logs and headers say of the certificate that we show.
#pragma once

#include <string>
#include <vector>

namespace sluice::tls {

struct LocalCertificate {
  std::string subject;  // RFC 2253
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
};

}  // namespace sluice::tls

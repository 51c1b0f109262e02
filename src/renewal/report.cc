#include "renewal/report.h"

#include <utility>

namespace sluice::renewal {

CertificateReport report_of(std::string certificate, const Record& record) {
  CertificateReport report;
  report.certificate = std::move(certificate);
  report.secret = record.secret;
  report.issuer = record.issuer;
  report.state = record.state;
  report.message = record.message;
  report.common_name = record.common_name;
  report.dns_names = record.dns_names;
  if (record.issued) {
    report.issued = record.issued->issued;
    report.renewal = record.renewal;
    report.expiration = record.issued->not_after;
  }
  if (record.backoff.failures > 0) report.backoff = record.backoff;
  return report;
}

}  // namespace sluice::renewal

// What is kept of an issued certificate beside its text: for records, for lists, and for asking the authority about it.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "certs/subject_names.h"

#include <string>
#include <string_view>

namespace sluice::certs {

// Every text is printable.
struct CertificateFacts {
  std::string serial;              // hexadecimal
  std::string certificate_id;      // RFC 9773 4.1; empty: the certificate does not name its issuer's key
  std::string common_name;         // empty: none
  std::string issuer_common_name;  // of who has issued it
  std::string root_common_name;    // of who has issued the last one of the chain: what preferredChain names
  SubjectNames names;
  std::string key_type;  // "RSA-2048"
  WallTime not_before{};
  WallTime not_after{};
  std::string fingerprint_sha256;  // hexadecimal
};

// Of the first certificate of a PEM text. The error says what is wrong with it, without naming it: "holds ...".
[[nodiscard]] Result<CertificateFacts> read_facts(std::string_view chain_pem);

}  // namespace sluice::certs

#include "certs/certificate.h"

#include "certs/subject_names.h"
#include "tls/key_pair.h"
#include "tls/parsed_certificate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::certs {
namespace {

constexpr Duration kExpiryWarning = std::chrono::hours(24 * 30);  // Gardener's renewal window
constexpr size_t kNamesShownMax = 5;

// --- What is only suspicious -----------------------------------------------------------------------

std::string shown(const std::vector<std::string>& names) {
  const size_t count = std::min(names.size(), kNamesShownMax);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count), ", "));
  if (names.size() > count) text += fmt::format(" and {} more", names.size() - count);
  return text;
}

void check_names(const snapshot::TlsServer& server, const snapshot::KeyPair& pair,
                 const tls::ParsedCertificate& certificate, config::Diagnostics& diagnostics) {
  const std::string& secret = pair.secret_name;
  if (certificate.dns_names.empty() && certificate.ip_addresses.empty()) {
    diagnostics.warning(pair.place,
                        fmt::format("{}: the certificate ({}) has no host name in subjectAltName, and clients ignore "
                                    "the common name: issue one that names its hosts",
                                    secret, certificate.subject));
    return;
  }
  std::vector<std::string> names = certificate.dns_names;
  names.insert(names.end(), certificate.ip_addresses.begin(), certificate.ip_addresses.end());
  for (const std::string& host : server.hosts) {
    if (host == "*" || is_covered(host, certificate.dns_names, certificate.ip_addresses)) continue;
    diagnostics.warning(
        server.place,
        fmt::format("server {}: the certificate of {} does not cover the host {} (it names {}): clients will refuse it",
                    server.name, secret, host, shown(names)));
  }
}

// A pair, and its first certificate.
struct ParsedPair {
  const snapshot::KeyPair& pair;
  tls::ParsedCertificate certificate;
};

// TLS 1.2 has a suite for at least one of the pairs; TLS 1.3 has always.
void check_suites(const snapshot::TlsServer& server, const std::vector<ParsedPair>& pairs,
                  config::Diagnostics& diagnostics) {
  if (server.settings.min_version > snapshot::TlsVersion::tls_1_2) return;
  const auto suits = [&](const ParsedPair& parsed) {
    const tls::KeyAlgorithm algorithm = parsed.certificate.key_algorithm;
    return algorithm == tls::KeyAlgorithm::other ||
           std::ranges::any_of(server.settings.cipher_suites, [&](const std::string& suite) {
             return suite.contains("ECDSA") == (algorithm == tls::KeyAlgorithm::ecdsa);
           });
  };
  if (pairs.empty() || std::ranges::any_of(pairs, suits)) return;
  const ParsedPair& first = pairs.front();
  const bool is_rsa = first.certificate.key_algorithm == tls::KeyAlgorithm::rsa;
  diagnostics.warning(server.place, fmt::format("server {}: the key of {} is {}, but every one of its cipherSuites "
                                                "needs an {} key: no client can connect with TLS 1.2. Use "
                                                "an {} key, or add {} suites",
                                                server.name, first.pair.secret_name, first.certificate.key_type,
                                                is_rsa ? "ECDSA" : "RSA", is_rsa ? "ECDSA" : "RSA",
                                                is_rsa ? "ECDHE-RSA" : "ECDHE-ECDSA"));
}

// The client says which types it takes: with two of one type, the second would never be shown.
void check_types(const snapshot::TlsServer& server, const std::vector<ParsedPair>& pairs,
                 config::Diagnostics& diagnostics) {
  if (pairs.size() < 2) return;
  const auto count = [&](tls::KeyAlgorithm algorithm) {
    return std::ranges::count(pairs, algorithm, [](const ParsedPair& some) { return some.certificate.key_algorithm; });
  };
  if (pairs.size() == 2 && count(tls::KeyAlgorithm::rsa) == 1 && count(tls::KeyAlgorithm::ecdsa) == 1) return;
  std::vector<std::string> types;
  for (const ParsedPair& parsed : pairs)
    types.push_back(fmt::format("{} ({})", parsed.pair.secret_name, parsed.certificate.key_type));
  diagnostics.error(server.place,
                    fmt::format("server {}: of two certificates one must have an RSA key and the other an ECDSA key, "
                                "these are {}",
                                server.name, fmt::join(types, " and ")));
}

}  // namespace

Result<snapshot::CertificateSummary> summarize(const snapshot::KeyPair& pair) {
  Result<tls::ParsedCertificate> parsed = tls::parse_first_certificate(pair.chain_pem);
  if (!parsed) return failure(fmt::format("{}: {} {}", pair.secret_name, pair.chain_name, parsed.error().message));
  snapshot::CertificateSummary summary{.secret_name = pair.secret_name,
                                       .subject = parsed->subject,
                                       .issuer = parsed->issuer,
                                       .serial = parsed->serial,
                                       .names = parsed->dns_names,
                                       .key_type = parsed->key_type,
                                       .not_before = tls::to_rfc3339(parsed->not_before),
                                       .not_after = tls::to_rfc3339(parsed->not_after),
                                       .fingerprint_sha256 = parsed->fingerprint_sha256,
                                       .is_renewed = pair.is_managed};
  summary.names.insert(summary.names.end(), parsed->ip_addresses.begin(), parsed->ip_addresses.end());
  summary.names.insert(summary.names.end(), parsed->uris.begin(), parsed->uris.end());
  return summary;
}

namespace {

// What is wrong with a pair whoever shows it. Nothing when its first certificate cannot be parsed.
std::optional<tls::ParsedCertificate> parse_pair(const snapshot::KeyPair& pair, WallTime now,
                                                 config::Diagnostics& diagnostics) {
  const auto error = [&](std::string_view message) {
    diagnostics.error(pair.place, fmt::format("{}: {}", pair.secret_name, message));
  };

  Result<tls::ParsedCertificate> certificate = tls::parse_first_certificate(pair.chain_pem);
  if (!certificate) {
    error(fmt::format("{} {}", pair.chain_name, certificate.error().message));
    return std::nullopt;
  }
  if (const Status usable = tls::check_key_pair(pair); !usable) error(usable.error().message);
  if (pair.is_managed) {
    // Its dates are the certificate manager's care: what has expired is served until there is another one.
    if (now > certificate->not_after)
      diagnostics.warning(
          pair.place, fmt::format("{}: the certificate ({}) expired on {}: it could not be renewed", pair.secret_name,
                                  certificate->subject, tls::to_rfc3339(certificate->not_after)));
  } else if (now > certificate->not_after) {
    error(fmt::format("the certificate ({}) expired on {}: renew it", certificate->subject,
                      tls::to_rfc3339(certificate->not_after)));
  } else if (now < certificate->not_before) {
    error(fmt::format("the certificate ({}) is not valid before {}: check this machine's clock, or wait",
                      certificate->subject, tls::to_rfc3339(certificate->not_before)));
  } else if (certificate->not_after - now < kExpiryWarning) {
    diagnostics.warning(pair.place, fmt::format("{}: the certificate ({}) expires on {}: renew it", pair.secret_name,
                                                certificate->subject, tls::to_rfc3339(certificate->not_after)));
  }
  return std::move(*certificate);
}

// --- What the other side is judged by --------------------------------------------------------------

constexpr std::string_view kCertificateBegin = "-----BEGIN CERTIFICATE-----";

// One expired CA of several is no error: bundles are full of old ones.
void check_ca(const snapshot::PeerVerification& verification, WallTime now, config::Diagnostics& diagnostics) {
  const std::string& source = verification.source_name;
  size_t count = 0;
  size_t broken_count = 0;
  std::string first_error = "holds no PEM certificate ('-----BEGIN CERTIFICATE-----')";
  const std::string_view pem = verification.ca_pem;
  for (size_t at = pem.find(kCertificateBegin); at != std::string_view::npos;) {
    const size_t next = pem.find(kCertificateBegin, at + 1);
    const Result<tls::ParsedCertificate> ca = tls::parse_first_certificate(pem.substr(at, next - at));
    at = next;
    ++count;
    if (!ca) {
      if (broken_count++ == 0) first_error = ca.error().message;
    } else if (now > ca->not_after) {
      diagnostics.warning(verification.place,
                          fmt::format("{}: the CA certificate ({}) expired on {}: what it has signed is refused",
                                      source, ca->subject, tls::to_rfc3339(ca->not_after)));
    }
  }
  if (broken_count == count) {
    diagnostics.error(verification.place, fmt::format("{}: the text with CA certificates {}", source, first_error));
  } else if (broken_count > 0) {
    diagnostics.warning(verification.place, fmt::format("{}: {} of {} CA certificates cannot be used: the first {}",
                                                        source, broken_count, count, first_error));
  }
}

// `owner` is named where the CA is the system's.
void check_verification(const snapshot::PeerVerification& verification, const std::string& owner, WallTime now,
                        config::Diagnostics& diagnostics) {
  if (!verification.ca_pem.empty()) check_ca(verification, now, diagnostics);
  if (verification.crl_pem.empty() || verification.crl_pem.contains("-----BEGIN X509 CRL-----")) return;
  diagnostics.error(
      verification.place,
      fmt::format("{}: the certificate revocation list is not PEM ('-----BEGIN X509 CRL-----'): convert it "
                  "with 'openssl crl -inform DER -in crl.der -out crl.pem'",
                  verification.source_name.empty() ? owner : verification.source_name));
}

}  // namespace

bool check_server_certificates(const snapshot::TlsServer& server, WallTime now, config::Diagnostics& diagnostics) {
  if (server.key_pairs.empty()) return false;  // a missing Secret is reported where it is looked up
  const size_t errors_before = diagnostics.error_count();
  std::vector<ParsedPair> parsed;
  for (const auto& pair : server.key_pairs) {
    std::optional<tls::ParsedCertificate> certificate = parse_pair(*pair, now, diagnostics);
    if (!certificate) continue;
    check_names(server, *pair, *certificate, diagnostics);
    parsed.push_back({*pair, std::move(*certificate)});
  }
  // What is said of all pairs together needs all of them.
  if (parsed.size() == server.key_pairs.size()) {
    check_types(server, parsed, diagnostics);
    check_suites(server, parsed, diagnostics);
  }
  if (server.settings.client_verification)
    check_verification(*server.settings.client_verification, "server " + server.name, now, diagnostics);
  return diagnostics.error_count() == errors_before;
}

bool check_pair(const snapshot::KeyPair& pair, WallTime now, config::Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  (void)parse_pair(pair, now, diagnostics);
  return diagnostics.error_count() == errors_before;
}

bool check_client_certificate(const snapshot::UpstreamTls& upstream, WallTime now, config::Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  if (upstream.key_pair != nullptr) (void)parse_pair(*upstream.key_pair, now, diagnostics);
  if (upstream.verifies) check_verification(upstream.verification, upstream.name, now, diagnostics);
  return upstream.is_complete && diagnostics.error_count() == errors_before;
}

}  // namespace sluice::certs

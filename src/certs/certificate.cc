#include "certs/certificate.h"

#include "tls/parsed_certificate.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace sluice::certs {
namespace {

constexpr Duration kExpiryWarning = std::chrono::hours(24 * 30);  // Gardener's renewal window
constexpr size_t kNamesShownMax = 5;
constexpr std::string_view kUsableKeys = "an RSA key of 1024 to 4096 bits or an ECDSA key on P-256, P-384 or P-521";

// --- The key ---------------------------------------------------------------------------------------

struct FreeContext {
  void operator()(WOLFSSL_CTX* context) const noexcept { wolfSSL_CTX_free(context); }
};

const unsigned char* as_wolfssl(const std::string& text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Nothing, or what is wrong with the chain or the key: found by loading them as a server would.
Status check_key(const snapshot::KeyPair& pair) {
  // PKCS#8, and the older form of RFC 1421 with a header inside.
  const bool is_pkcs8_encrypted = pair.key_pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----");
  if (is_pkcs8_encrypted || pair.key_pem.contains("Proc-Type: 4,ENCRYPTED")) {
    return failure(
        fmt::format("tls.key is encrypted ({}): decrypt it with 'openssl pkey -in tls.key -out plain.key' and store "
                    "plain.key as tls.key",
                    is_pkcs8_encrypted ? "ENCRYPTED PRIVATE KEY" : "Proc-Type: 4,ENCRYPTED"));
  }
  if (!pair.key_pem.contains("PRIVATE KEY-----"))
    return failure("tls.key holds no PEM private key ('-----BEGIN PRIVATE KEY-----')");

  const std::unique_ptr<WOLFSSL_CTX, FreeContext> context(wolfSSL_CTX_new(wolfSSLv23_server_method()));
  if (context == nullptr) return failure("no memory to check tls.key");
  if (wolfSSL_CTX_use_certificate_chain_buffer(context.get(), as_wolfssl(pair.chain_pem),
                                               static_cast<long>(pair.chain_pem.size())) != WOLFSSL_SUCCESS) {
    return failure(fmt::format(
        "tls.crt cannot be used: an intermediate certificate cannot be parsed, or the key of the first one is not {}",
        kUsableKeys));
  }
  if (wolfSSL_CTX_use_PrivateKey_buffer(context.get(), as_wolfssl(pair.key_pem), static_cast<long>(pair.key_pem.size()),
                                        WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS) {
    return failure(fmt::format("tls.key cannot be used: it must be {}, as PEM", kUsableKeys));
  }
  if (wolfSSL_CTX_check_private_key(context.get()) != WOLFSSL_SUCCESS) {
    return failure(
        "tls.key does not belong to the first certificate of tls.crt: store a matching pair, with the server's "
        "certificate first");
  }
  return {};
}

// --- What is only suspicious -----------------------------------------------------------------------

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// RFC 6125 6.4: a wildcard stands for exactly one label, the first one. A wildcard host of the Gateway
// counts as covered by the same wildcard, although it also matches deeper names.
bool is_covered(const tls::ParsedCertificate& certificate, std::string_view host) {
  const std::string wanted = lower_case(host);
  const size_t dot = wanted.find('.');
  const std::string wildcard = dot == std::string::npos ? "" : "*" + wanted.substr(dot);
  const auto matches = [&](const std::string& name) {
    const std::string offered = lower_case(name);
    return offered == wanted || (!wildcard.empty() && offered == wildcard);
  };
  return std::ranges::any_of(certificate.dns_names, matches) ||
         std::ranges::find(certificate.ip_addresses, wanted) != certificate.ip_addresses.end();
}

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
    if (host == "*" || is_covered(certificate, host)) continue;
    diagnostics.warning(
        server.place,
        fmt::format("server {}: the certificate of {} does not cover the host {} (it names {}): clients will refuse it",
                    server.name, secret, host, shown(names)));
  }
}

void check_suites(const snapshot::TlsServer& server, const snapshot::KeyPair& pair,
                  const tls::ParsedCertificate& certificate, config::Diagnostics& diagnostics) {
  if (server.settings.min_version > snapshot::TlsVersion::tls_1_2 ||
      certificate.key_algorithm == tls::KeyAlgorithm::other)
    return;
  const bool is_rsa = certificate.key_algorithm == tls::KeyAlgorithm::rsa;
  const auto needs_ecdsa = [](const std::string& suite) { return suite.contains("ECDSA"); };
  const bool has_suite = std::ranges::any_of(server.settings.cipher_suites,
                                             [&](const std::string& suite) { return needs_ecdsa(suite) != is_rsa; });
  if (has_suite) return;
  diagnostics.warning(server.place,
                      fmt::format("server {}: the key of {} is {}, but every one of its cipherSuites "
                                  "needs an {} key: no client can connect with TLS 1.2. Use "
                                  "an {} key, or add {} suites",
                                  server.name, pair.secret_name, certificate.key_type, is_rsa ? "ECDSA" : "RSA",
                                  is_rsa ? "ECDSA" : "RSA", is_rsa ? "ECDHE-RSA" : "ECDHE-ECDSA"));
}

}  // namespace

Result<snapshot::CertificateSummary> summarize(const snapshot::KeyPair& pair) {
  Result<tls::ParsedCertificate> parsed = tls::parse_first_certificate(pair.chain_pem);
  if (!parsed) return failure(fmt::format("{}: tls.crt {}", pair.secret_name, parsed.error().message));
  snapshot::CertificateSummary summary{.secret_name = pair.secret_name,
                                       .subject = parsed->subject,
                                       .issuer = parsed->issuer,
                                       .serial = parsed->serial,
                                       .names = parsed->dns_names,
                                       .key_type = parsed->key_type,
                                       .not_before = tls::to_rfc3339(parsed->not_before),
                                       .not_after = tls::to_rfc3339(parsed->not_after),
                                       .fingerprint_sha256 = parsed->fingerprint_sha256};
  summary.names.insert(summary.names.end(), parsed->ip_addresses.begin(), parsed->ip_addresses.end());
  summary.names.insert(summary.names.end(), parsed->uris.begin(), parsed->uris.end());
  return summary;
}

namespace {

void check_pair(const snapshot::TlsServer& server, const snapshot::KeyPair& pair, WallTime now,
                config::Diagnostics& diagnostics) {
  const auto error = [&](std::string_view message) {
    diagnostics.error(pair.place, fmt::format("{}: {}", pair.secret_name, message));
  };

  const Result<tls::ParsedCertificate> certificate = tls::parse_first_certificate(pair.chain_pem);
  if (!certificate) {
    error(fmt::format("tls.crt {}", certificate.error().message));
    return;
  }
  if (const Status key = check_key(pair); !key) error(key.error().message);
  if (now > certificate->not_after) {
    error(fmt::format("the certificate ({}) expired on {}: renew it", certificate->subject,
                      tls::to_rfc3339(certificate->not_after)));
  } else if (now < certificate->not_before) {
    error(fmt::format("the certificate ({}) is not valid before {}: check this machine's clock, or wait",
                      certificate->subject, tls::to_rfc3339(certificate->not_before)));
  } else if (certificate->not_after - now < kExpiryWarning) {
    diagnostics.warning(pair.place, fmt::format("{}: the certificate ({}) expires on {}: renew it", pair.secret_name,
                                                certificate->subject, tls::to_rfc3339(certificate->not_after)));
  }
  check_names(server, pair, *certificate, diagnostics);
  check_suites(server, pair, *certificate, diagnostics);
}

}  // namespace

bool check_server_certificates(const snapshot::TlsServer& server, WallTime now, config::Diagnostics& diagnostics) {
  if (server.key_pairs.empty()) return false;  // a missing Secret is reported where it is looked up
  const size_t errors_before = diagnostics.error_count();
  for (const auto& pair : server.key_pairs) check_pair(server, *pair, now, diagnostics);
  return diagnostics.error_count() == errors_before;
}

}  // namespace sluice::certs

#include "config/tls_settings.h"

#include "config/base64.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace sluice::config {

namespace {

using snapshot::ClientCertificates;
using snapshot::TlsVersion;

struct Suite {
  std::string_view name;
  bool is_offered;
  bool is_cbc;
};

// The names that Istio knows (OpenSSL's), in its order.
constexpr Suite known_suites[] = {
    {"ECDHE-ECDSA-AES256-GCM-SHA384", true, false},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", true, false},
    {"ECDHE-ECDSA-AES128-GCM-SHA256", true, false},
    {"ECDHE-RSA-AES256-GCM-SHA384", true, false},
    {"ECDHE-RSA-CHACHA20-POLY1305", true, false},
    {"ECDHE-RSA-AES128-GCM-SHA256", true, false},
    {"ECDHE-ECDSA-AES256-SHA", true, true},
    {"ECDHE-ECDSA-AES128-SHA", true, true},
    {"ECDHE-RSA-AES256-SHA", true, true},
    {"ECDHE-RSA-AES128-SHA", true, true},
    {"AES256-GCM-SHA384", false, false},
    {"AES128-GCM-SHA256", false, false},
    {"AES256-SHA", false, true},
    {"AES128-SHA", false, true},
    {"DES-CBC3-SHA", false, true},
};

// What Envoy offers by default, without its groups of equal preference. No CBC.
constexpr std::string_view default_suites[] = {
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",   "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
};

// What tls/ offers. Other lists would only take away from it.
constexpr std::string_view offered_curves[] = {"X25519", "P-256", "P-384"};

const Suite* find_suite(std::string_view name) noexcept {
  const auto found = std::ranges::find(known_suites, name, &Suite::name);
  return found == std::end(known_suites) ? nullptr : &*found;
}

void warn_of_dropped(const Text& written, Diagnostics& diagnostics) {
  const std::string_view name = written.value;
  const SourcePlace place = written.node->place();
  if (name.starts_with("TLS_") || name.starts_with("TLS13-")) {
    return diagnostics.warning(
        place, fmt::format("cipher suite {} is dropped: cipherSuites is a list of TLS 1.2 suites in OpenSSL's names, "
                           "and the suites of TLS 1.3 are always offered",
                           in_quotes(name)));
  }
  if (find_suite(name) != nullptr) {
    return diagnostics.warning(
        place, fmt::format("cipher suite {} is dropped: sluice does not offer it, since it has no forward secrecy",
                           in_quotes(name)));
  }
  std::vector<std::string_view> names;
  for (const Suite& known : known_suites) {
    if (known.is_offered) names.push_back(known.name);
  }
  diagnostics.warning(place, fmt::format("cipher suite {} is not known and dropped", in_quotes(name)),
                      hint(name, names));
}

// The suites that remain, in the order in which they were written.
std::vector<std::string> offered_suites(const std::vector<Text>& written, Diagnostics& diagnostics) {
  std::vector<std::string> result;
  for (const Text& name : written) {
    if (!name) continue;
    const Suite* suite = find_suite(name.value);
    if (suite == nullptr || !suite->is_offered) {
      warn_of_dropped(name, diagnostics);
    } else if (std::ranges::find(result, name.value) != result.end()) {
      diagnostics.warning(name.node->place(), fmt::format("cipher suite {} is there twice", in_quotes(name.value)));
    } else {
      result.emplace_back(name.value);
    }
  }
  return result;
}

void warn_of_preferred_cbc(const ServerTls& tls, const std::vector<std::string>& suites, Diagnostics& diagnostics) {
  const auto is_cbc = [](const std::string& name) { return find_suite(name)->is_cbc; };
  const auto cbc = std::ranges::find_if(suites, is_cbc);
  const auto aead = std::find_if_not(cbc, suites.end(), is_cbc);
  if (cbc == suites.end() || aead == suites.end()) return;
  const auto written = std::ranges::find(tls.cipher_suites, std::string_view(*cbc), &Text::value);
  diagnostics.warning(
      written->node->place(),
      fmt::format("cipher suite {} (CBC with SHA-1) is preferred to {} (AEAD): the order is kept, as in "
                  "Istio; put the AEAD suites first",
                  in_quotes(*cbc), in_quotes(*aead)));
}

std::vector<std::string> cipher_suites(const ServerTls& tls, TlsVersion min_version, Diagnostics& diagnostics) {
  if (tls.cipher_suites.empty()) return {std::begin(default_suites), std::end(default_suites)};
  std::vector<std::string> suites = offered_suites(tls.cipher_suites, diagnostics);
  const SourcePlace place = tls.node->find("cipherSuites")->place();
  if (suites.empty())
    diagnostics.error(place, "cipherSuites: none of these suites is offered; without the list the defaults are");
  if (min_version == TlsVersion::tls_1_3) {
    diagnostics.warning(place, "cipherSuites has no effect with minProtocolVersion TLSV1_3: it is a list for TLS 1.2");
  }
  warn_of_preferred_cbc(tls, suites, diagnostics);
  return suites;
}

// --- Client certificates ---------------------------------------------------------------------------

constexpr size_t sha256_bytes = std::tuple_size_v<snapshot::Sha256Digest>;

std::optional<snapshot::Sha256Digest> to_sha256(std::string_view bytes) noexcept {
  if (bytes.size() != sha256_bytes) return std::nullopt;
  snapshot::Sha256Digest hash;
  std::ranges::transform(bytes, hash.begin(), [](char c) { return static_cast<uint8_t>(c); });
  return hash;
}

std::optional<snapshot::Sha256Digest> parse_public_key_hash(std::string_view text) {
  const std::optional<std::string> bytes = decode_base64(text);
  return bytes ? to_sha256(*bytes) : std::nullopt;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "da39a3ee...", or as openssl writes it: "DA:39:A3:EE:...".
std::optional<snapshot::Sha256Digest> parse_certificate_hash(std::string_view text) {
  std::string bytes;
  while (!text.empty() && bytes.size() <= sha256_bytes) {
    if (text.front() == ':' && !bytes.empty()) text.remove_prefix(1);
    if (text.size() < 2 || hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0) return std::nullopt;
    bytes += static_cast<char>(hex_digit(text[0]) * 16 + hex_digit(text[1]));
    text.remove_prefix(2);
  }
  return to_sha256(bytes);
}

template <typename Parse>
std::vector<snapshot::Sha256Digest> hashes(const std::vector<Text>& written, Parse parse, std::string_view field,
                                           std::string_view form, Diagnostics& diagnostics) {
  std::vector<snapshot::Sha256Digest> result;
  for (const Text& text : written) {
    if (!text) continue;
    if (const std::optional<snapshot::Sha256Digest> hash = parse(text.value)) {
      result.push_back(*hash);
    } else {
      diagnostics.error(text.node->place(),
                        fmt::format("{}: {} is not a SHA-256 hash: {}", field, in_quotes(text.value), form));
    }
  }
  return result;
}

snapshot::PeerVerification client_verification(const ServerTls& tls, Diagnostics& diagnostics) {
  snapshot::PeerVerification verification;
  verification.subject_alt_names = subject_alt_names(tls.subject_alt_names, diagnostics);
  verification.public_key_hashes =
      hashes(tls.verify_certificate_spki, parse_public_key_hash, "verifyCertificateSpki",
             "the base64 of 32 bytes is wanted ('openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER | "
             "openssl dgst -sha256 -binary | base64')",
             diagnostics);
  verification.certificate_hashes =
      hashes(tls.verify_certificate_hash, parse_certificate_hash, "verifyCertificateHash",
             "64 hexadecimal digits are wanted, with or without colons ('openssl x509 -noout -fingerprint -sha256')",
             diagnostics);
  return verification;
}

ClientCertificates client_certificates(std::string_view mode) noexcept {
  if (mode == "MUTUAL") return ClientCertificates::required;
  return mode == "OPTIONAL_MUTUAL" ? ClientCertificates::optional : ClientCertificates::none;
}

// --- Versions --------------------------------------------------------------------------------------

void warn_of_curves(const ServerTls& tls, Diagnostics& diagnostics) {
  if (tls.ecdh_curves.empty() || std::ranges::equal(tls.ecdh_curves, offered_curves, {}, &Text::value)) return;
  diagnostics.warning(tls.node->find("ecdhCurves")->place(),
                      fmt::format("ecdhCurves has no effect: {} are offered, in this order of preference",
                                  quoted_list(offered_curves)));
}

bool is_older_than_1_2(std::string_view version) noexcept { return version == "TLSV1_0" || version == "TLSV1_1"; }

}  // namespace

snapshot::TlsSettings tls_settings(const ServerTls& tls, Diagnostics& diagnostics) {
  snapshot::TlsSettings settings;
  if (is_older_than_1_2(tls.min_protocol_version.value)) {
    diagnostics.warning(tls.min_protocol_version.node->place(),
                        fmt::format("minProtocolVersion {}: TLS 1.0 and 1.1 are not offered, the lowest version is 1.2",
                                    tls.min_protocol_version.value));
  }
  if (is_older_than_1_2(tls.max_protocol_version.value)) {
    diagnostics.error(tls.max_protocol_version.node->place(),
                      fmt::format("maxProtocolVersion {} leaves no version: TLS 1.0 and 1.1 are not offered",
                                  tls.max_protocol_version.value));
  }
  if (tls.min_protocol_version.value == "TLSV1_3") settings.min_version = TlsVersion::tls_1_3;
  if (tls.max_protocol_version.value == "TLSV1_2") settings.max_version = TlsVersion::tls_1_2;
  if (settings.min_version > settings.max_version) {
    diagnostics.error(tls.min_protocol_version.node->place(), "minProtocolVersion is above maxProtocolVersion");
  }
  settings.cipher_suites = cipher_suites(tls, settings.min_version, diagnostics);
  warn_of_curves(tls, diagnostics);
  settings.client_certificates = client_certificates(tls.mode.value);
  if (settings.client_certificates != ClientCertificates::none)
    settings.client_verification = client_verification(tls, diagnostics);
  return settings;
}

std::vector<std::string> subject_alt_names(const std::vector<Text>& written, Diagnostics& diagnostics) {
  std::vector<std::string> result;
  for (const Text& name : written) {
    if (!name) continue;
    if (name.value.empty() || name.value.contains(' ')) {
      diagnostics.error(name.node->place(),
                        fmt::format("subjectAltNames: {} is not a DNS name, URI or IP address", in_quotes(name.value)));
    } else {
      result.emplace_back(name.value);
    }
  }
  return result;
}

}  // namespace sluice::config

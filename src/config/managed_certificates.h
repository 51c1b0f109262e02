// What the documents of cert.gardener.cloud and annotated Gateways ask for: values with everything resolved that can
// be, and nothing that points into documents. All that the certificate manager knows of them.
#pragma once

#include "base/durations.h"
#include "base/source_place.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sluice::config {

struct ObjectKey {
  std::string name_space;
  std::string name;
  [[nodiscard]] std::string text() const { return name_space + "/" + name; }
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

// Of a Secret that sluice has obtained: its value is what was asked for (certs/certificate_wish.h). Without it a Secret
// of the state directory was imported, and is as good as one of the documents.
inline constexpr std::string_view request_digest_annotation = "sluice.io/request-digest";

// A key or another secret: wiped at the end.
struct KeyText {
  std::string text;

  KeyText() = default;
  explicit KeyText(std::string key) : text(std::move(key)) {}
  KeyText(const KeyText&) = default;
  KeyText(KeyText&&) noexcept = default;
  KeyText& operator=(const KeyText&) = default;
  KeyText& operator=(KeyText&&) noexcept = default;
  ~KeyText();
};

// How an ACME server is shown that a name is one's own.
enum class Challenge : uint8_t {
  automatic,  // dns_01 for wildcards; for others what is possible
  http_01,
  tls_alpn_01,
  dns_01,
};
[[nodiscard]] std::string_view text_of(Challenge challenge) noexcept;  // "http-01"

// --- Issuers ---------------------------------------------------------------------------------------

struct SelfSignedIssuer {};

struct CaIssuer {
  std::string chain_pem;  // the CA, then what has signed it
  KeyText key_pem;
};

// RFC 8555 7.3.4
struct ExternalAccount {
  std::string key_id;
  KeyText hmac_key;  // bytes
};

// Called as `command present|cleanup FQDN VALUE`.
struct DnsHook {
  std::vector<std::string> command;  // the first one is an absolute path
  Duration timeout{};
};

// RFC 2136, and RFC 8945 where there is a key.
struct DnsUpdate {
  std::string nameserver;  // "host" or "host:port"
  std::string key_name;
  std::string algorithm;  // "HMACSHA256" or "HMACSHA512"
  KeyText secret;         // base64, as name servers' configuration has it
};

// For which names an Issuer requests certificates; normalised, each for itself and what is below.
struct DomainSelection {
  std::vector<std::string> include;  // empty: all
  std::vector<std::string> exclude;

  // Why not for `name`, to be followed by the Issuer: "excluded by spec.acme.domains of". Empty: it does.
  [[nodiscard]] std::string_view refusal_of(std::string_view name) const noexcept;
};

struct AcmeIssuer {
  std::string server;  // URL of the directory
  std::string email;
  std::string profile;        // of the server's (draft-ietf-acme-profiles); empty: its default
  bool may_register = false;  // without an account there is one made
  std::optional<KeyText> account_key_pem;
  std::optional<ExternalAccount> external_account;
  std::string ca_pem;  // the server is verified with these; empty: with those of the system
  std::variant<std::monostate, DnsHook, DnsUpdate> dns_01;
  DomainSelection domains;
  bool skips_dns_records = false;
  std::vector<std::string> precheck_nameservers;  // "host" or "host:port"; never empty
};

struct Issuer {
  ObjectKey key;
  SourcePlace place;
  std::variant<SelfSignedIssuer, CaIssuer, AcmeIssuer> kind;
  uint32_t requests_per_day_max = 0;
  std::string problem;  // why it issues nothing, until documents change (a Secret is missing); empty: it does
};

// --- Certificates ----------------------------------------------------------------------------------

enum class KeyAlgorithm : uint8_t { rsa, ecdsa };

struct KeyWish {
  KeyAlgorithm algorithm = KeyAlgorithm::rsa;
  uint32_t bits = 2048;
  bool is_pkcs8 = false;  // else PKCS#1 (RFC 8017 A.1.2), or SEC 1 (RFC 5915) of an ECDSA key
};

struct Certificate {
  ObjectKey key;  // of a Gateway's: NAME-gateway-xxxxx
  SourcePlace place;
  std::string gateway;  // "namespace/name" of the Gateway whose annotations ask for it; empty: a document does
  std::string issuer;   // "namespace/name"; of an Issuer that is there exactly when `problem` is empty
  std::string problem;  // why it cannot be obtained until documents change; empty: it can

  // Lower case; empty with a CSR, which says them.
  std::string common_name;
  std::vector<std::string>
      dns_names;  // subjectAltName: with common_name, if that is one, first; `*.` begins a wildcard
  std::vector<std::string> ip_addresses;
  std::vector<std::string> email_addresses;
  std::vector<std::string> uris;
  std::string csr_pem;  // of the user, who has the key

  ObjectKey secret;
  std::vector<std::pair<std::string, std::string>> secret_labels;
  // Of a Secret of that name in the documents: it is served, and this Certificate is not obtained.
  std::optional<SourcePlace> user_secret;

  KeyWish private_key;
  std::optional<Duration> duration;  // exactly when the Issuer is there and not acme
  bool is_ca = false;
  bool renew = false;
  std::optional<Duration> renew_before;
  std::optional<WallTime> ensure_renewed_after;
  std::string preferred_chain;
  Challenge challenge = Challenge::automatic;  // with acme
};

// For one of its names.
[[nodiscard]] Challenge challenge_for(const Certificate& certificate, std::string_view name) noexcept;

struct Revocation {
  ObjectKey key;
  SourcePlace place;
  ObjectKey certificate;  // one of those above; with `problem`, none
  std::string problem;
  bool renew = false;
  std::optional<WallTime> qualifying_date;
};

// Each in the order of their keys.
struct ManagedCertificates {
  std::vector<Issuer> issuers;
  std::vector<Certificate> certificates;
  std::vector<Revocation> revocations;

  [[nodiscard]] const Issuer* find_issuer(std::string_view name) const;  // "namespace/name"
};

}  // namespace sluice::config

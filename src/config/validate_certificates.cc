#include "config/validate_certificates.h"

#include "base/address.h"
#include "base/rfc3339.h"
#include "config/base64.h"
#include "config/host_name.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

using namespace std::chrono_literals;

constexpr size_t common_name_max = 64;         // RFC 5280 A.1, ub-common-name; characters
constexpr size_t dns_names_max = 99;           // beside the common name, as the controller
constexpr size_t alternative_names_max = 100;  // of each other kind
constexpr size_t domains_max = 256;
constexpr size_t hook_arguments_max = 32;
constexpr Duration hook_timeout_max = 10min;
constexpr Duration renew_before_min = 5min;

// Characters, of UTF-8.
size_t length_of(std::string_view text) noexcept {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

void check_name(const Text& name, std::string_view field, Diagnostics& diagnostics) {
  if (name && !is_object_name(name.value)) {
    diagnostics.error(name.node->place(), fmt::format("{}: {} is not a name: lower case letters, digits, '-' and '.'",
                                                      field, in_quotes(name.value)));
  }
}

void check_namespace(const Text& name, std::string_view field, Diagnostics& diagnostics) {
  if (name && (!is_object_name(name.value) || name.value.contains('.'))) {
    diagnostics.error(name.node->place(), fmt::format("{}: {} is not a namespace: lower case letters, digits and '-'",
                                                      field, in_quotes(name.value)));
  }
}

template <typename Reference>
void check_reference(const Reference& reference, std::string_view field, Diagnostics& diagnostics) {
  check_name(reference.name, fmt::format("{}.name", field), diagnostics);
  check_namespace(reference.name_space, fmt::format("{}.namespace", field), diagnostics);
}

void check_challenge(const Document& document, Diagnostics& diagnostics) {
  const Text* challenge = find_annotation(document, challenge_annotation);
  if (challenge == nullptr) return;
  static constexpr std::string_view known[] = {"http-01", "tls-alpn-01", "dns-01"};
  if (std::ranges::find(known, challenge->value) != std::end(known)) return;
  std::string meant = hint(challenge->value, known);
  const std::string all = meant.empty() ? "; known are " + quoted_list(known) : "";
  diagnostics.error(challenge->node->place(),
                    fmt::format("{}: unknown value {}{}", challenge_annotation, in_quotes(challenge->value), all),
                    std::move(meant));
}

void check_time(const Text& time, std::string_view field, Diagnostics& diagnostics) {
  if (time && !parse_rfc3339(time.value)) {
    diagnostics.error(time.node->place(),
                      fmt::format("{}: {} is not a time such as 2026-08-01T10:00:00Z", field, in_quotes(time.value)));
  }
}

// PEM in base64.
void check_pem(const Text& text, std::string_view field, std::span<const std::string_view> labels,
               std::string_view what, Diagnostics& diagnostics) {
  if (!text) return;
  const std::optional<std::string> pem = decode_base64(text.value);
  const auto has = [&](std::string_view label) { return pem->contains(fmt::format("-----BEGIN {}-----", label)); };
  if (pem && std::ranges::any_of(labels, has)) return;
  diagnostics.error(text.node->place(),
                    fmt::format("{}: it must be {} in PEM, and that in base64 ('base64 -w0 FILE')", field, what));
}

// --- Issuer ----------------------------------------------------------------------------------------

// "host" or "host:port", "[::1]:53" too.
bool is_server(std::string_view text) {
  if (SocketAddress::from_ip(text, 53)) return true;
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    uint32_t port = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (failed != std::errc{} || end != digits.data() + digits.size() || port == 0 || port > port_max) return false;
    text = text.substr(0, colon);
    if (text.starts_with('[') && text.ends_with(']'))
      return SocketAddress::from_ip(text.substr(1, text.size() - 2), 53).has_value();
  }
  return SocketAddress::from_ip(text, 53) || (!is_wildcard(text) && !wrong_with_host(text));
}

void check_server(const Text& server, std::string_view field, Diagnostics& diagnostics) {
  if (server && !is_server(server.value)) {
    diagnostics.error(server.node->place(),
                      fmt::format("{}: {} is neither host nor host:port", field, in_quotes(server.value)));
  }
}

void check_domains(const IssuerDomains& of, std::string_view field, std::span<const Text> domains,
                   Diagnostics& diagnostics) {
  if (domains.size() > domains_max) {
    diagnostics.error(of.node->find(field)->place(), fmt::format("acme.domains.{} has {} items, at most {} are taken",
                                                                 field, domains.size(), domains_max));
  }
  for (const Text& domain : domains) {
    if (!domain) continue;
    std::optional<std::string_view> wrong = wrong_with_host(domain.value);
    if (!wrong && is_wildcard(domain.value)) wrong = "it stands for all names below it without a wildcard";
    if (wrong)
      diagnostics.error(domain.node->place(), fmt::format("{} is not a domain: {}", in_quotes(domain.value), *wrong));
  }
}

void check_hook(const DnsHookSpec& hook, Diagnostics& diagnostics) {
  if (hook.node == nullptr) return;
  if (hook.node->has_empty_list("command") || hook.command.size() > hook_arguments_max) {
    diagnostics.error(hook.node->place(), fmt::format("dns01.hook.command must have the path of an executable, and at "
                                                      "most {} arguments",
                                                      hook_arguments_max - 1));
  } else if (!hook.command.empty() && hook.command.front() && !hook.command.front().value.starts_with('/')) {
    diagnostics.error(hook.command.front().node->place(),
                      fmt::format("dns01.hook.command: {} must be the whole path of an executable, from \"/\" on",
                                  in_quotes(hook.command.front().value)));
  }
  if (hook.timeout.node != nullptr && (hook.timeout.value <= 0s || hook.timeout.value > hook_timeout_max))
    diagnostics.error(hook.timeout.node->place(), "dns01.hook.timeout must be longer than 0s, and at most 10m");
}

void check_dns_update(const DnsUpdateSpec& update, Diagnostics& diagnostics) {
  if (update.node == nullptr) return;
  check_server(update.nameserver, "dns01.rfc2136.nameserver", diagnostics);
  check_name(update.tsig_secret.name, "dns01.rfc2136.tsigSecretSecretRef.name", diagnostics);
  if (!update.node->has("tsigKeyName") || !update.node->has("tsigSecretSecretRef"))
    diagnostics.error(update.node->place(),
                      "dns01.rfc2136: tsigKeyName and tsigSecretSecretRef are wanted: updates are signed");
  if (const Text& name = update.tsig_key_name; name && (is_wildcard(name.value) || wrong_with_host(name.value))) {
    diagnostics.error(name.node->place(),
                      fmt::format("dns01.rfc2136.tsigKeyName: {} is not a name of DNS", in_quotes(name.value)));
  }
}

bool is_email(std::string_view text) noexcept {
  const size_t at = text.find('@');
  return at != std::string_view::npos && at > 0 && at + 1 < text.size() && text.find('@', at + 1) == text.npos &&
         !text.contains(' ');
}

void check_acme(const AcmeSpec& acme, Diagnostics& diagnostics) {
  if (acme.server && !(acme.server.value.starts_with("https://") && acme.server.value.size() > 8)) {
    diagnostics.error(acme.server.node->place(), fmt::format("acme.server: {} must begin with https:// (RFC 8555 6.1)",
                                                             in_quotes(acme.server.value)));
  }
  if (acme.email && !is_email(acme.email.value)) {
    diagnostics.error(acme.email.node->place(),
                      fmt::format("acme.email: {} is not an e-mail address", in_quotes(acme.email.value)));
  }
  check_reference(acme.private_key_secret_ref, "acme.privateKeySecretRef", diagnostics);
  check_reference(acme.external_account_binding.key_secret_ref, "acme.externalAccountBinding.keySecretRef",
                  diagnostics);
  if (!acme.node->has("privateKeySecretRef") && !acme.auto_registration.value) {
    diagnostics.error(acme.node->place(),
                      "acme: without privateKeySecretRef there is no account; autoRegistration: "
                      "true makes one");
  }
  check_domains(acme.domains, "include", acme.domains.include, diagnostics);
  check_domains(acme.domains, "exclude", acme.domains.exclude, diagnostics);
  for (const Text& server : acme.precheck_nameservers) check_server(server, "acme.precheckNameservers", diagnostics);
  static constexpr std::string_view certificate[] = {"CERTIFICATE"};
  check_pem(acme.ca_bundle, "acme.caBundle", certificate, "certificates", diagnostics);
  if (acme.dns01.node != nullptr && acme.dns01.node->has("hook") == acme.dns01.node->has("rfc2136"))
    diagnostics.error(acme.dns01.node->place(), "acme.dns01 must have one of hook and rfc2136");
  check_hook(acme.dns01.hook, diagnostics);
  check_dns_update(acme.dns01.rfc2136, diagnostics);
}

// --- Certificate -----------------------------------------------------------------------------------

void check_dns_name(const Text& name, Diagnostics& diagnostics) {
  std::optional<std::string_view> wrong = wrong_with_host(name.value);
  if (!wrong && name.value == "*") wrong = "a wildcard stands before a domain";
  if (!wrong) return;
  diagnostics.error(name.node->place(),
                    fmt::format("dnsNames: {} is not a DNS name: {}", in_quotes(name.value), *wrong));
}

void check_dns_names(const CertificateSpec& spec, Diagnostics& diagnostics) {
  if (spec.dns_names.size() > dns_names_max) {
    diagnostics.error(spec.node->find("dnsNames")->place(),
                      fmt::format("invalid number of DNS names: {} (max {})", spec.dns_names.size(), dns_names_max));
  }
  std::set<std::string> names;
  if (spec.common_name) names.insert(normalised_host(spec.common_name.value));
  for (const Text& name : spec.dns_names) {
    if (!name) continue;
    check_dns_name(name, diagnostics);
    if (!names.insert(normalised_host(name.value)).second)
      diagnostics.error(name.node->place(), fmt::format("duplicate domain: {}", in_quotes(name.value)));
  }
}

void check_other_names(const CertificateSpec& spec, Diagnostics& diagnostics) {
  const auto check = [&](std::span<const Text> names, std::string_view field, auto is_right, std::string_view what) {
    if (names.size() > alternative_names_max) {
      diagnostics.error(spec.node->find(field)->place(), fmt::format("{} has {} items, at most {} are taken", field,
                                                                     names.size(), alternative_names_max));
    }
    for (const Text& name : names) {
      if (name && !is_right(name.value))
        diagnostics.error(name.node->place(), fmt::format("{}: {} is not {}", field, in_quotes(name.value), what));
    }
  };
  check(spec.email_addresses, "emailAddresses", is_email, "an e-mail address");
  check(
      spec.ip_addresses, "ipAddresses", [](std::string_view ip) { return SocketAddress::from_ip(ip, 0).has_value(); },
      "an IP address");
  const auto is_uri = [](std::string_view uri) {  // RFC 3986 3: a scheme, and no spaces
    const size_t colon = uri.find(':');
    return colon != std::string_view::npos && colon > 0 && colon + 1 < uri.size() && !uri.contains(' ');
  };
  check(spec.uris, "uris", is_uri, "a URI");
}

void check_names(const CertificateSpec& spec, const Document& document, Diagnostics& diagnostics) {
  static constexpr std::string_view names[] = {"commonName", "dnsNames", "emailAddresses", "ipAddresses", "uris"};
  const auto is_given = [&](std::string_view field) {
    return spec.node->has(field) && !spec.node->has_empty_list(field);
  };
  if (spec.node->has("csr")) {
    for (const std::string_view field : names) {
      if (is_given(field)) {
        diagnostics.error(spec.node->find(field)->place(),
                          fmt::format("cannot specify both {} and csr: the request has its names", field));
      }
    }
    if (spec.node->has("privateKey")) {
      diagnostics.warning(spec.node->find("privateKey")->place(),
                          "privateKey has no effect: the key is that of the request in csr");
    }
  } else if (!std::ranges::any_of(names, is_given)) {
    diagnostics.error(document.place(), "either domains or csr must be specified: commonName, dnsNames or ipAddresses");
  }
  if (const Text& name = spec.common_name; name && length_of(name.value) > common_name_max) {
    diagnostics.error(name.node->place(),
                      fmt::format("the Common Name is limited to 64 characters (X.509 ASN.1 specification), but {} has "
                                  "{}; write it in dnsNames",
                                  in_quotes(name.value), length_of(name.value)));
  } else if (name && name.value.empty()) {
    diagnostics.error(name.node->place(), "commonName is empty");
  }
  check_dns_names(spec, diagnostics);
  check_other_names(spec, diagnostics);
  static constexpr std::string_view request[] = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"};
  check_pem(spec.csr, "csr", request, "a certificate request", diagnostics);
}

void check_secret(const CertificateSpec& spec, Diagnostics& diagnostics) {
  check_name(spec.secret_name, "secretName", diagnostics);
  check_reference(spec.secret_ref, "secretRef", diagnostics);
  if (spec.secret_name && spec.secret_ref.name && spec.secret_name.value != spec.secret_ref.name.value) {
    diagnostics.error(spec.secret_ref.name.node->place(),
                      fmt::format("secretName {} and secretRef.name {} differ: write one of them",
                                  in_quotes(spec.secret_name.value), in_quotes(spec.secret_ref.name.value)));
  }
}

void check_private_key(const CertificatePrivateKey& key, Diagnostics& diagnostics) {
  if (!key.size) return;
  const uint32_t size = key.size.value;
  const bool is_ecdsa = key.algorithm.value == "ECDSA";
  const bool is_right = is_ecdsa ? size == 256 || size == 384 : size == 2048 || size == 3072 || size == 4096;
  if (is_right) return;
  diagnostics.error(key.size.node->place(),
                    fmt::format("privateKey.size: {} keys have {} bits, not {}", is_ecdsa ? "ECDSA" : "RSA",
                                is_ecdsa ? "256 or 384" : "2048, 3072 or 4096", key.size.value));
}

}  // namespace

const Text* find_annotation(const Document& document, std::string_view name) noexcept {
  const TextMap& annotations = document.metadata.annotations;
  const auto found = std::ranges::find(annotations, name, &TextMap::value_type::first);
  return found == annotations.end() ? nullptr : &found->second;
}

void check_issuer(const IssuerDocument& issuer, Diagnostics& diagnostics) {
  check_challenge(issuer, diagnostics);
  const IssuerSpec& spec = issuer.spec;
  if (spec.node == nullptr || spec.node->kind != Node::Kind::mapping) return;
  static constexpr std::string_view kinds[] = {"acme", "ca", "selfSigned"};
  if (std::ranges::count_if(kinds, [&](std::string_view kind) { return spec.node->has(kind); }) != 1)
    diagnostics.error(issuer.place(), "an Issuer must have one of spec.acme, spec.ca and spec.selfSigned");
  if (spec.acme.node != nullptr && spec.acme.node->kind == Node::Kind::mapping) check_acme(spec.acme, diagnostics);
  check_reference(spec.ca.private_key_secret_ref, "ca.privateKeySecretRef", diagnostics);
}

void check_certificate(const CertificateDocument& certificate, Diagnostics& diagnostics) {
  check_challenge(certificate, diagnostics);
  const CertificateSpec& spec = certificate.spec;
  if (spec.node == nullptr || spec.node->kind != Node::Kind::mapping) return;
  check_names(spec, certificate, diagnostics);
  check_reference(spec.issuer_ref, "issuerRef", diagnostics);
  check_secret(spec, diagnostics);
  check_private_key(spec.private_key, diagnostics);
  check_time(spec.ensure_renewed_after, "ensureRenewedAfter", diagnostics);
  if (const TimeSpan& before = spec.renew_before; before.node != nullptr && before.value < renew_before_min)
    diagnostics.error(before.node->place(), "renewBefore must be at least 5m");
}

void check_revocation(const RevocationDocument& revocation, Diagnostics& diagnostics) {
  check_reference(revocation.spec.certificate_ref, "certificateRef", diagnostics);
  check_time(revocation.spec.qualifying_date, "qualifyingDate", diagnostics);
}

}  // namespace sluice::config

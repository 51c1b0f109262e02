#include "config/certificate_compiler.h"

#include "base/base64.h"
#include "base/rfc3339.h"
#include "config/base64.h"
#include "config/certificate_names.h"
#include "config/host_name.h"
#include "config/validate_certificates.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

using namespace std::chrono_literals;

constexpr uint32_t default_requests_per_day = 10'000;
constexpr Duration default_hook_timeout = 1min;
constexpr std::string_view default_nameservers[] = {"8.8.8.8", "8.8.4.4"};
constexpr std::string_view default_issuers[] = {"default-issuer", "garden"};  // Gardener's, Kyma's
constexpr std::string_view issuer_namespace = "default";                      // of an issuerRef without namespace
// Of self-signed certificates and those from a CA. The least is twice the controller's renewal window, as there.
constexpr Duration self_signed_duration = 90 * 24h;
constexpr Duration ca_duration = 180 * 24h;
constexpr Duration duration_min = 60 * 24h;
constexpr Duration renew_before_margin = 5min;

Challenge challenge_of(const Document& document) noexcept {
  const Text* text = find_annotation(document, challenge_annotation);
  if (text == nullptr) return Challenge::automatic;
  for (const Challenge challenge : {Challenge::http_01, Challenge::tls_alpn_01, Challenge::dns_01}) {
    if (text->value == text_of(challenge)) return challenge;
  }
  return Challenge::automatic;
}

bool is_dns_name(std::string_view name) { return name != "*" && !wrong_with_host(name); }

DomainSelection selection_of(const IssuerDomains& domains) {
  DomainSelection selection;
  for (const Text& domain : domains.include) selection.include.push_back(normalised_host(domain.value));
  for (const Text& domain : domains.exclude) selection.exclude.push_back(normalised_host(domain.value));
  return selection;
}

// Without white space.
KeyText packed(std::string_view text) {
  KeyText key;
  key.text.reserve(text.size());  // once: it is never moved
  std::ranges::copy_if(text, std::back_inserter(key.text),
                       [](char c) { return !std::string_view(" \t\r\n").contains(c); });
  return key;
}

// RFC 4648 5, as the keys of external accounts are written, padded or not; with the standard alphabet too. Not empty.
std::optional<KeyText> read_mac_key(std::string_view written) {
  KeyText text = packed(written);
  std::ranges::replace(text.text, '+', '-');
  std::ranges::replace(text.text, '/', '_');
  std::optional<std::string> bytes = read_base64url(text.text);
  if (!bytes || bytes->empty()) return std::nullopt;
  return KeyText(std::move(*bytes));
}

// RFC 4648 4, and not empty.
bool is_base64(std::string_view text) {
  std::optional<std::string> bytes = decode_base64(text);
  if (!bytes) return false;
  const KeyText key(std::move(*bytes));  // wiped
  return !key.text.empty();
}

class CertificateCompiler {
 public:
  CertificateCompiler(const Model& model, const SecretStore& secrets, Diagnostics& diagnostics)
      : model_(model), secrets_(secrets), diagnostics_(diagnostics) {
    for (const IssuerDocument& issuer : model.issuers) issuers_.emplace(issuer.key(), &issuer);
  }

  ManagedCertificates compile();

 private:
  struct SecretUser {
    std::string title;  // "Issuer default/ca"
    std::string& problem;
  };

  // --- Issuers
  [[nodiscard]] Issuer compile_issuer(const IssuerDocument& document);
  [[nodiscard]] CaIssuer compile_ca(const IssuerDocument& document, Issuer& issuer);
  [[nodiscard]] AcmeIssuer compile_acme(const IssuerDocument& document, Issuer& issuer);
  void add_account(const IssuerDocument& document, AcmeIssuer& acme, Issuer& issuer);
  void add_dns(const IssuerDocument& document, AcmeIssuer& acme, Issuer& issuer);
  [[nodiscard]] ObjectKey secret_key(const SecretReference& reference, const Document& document) const;
  // Nothing, and a warning and a problem, when it is not there; the same with an error when it has no such value.
  [[nodiscard]] std::optional<KeyText> secret_value(const ObjectKey& key, std::string_view value, const Node& place,
                                                    Issuer& issuer);
  void miss_secret(const ObjectKey& key, const Node& place, Issuer& issuer);

  // --- Certificates
  void compile_certificate(const CertificateDocument& document, ManagedCertificates& result);
  void add_names(const CertificateDocument& document, Certificate& certificate);
  void add_secret(const CertificateDocument& document, Certificate& certificate);
  void add_wishes(const CertificateDocument& document, Certificate& certificate);
  [[nodiscard]] const IssuerDocument* find_issuer(const CertificateDocument& document, Certificate& certificate);
  void apply_issuer(const CertificateDocument& document, const IssuerDocument& issuer, Certificate& certificate);
  void apply_acme(const CertificateDocument& document, const IssuerDocument& issuer, Certificate& certificate);
  void apply_own(const CertificateDocument& document, const IssuerDocument& issuer, Certificate& certificate);
  void check_domains(const CertificateDocument& document, const IssuerDocument& issuer, const Certificate& certificate);
  void check_challenge(const CertificateDocument& document, const IssuerDocument& issuer,
                       const Certificate& certificate);
  // Where a name was written.
  [[nodiscard]] static const Node& place_of(const CertificateDocument& document, std::string_view name);

  void compile_revocation(const RevocationDocument& document, ManagedCertificates& result);

  const Model& model_;
  const SecretStore& secrets_;
  Diagnostics& diagnostics_;
  std::map<std::string, const IssuerDocument*, std::less<>> issuers_;  // by namespace/name
  std::map<ObjectKey, const CertificateDocument*> written_;            // Secrets, and who writes them
};

ObjectKey key_of(const Document& document) {
  return {std::string(document.name_space()), std::string(document.name())};
}

// --- Issuers ---------------------------------------------------------------------------------------

ObjectKey CertificateCompiler::secret_key(const SecretReference& reference, const Document& document) const {
  const std::string_view name_space = reference.name_space.value;
  return {std::string(name_space.empty() ? document.name_space() : name_space), std::string(reference.name.value)};
}

void CertificateCompiler::miss_secret(const ObjectKey& key, const Node& place, Issuer& issuer) {
  if (const CertificateDocument* writer = secrets_.writer_of(key.text()); writer != nullptr) {
    issuer.problem = fmt::format("Secret {} is not there yet: {} is to write it", key.text(), title_of(*writer));
    return;
  }
  issuer.problem = fmt::format("there is no Secret {}", in_quotes(key.text()));
  if (!model_.is_complete) return;
  diagnostics_.warning(
      place.place(), fmt::format("{}: Issuer {} issues nothing until it is there", issuer.problem, issuer.key.text()));
}

std::optional<KeyText> CertificateCompiler::secret_value(const ObjectKey& key, std::string_view value,
                                                         const Node& place, Issuer& issuer) {
  const Secret* secret = secrets_.find_exactly(key.text());
  if (secret == nullptr) {
    miss_secret(key, place, issuer);
    return std::nullopt;
  }
  issuer.problem = fmt::format("Secret {} cannot be used", key.text());
  if (secret->is_broken) return std::nullopt;
  std::optional<std::string> bytes = SecretStore::value(*secret, value);
  if (!bytes || bytes->empty()) {
    diagnostics_.error(secret->place(), fmt::format("found secret {} but didn't have the expected key {}, which Issuer "
                                                    "{} needs",
                                                    key.text(), in_quotes(value), issuer.key.text()));
    return std::nullopt;
  }
  issuer.problem.clear();
  return KeyText(std::move(*bytes));
}

Issuer CertificateCompiler::compile_issuer(const IssuerDocument& document) {
  const IssuerSpec& spec = document.spec;
  Issuer issuer;
  issuer.key = key_of(document);
  issuer.place = document.place();
  issuer.requests_per_day_max =
      spec.requests_per_day_quota ? spec.requests_per_day_quota.value : default_requests_per_day;
  if (spec.acme.node != nullptr) {
    issuer.kind = compile_acme(document, issuer);
  } else if (spec.ca.node != nullptr) {
    issuer.kind = compile_ca(document, issuer);
  } else if (const Text* challenge = find_annotation(document, challenge_annotation); challenge != nullptr) {
    diagnostics_.warning(challenge->node->place(),
                         fmt::format("{} has no effect: the Issuer is not an acme one", challenge_annotation));
  }
  return issuer;
}

CaIssuer CertificateCompiler::compile_ca(const IssuerDocument& document, Issuer& issuer) {
  const SecretReference& reference = document.spec.ca.private_key_secret_ref;
  const ObjectKey key = secret_key(reference, document);
  CaIssuer ca;
  std::optional<KeyText> chain = secret_value(key, "tls.crt", *reference.name.node, issuer);
  if (!chain) return ca;
  std::optional<KeyText> private_key = secret_value(key, "tls.key", *reference.name.node, issuer);
  if (!private_key) return ca;
  ca.chain_pem = std::move(chain->text);
  ca.key_pem = std::move(*private_key);
  return ca;
}

AcmeIssuer CertificateCompiler::compile_acme(const IssuerDocument& document, Issuer& issuer) {
  const AcmeSpec& spec = document.spec.acme;
  AcmeIssuer acme;
  acme.server = spec.server.value;
  acme.email = spec.email.value;
  acme.profile = spec.profile.value;
  acme.may_register = spec.auto_registration.value;
  if (spec.ca_bundle) acme.ca_pem = decode_base64(spec.ca_bundle.value).value_or("");
  acme.domains = selection_of(spec.domains);
  acme.skips_dns_records = spec.skip_dns_challenge_validation.value;
  for (const Text& server : spec.precheck_nameservers) acme.precheck_nameservers.emplace_back(server.value);
  if (acme.precheck_nameservers.empty())
    acme.precheck_nameservers.assign(std::begin(default_nameservers), std::end(default_nameservers));
  add_account(document, acme, issuer);
  if (issuer.problem.empty()) add_dns(document, acme, issuer);
  return acme;
}

void CertificateCompiler::add_account(const IssuerDocument& document, AcmeIssuer& acme, Issuer& issuer) {
  const AcmeSpec& spec = document.spec.acme;
  if (const SecretReference& reference = spec.private_key_secret_ref; reference.name) {
    const ObjectKey key = secret_key(reference, document);
    // With autoRegistration it is the place where the controller would put the key that it makes.
    if (!acme.may_register || secrets_.find_exactly(key.text()) != nullptr)
      acme.account_key_pem = secret_value(key, "privateKey", *reference.name.node, issuer);
  }
  const ExternalAccountBinding& binding = spec.external_account_binding;
  if (binding.node == nullptr || !issuer.problem.empty()) return;
  const SecretReference& reference = binding.key_secret_ref;
  const ObjectKey key = secret_key(reference, document);
  const std::optional<KeyText> written = secret_value(key, "hmacKey", *reference.name.node, issuer);
  if (!written) return;
  std::optional<KeyText> bytes = read_mac_key(written->text);
  if (!bytes) {
    return diagnostics_.error(secrets_.find_exactly(key.text())->place(),
                              fmt::format("hmacKey of secret {} is not base64url (RFC 4648 5)", key.text()));
  }
  acme.external_account = ExternalAccount{std::string(binding.key_id.value), std::move(*bytes)};
}

void CertificateCompiler::add_dns(const IssuerDocument& document, AcmeIssuer& acme, Issuer& issuer) {
  const Dns01Spec& spec = document.spec.acme.dns01;
  if (spec.hook.node != nullptr) {
    DnsHook hook;
    for (const Text& word : spec.hook.command) hook.command.emplace_back(word.value);
    hook.timeout = spec.hook.timeout.node != nullptr ? spec.hook.timeout.value : default_hook_timeout;
    acme.dns_01 = std::move(hook);
    return;
  }
  if (spec.rfc2136.node == nullptr) return;
  const DnsUpdateSpec& written = spec.rfc2136;
  DnsUpdate update;
  update.nameserver = written.nameserver.value;
  update.key_name = normalised_host(written.tsig_key_name.value);
  update.algorithm = written.tsig_algorithm ? written.tsig_algorithm.value : "HMACSHA256";
  const ObjectKey key{std::string(document.name_space()), std::string(written.tsig_secret.name.value)};
  const std::string_view name = written.tsig_secret.key.value;
  const std::optional<KeyText> secret = secret_value(key, name, *written.tsig_secret.name.node, issuer);
  if (!secret) return;
  update.secret = packed(secret->text);
  if (!is_base64(update.secret.text)) {
    return diagnostics_.error(
        secrets_.find_exactly(key.text())->place(),
        fmt::format("{} of secret {} is not base64, as tsig-keygen writes it", in_quotes(name), key.text()));
  }
  acme.dns_01 = std::move(update);
}

// --- Certificates ----------------------------------------------------------------------------------

const Node& CertificateCompiler::place_of(const CertificateDocument& document, std::string_view name) {
  const CertificateSpec& spec = document.spec;
  const auto is_it = [&](const Text& text) { return normalised_host(text.value) == name; };
  for (const std::vector<Text>* names : {&spec.dns_names, &spec.ip_addresses}) {
    if (const auto found = std::ranges::find_if(*names, is_it); found != names->end()) return *found->node;
  }
  return *(spec.common_name ? spec.common_name.node : document.node);
}

void CertificateCompiler::add_names(const CertificateDocument& document, Certificate& certificate) {
  const CertificateSpec& spec = document.spec;
  certificate.common_name = spec.common_name.value;
  if (is_dns_name(certificate.common_name)) {
    certificate.common_name = normalised_host(certificate.common_name);
    // A name of people, as "issuing-ca", is none of DNS.
    if (!spec.is_ca.value || certificate.common_name.contains('.'))
      certificate.dns_names.push_back(certificate.common_name);
  }
  for (const Text& name : spec.dns_names) certificate.dns_names.push_back(normalised_host(name.value));
  for (const Text& address : spec.ip_addresses) certificate.ip_addresses.emplace_back(address.value);
  for (const Text& address : spec.email_addresses) certificate.email_addresses.emplace_back(address.value);
  for (const Text& uri : spec.uris) certificate.uris.emplace_back(uri.value);
  if (spec.csr) certificate.csr_pem = decode_base64(spec.csr.value).value_or("");
}

void CertificateCompiler::add_secret(const CertificateDocument& document, Certificate& certificate) {
  certificate.secret = secret_of(document);
  for (const auto& [name, value] : document.spec.secret_labels)
    certificate.secret_labels.emplace_back(name, value.value);
  const auto [writer, is_new] = written_.emplace(certificate.secret, &document);
  if (!is_new) {
    const CertificateDocument& first = *writer->second;
    return diagnostics_.error(document.place(),
                              fmt::format("{} writes Secret {}, which {} writes too ({})", title_of(document),
                                          certificate.secret.text(), title_of(first), first.place().to_string()));
  }
  const Secret* given = secrets_.find_exactly(certificate.secret.text());
  if (given == nullptr || given->is_issued) return;
  certificate.user_secret = given->place();
  diagnostics_.warning(given->place(),
                       fmt::format("Secret {} is there already and wins over {} ({}), which is not "
                                   "obtained",
                                   certificate.secret.text(), title_of(document), document.place().to_string()));
}

void CertificateCompiler::add_wishes(const CertificateDocument& document, Certificate& certificate) {
  const CertificateSpec& spec = document.spec;
  KeyWish& key = certificate.private_key;
  if (spec.private_key.algorithm.value == "ECDSA") key = {KeyAlgorithm::ecdsa, 256, false};
  if (spec.private_key.size) key.bits = spec.private_key.size.value;
  key.is_pkcs8 = spec.private_key.encoding.value == "PKCS8";
  certificate.is_ca = spec.is_ca.value;
  certificate.renew = spec.renew.value;
  if (spec.renew_before.node != nullptr) certificate.renew_before = spec.renew_before.value;
  if (spec.ensure_renewed_after) certificate.ensure_renewed_after = parse_rfc3339(spec.ensure_renewed_after.value);
  certificate.preferred_chain = spec.preferred_chain.value;
  certificate.challenge = challenge_of(document);
}

const IssuerDocument* CertificateCompiler::find_issuer(const CertificateDocument& document, Certificate& certificate) {
  const CertificateObjectReference& reference = document.spec.issuer_ref;
  const auto find = [&](std::string_view name_space, std::string_view name) {
    const auto found = issuers_.find(fmt::format("{}/{}", name_space, name));
    return found == issuers_.end() ? nullptr : found->second;
  };
  const IssuerDocument* issuer = nullptr;
  if (!reference.name) {
    certificate.issuer = fmt::format("{}/{}", issuer_namespace, default_issuers[0]);
    for (const std::string_view name : default_issuers) {
      if (issuer == nullptr) issuer = find(issuer_namespace, name);
    }
  } else {
    const std::string_view given = reference.name_space.value;
    const std::string_view name_space = given.empty() ? issuer_namespace : given;
    certificate.issuer = fmt::format("{}/{}", name_space, reference.name.value);
    issuer = find(name_space, reference.name.value);
    if (issuer == nullptr && given.empty()) {
      issuer = find(document.name_space(), reference.name.value);
      if (issuer != nullptr) {
        diagnostics_.warning(reference.name.node->place(),
                             fmt::format("there is no Issuer {}; {} is used, which Gardener would find with "
                                         "issuerRef.namespace only",
                                         in_quotes(certificate.issuer), in_quotes(issuer->key())));
      }
    }
  }
  if (issuer != nullptr) {
    certificate.issuer = issuer->key();
    if (issuer->is_broken) certificate.problem = fmt::format("Issuer {} cannot be used", certificate.issuer);
    return issuer->is_broken ? nullptr : issuer;
  }
  certificate.problem = fmt::format("there is no Issuer {}", in_quotes(certificate.issuer));
  if (model_.is_complete && !certificate.user_secret) {
    diagnostics_.warning(
        reference.name ? reference.name.node->place() : document.place(),
        fmt::format("{}: {} is not obtained until it is there", certificate.problem, title_of(document)));
  }
  return nullptr;
}

// Only where acme is meant to say something about them.
void CertificateCompiler::check_domains(const CertificateDocument& document, const IssuerDocument& issuer,
                                        const Certificate& certificate) {
  const IssuerDomains& domains = issuer.spec.acme.domains;
  const DomainSelection selection = selection_of(domains);
  for (const std::string& name : certificate.dns_names) {
    const std::string_view refusal = selection.refusal_of(name);
    if (refusal.empty()) continue;
    diagnostics_.error(place_of(document, name).place(),
                       fmt::format("domain {} is {} Issuer {} ({})", in_quotes(name), refusal, certificate.issuer,
                                   domains.node->place().to_string()));
  }
}

void CertificateCompiler::check_challenge(const CertificateDocument& document, const IssuerDocument& issuer,
                                          const Certificate& certificate) {
  const AcmeSpec& acme = issuer.spec.acme;
  const bool has_dns = acme.dns01.node != nullptr || acme.skip_dns_challenge_validation.value;
  const Challenge own = challenge_of(document);  // an Issuer's is for the names that it can prove
  for (const std::string& name : certificate.dns_names) {
    const bool is_wild = is_wildcard(name);
    if (is_wild && own != Challenge::automatic && own != Challenge::dns_01) {
      diagnostics_.error(
          place_of(document, name).place(),
          fmt::format("{} is a wildcard and needs dns-01 (RFC 8555 8.4), not {}", in_quotes(name), text_of(own)));
    } else if (challenge_for(certificate, name) == Challenge::dns_01 && !has_dns) {
      diagnostics_.error(place_of(document, name).place(),
                         fmt::format("{} needs dns-01{}, and Issuer {} ({}) does not say how: spec.acme.dns01.hook or "
                                     "spec.acme.dns01.rfc2136",
                                     in_quotes(name), is_wild ? ", as a wildcard" : "", certificate.issuer,
                                     issuer.place().to_string()));
    }
  }
  if (certificate.challenge != Challenge::dns_01) return;
  for (const std::string& address : certificate.ip_addresses) {
    diagnostics_.error(place_of(document, address).place(),
                       fmt::format("{}: an IP address cannot be proved by dns-01 (RFC 8738 7)", in_quotes(address)));
  }
}

void CertificateCompiler::apply_acme(const CertificateDocument& document, const IssuerDocument& issuer,
                                     Certificate& certificate) {
  const CertificateSpec& spec = document.spec;
  if (certificate.challenge == Challenge::automatic) certificate.challenge = challenge_of(issuer);
  if (spec.common_name && !is_dns_name(spec.common_name.value)) {
    diagnostics_.error(spec.common_name.node->place(),
                       fmt::format("commonName: {} is not a DNS name, and Issuer {} is an acme one: others are not "
                                   "certified",
                                   in_quotes(spec.common_name.value), certificate.issuer));
  }
  for (const auto& [names, field] : {std::pair(&spec.email_addresses, "emailAddresses"), {&spec.uris, "uris"}}) {
    if (names->empty()) continue;
    diagnostics_.error(names->front().node->place(),
                       fmt::format("{} are not possible with Issuer {}: ACME has DNS names and IP addresses", field,
                                   certificate.issuer));
  }
  if (spec.duration.node != nullptr)
    diagnostics_.warning(spec.duration.node->place(), "duration has no effect with acme: the server decides");
  if (spec.is_ca.value)
    diagnostics_.warning(spec.is_ca.node->place(), "isCA has no effect with acme: its certificates are none of a CA");
  certificate.is_ca = false;
  check_domains(document, issuer, certificate);
  check_challenge(document, issuer, certificate);
}

void CertificateCompiler::apply_own(const CertificateDocument& document, const IssuerDocument& issuer,
                                    Certificate& certificate) {
  const CertificateSpec& spec = document.spec;
  const bool is_self_signed = issuer.spec.self_signed.node != nullptr;
  if (const Text* challenge = find_annotation(document, challenge_annotation); challenge != nullptr) {
    diagnostics_.warning(challenge->node->place(), fmt::format("{} has no effect: Issuer {} is not an acme one",
                                                               challenge_annotation, certificate.issuer));
  }
  certificate.challenge = Challenge::automatic;
  if (spec.preferred_chain)
    diagnostics_.warning(spec.preferred_chain.node->place(), "preferredChain has no effect without acme");
  const TimeSpan& duration = spec.duration;
  certificate.duration = is_self_signed ? self_signed_duration : ca_duration;
  if (duration.node != nullptr && duration.value < duration_min) {
    diagnostics_.error(duration.node->place(), "duration must be at least twice the renewal window of 30 days: 1440h");
  } else if (duration.node != nullptr) {
    certificate.duration = duration.value;
  }
  if (const TimeSpan& before = spec.renew_before;
      before.node != nullptr && before.value > *certificate.duration - renew_before_margin)
    diagnostics_.error(before.node->place(), "renewBefore must be shorter than duration, by at least 5m");
  if (!is_self_signed) return;
  if (spec.csr) {
    diagnostics_.error(spec.csr.node->place(), fmt::format("csr is not possible with Issuer {}: a self-signed "
                                                           "certificate is signed with its own key",
                                                           certificate.issuer));
  } else if (!document.gateway.empty()) {
    certificate.is_ca = true;  // there is no annotation for it
  } else if (!certificate.is_ca) {
    diagnostics_.error(document.place(), fmt::format("self signed certificates must set 'spec.isCA: true' (Issuer {})",
                                                     certificate.issuer));
  }
  if (spec.common_name && spec.dns_names.empty() && !certificate.dns_names.empty() && document.gateway.empty()) {
    diagnostics_.info(spec.common_name.node->place(),
                      fmt::format("commonName {} becomes a DNS name of the certificate too: Gardener leaves that out, "
                                  "and clients refuse what has only a commonName",
                                  in_quotes(spec.common_name.value)));
  }
}

void CertificateCompiler::apply_issuer(const CertificateDocument& document, const IssuerDocument& issuer,
                                       Certificate& certificate) {
  if (issuer.spec.acme.node != nullptr) {
    apply_acme(document, issuer, certificate);
  } else {
    apply_own(document, issuer, certificate);
  }
  const SecretReference& ca = issuer.spec.ca.private_key_secret_ref;
  if (ca.name && !certificate.user_secret && secret_key(ca, issuer) == certificate.secret) {
    diagnostics_.error(document.place(),
                       fmt::format("{} writes Secret {}, which is the CA of its own Issuer {}", title_of(document),
                                   certificate.secret.text(), certificate.issuer));
  }
}

void CertificateCompiler::compile_certificate(const CertificateDocument& document, ManagedCertificates& result) {
  Certificate certificate;
  certificate.key = key_of(document);
  certificate.place = document.place();
  certificate.gateway = document.gateway;
  add_names(document, certificate);
  add_wishes(document, certificate);
  add_secret(document, certificate);
  if (const IssuerDocument* issuer = find_issuer(document, certificate); issuer != nullptr)
    apply_issuer(document, *issuer, certificate);
  result.certificates.push_back(std::move(certificate));
}

// --- CertificateRevocations ------------------------------------------------------------------------

void CertificateCompiler::compile_revocation(const RevocationDocument& document, ManagedCertificates& result) {
  const CertificateObjectReference& reference = document.spec.certificate_ref;
  const std::string_view name_space = reference.name_space.value;
  Revocation revocation;
  revocation.key = key_of(document);
  revocation.place = document.place();
  revocation.certificate = {std::string(name_space.empty() ? document.name_space() : name_space),
                            std::string(reference.name.value)};
  revocation.renew = document.spec.renew.value;
  if (document.spec.qualifying_date) revocation.qualifying_date = parse_rfc3339(document.spec.qualifying_date.value);
  const auto found = std::ranges::lower_bound(result.certificates, revocation.certificate, {}, &Certificate::key);
  if (found == result.certificates.end() || found->key != revocation.certificate) {
    revocation.problem = fmt::format("there is no Certificate {}", in_quotes(revocation.certificate.text()));
  }
  if (!revocation.problem.empty() && model_.is_complete) {
    diagnostics_.warning(reference.name.node->place(),
                         fmt::format("{}: {} has no effect", revocation.problem, document.title()));
  } else if (revocation.problem.empty() && found->problem.empty() && !issuers_.at(found->issuer)->spec.acme.node) {
    diagnostics_.warning(reference.name.node->place(),
                         fmt::format("Certificate {} is not of an acme Issuer: {} revokes only what an acme Issuer has "
                                     "issued for it before",
                                     found->key.text(), document.title()));
  }
  result.revocations.push_back(std::move(revocation));
}

ManagedCertificates CertificateCompiler::compile() {
  ManagedCertificates result;
  for (const IssuerDocument& document : model_.issuers) {
    if (!document.is_broken) result.issuers.push_back(compile_issuer(document));
  }
  for (const CertificateDocument& document : model_.certificates) {
    if (!document.is_broken) compile_certificate(document, result);
  }
  std::ranges::sort(result.issuers, {}, &Issuer::key);
  std::ranges::sort(result.certificates, {}, &Certificate::key);
  for (const RevocationDocument& document : model_.revocations) {
    if (!document.is_broken) compile_revocation(document, result);
  }
  std::ranges::sort(result.revocations, {}, &Revocation::key);
  return result;
}

}  // namespace

ManagedCertificates compile_certificates(const Model& model, const SecretStore& secrets, Diagnostics& diagnostics) {
  return CertificateCompiler(model, secrets, diagnostics).compile();
}

}  // namespace sluice::config

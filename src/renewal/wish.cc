#include "renewal/wish.h"

#include "base/wipe.h"
#include "tls/parsed_certificate.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>
#include <variant>

namespace sluice::renewal {

namespace {

using config::AcmeIssuer;

std::string hexadecimal_sha256(std::string_view text) {
  std::string result;
  for (const uint8_t byte : tls::sha256(as_bytes(text))) fmt::format_to(std::back_inserter(result), "{:02x}", byte);
  return result;
}

}  // namespace

certs::KeyType key_type_of(const config::KeyWish& wish) noexcept {
  if (wish.algorithm == config::KeyAlgorithm::ecdsa)
    return wish.bits == 384 ? certs::KeyType::ecdsa_p384 : certs::KeyType::ecdsa_p256;
  if (wish.bits == 4096) return certs::KeyType::rsa_4096;
  return wish.bits == 3072 ? certs::KeyType::rsa_3072 : certs::KeyType::rsa_2048;
}

certs::CertificateWish wish_of(const config::Certificate& certificate) {
  certs::CertificateWish wish;
  wish.common_name = certificate.common_name;
  wish.names = {.dns_names = certificate.dns_names,
                .ip_addresses = certificate.ip_addresses,
                .emails = certificate.email_addresses,
                .uris = certificate.uris};
  wish.key_type = key_type_of(certificate.private_key);
  wish.key_encoding = certificate.private_key.is_pkcs8 ? certs::KeyEncoding::pkcs8 : certs::KeyEncoding::pkcs1;
  wish.is_ca = certificate.is_ca;
  wish.duration = certificate.duration.value_or(Duration{});
  wish.csr_pem = certificate.csr_pem;
  wish.preferred_chain = certificate.preferred_chain;
  return wish;
}

certs::IssuerKind kind_of(const config::Issuer& issuer) noexcept {
  if (std::holds_alternative<config::CaIssuer>(issuer.kind)) return certs::IssuerKind::ca;
  return std::holds_alternative<AcmeIssuer>(issuer.kind) ? certs::IssuerKind::acme : certs::IssuerKind::self_signed;
}

bool is_acme(const config::Issuer* issuer) noexcept {
  return issuer != nullptr && std::holds_alternative<AcmeIssuer>(issuer->kind);
}

std::string fingerprint_of(const config::Issuer& issuer) {
  std::string text;
  const auto add = [&text](std::string_view part) {
    fmt::format_to(std::back_inserter(text), "{}:{}\n", part.size(), part);
  };
  if (const auto* ca = std::get_if<config::CaIssuer>(&issuer.kind)) {
    add(ca->chain_pem);
    add(ca->key_pem.text);
  }
  if (const auto* acme = std::get_if<AcmeIssuer>(&issuer.kind)) {
    add(acme->server);
    add(acme->email);
    add(acme->profile);
    add(acme->may_register ? "registers" : "");
    add(acme->account_key_pem ? acme->account_key_pem->text : "");
    add(acme->external_account ? acme->external_account->key_id : "");
    add(acme->external_account ? acme->external_account->hmac_key.text : "");
    add(acme->ca_pem);
    add(acme->skips_dns_records ? "skips" : "");
    for (const std::string& server : acme->precheck_nameservers) add(server);
    if (const auto* hook = std::get_if<config::DnsHook>(&acme->dns_01)) {
      for (const std::string& word : hook->command) add(word);
      add(std::to_string(hook->timeout.count()));
    }
    if (const auto* update = std::get_if<config::DnsUpdate>(&acme->dns_01)) {
      for (const std::string* part : {&update->nameserver, &update->key_name, &update->algorithm, &update->secret.text})
        add(*part);
    }
  }
  std::string hash = hexadecimal_sha256(text);
  wipe(text);
  return hash;
}

std::vector<std::string> names_of(const certs::Subject& subject) {
  std::vector<std::string> names = subject.names.dns_names;
  names.insert(names.end(), subject.names.ip_addresses.begin(), subject.names.ip_addresses.end());
  return names;
}

std::string fingerprint_of(const config::Certificate& certificate, std::string_view digest,
                           const config::Issuer* issuer) {
  return hexadecimal_sha256(fmt::format("{} {} {} {} {}", digest, issuer == nullptr ? "" : fingerprint_of(*issuer),
                                        config::text_of(certificate.challenge), certificate.preferred_chain,
                                        certificate.secret.text()));
}

}  // namespace sluice::renewal

#include "config/managed_certificates.h"

#include "base/wipe.h"

#include <algorithm>
#include <cstddef>

namespace sluice::config {

KeyText::~KeyText() { wipe(text); }

namespace {

// The domain itself, and all names below it.
bool is_of_domain(std::string_view name, std::string_view domain) noexcept {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name == domain) return true;
  return name.size() > domain.size() && name.ends_with(domain) && name[name.size() - domain.size() - 1] == '.';
}

bool is_of_any(std::string_view name, const std::vector<std::string>& domains) noexcept {
  return std::ranges::any_of(domains, [name](const std::string& domain) { return is_of_domain(name, domain); });
}

}  // namespace

std::string_view DomainSelection::refusal_of(std::string_view name) const noexcept {
  if (is_of_any(name, exclude)) return "excluded by spec.acme.domains of";
  if (!include.empty() && !is_of_any(name, include)) return "not in spec.acme.domains.include of";
  return {};
}

std::string_view text_of(Challenge challenge) noexcept {
  switch (challenge) {
    case Challenge::automatic: return "automatic";
    case Challenge::http_01: return "http-01";
    case Challenge::tls_alpn_01: return "tls-alpn-01";
    case Challenge::dns_01: return "dns-01";
  }
  return "";
}

// RFC 8555 8.4: of the challenges, only dns-01 proves a wildcard.
Challenge challenge_for(const Certificate& certificate, std::string_view name) noexcept {
  return name.starts_with("*.") ? Challenge::dns_01 : certificate.challenge;
}

const Issuer* ManagedCertificates::find_issuer(std::string_view name) const {
  const size_t slash = std::min(name.find('/'), name.size());
  const ObjectKey key{std::string(name.substr(0, slash)), std::string(name.substr(std::min(slash + 1, name.size())))};
  const auto found = std::ranges::lower_bound(issuers, key, {}, &Issuer::key);
  return found == issuers.end() || found->key != key ? nullptr : &*found;
}

}  // namespace sluice::config

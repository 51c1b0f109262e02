#include "config/certificate_names.h"

#include <cstdint>

namespace sluice::config {

// FNV-1a, in the letters that Kubernetes makes names of: none of them form words.
std::string name_suffix(std::string_view text) {
  static constexpr std::string_view letters = "bcdfghjklmnpqrstvwxz2456789";
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  std::string suffix;
  for (int i = 0; i < 5; ++i) {
    suffix += letters[hash % letters.size()];
    hash /= letters.size();
  }
  return suffix;
}

ObjectKey secret_of(const CertificateDocument& certificate) {
  const CertificateSpec& spec = certificate.spec;
  ObjectKey secret{std::string(certificate.name_space()), {}};
  if (!spec.secret_ref.name_space.value.empty()) secret.name_space = spec.secret_ref.name_space.value;
  secret.name = spec.secret_ref.name ? spec.secret_ref.name.value : spec.secret_name.value;
  if (secret.name.empty()) secret.name = std::string(certificate.name()) + "-" + name_suffix(certificate.key());
  return secret;
}

std::string title_of(const CertificateDocument& certificate) {
  if (certificate.gateway.empty()) return certificate.title();
  return "the certificate of Gateway " + certificate.gateway;
}

}  // namespace sluice::config

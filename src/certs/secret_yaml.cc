#include "certs/secret_yaml.h"

#include "base/base64.h"
#include "config/managed_certificates.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <span>

namespace sluice::certs {
namespace {

// JSON's strings are YAML's (YAML 1.2 1.3): nothing in them ends the string, becomes a number or starts a line.
std::string yaml_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// In place: no copy of a key stays behind.
void append_base64(std::string& yaml, std::string_view bytes) {
  const size_t at = yaml.size();
  yaml.resize(at + base64_size(bytes.size()));
  write_base64(as_bytes(bytes), std::span(yaml).subspan(at));
}

}  // namespace

std::string secret_yaml(const SecretDescription& description, const IssuedCertificate& certificate) {
  std::string yaml = fmt::format(
      "apiVersion: v1\n"
      "kind: Secret\n"
      "metadata:\n"
      "  name: {}\n"
      "  namespace: {}\n",
      yaml_string(description.name), yaml_string(description.name_space));
  if (!description.digest.empty())
    yaml += fmt::format("  annotations:\n    {}: {}\n", yaml_string(config::request_digest_annotation),
                        yaml_string(description.digest));
  if (!description.labels.empty()) yaml += "  labels:\n";
  for (const auto& [name, value] : description.labels)
    yaml += fmt::format("    {}: {}\n", yaml_string(name), yaml_string(value));
  yaml += "type: kubernetes.io/tls\ndata:\n";

  const std::pair<std::string_view, std::string_view> entries[] = {
      {"ca.crt", certificate.ca_pem}, {"tls.crt", certificate.chain_pem}, {"tls.key", certificate.key_pem}};
  size_t size = yaml.size();
  for (const auto& [name, bytes] : entries) size += name.size() + base64_size(bytes.size()) + 8;
  yaml.reserve(size);  // never moved from here on
  for (const auto& [name, bytes] : entries) {
    if (bytes.empty() && name == "ca.crt") continue;
    yaml.append("  ").append(name).append(": ");
    if (bytes.empty()) yaml += "\"\"";  // the type wants the field, also where the user has the key
    append_base64(yaml, bytes);
    yaml += '\n';
  }
  return yaml;
}

}  // namespace sluice::certs

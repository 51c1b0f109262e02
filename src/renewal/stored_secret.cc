#include "renewal/stored_secret.h"

#include "base/limits.h"
#include "base/wipe.h"
#include "config/base64.h"
#include "config/managed_certificates.h"
#include "config/yaml_document.h"

#include <optional>
#include <utility>

namespace sluice::renewal {

namespace {

Result<StoredSecret> read_parsed(const config::ParsedFile& file) {
  if (file.documents.size() != 1) return failure("holds no Secret");
  const config::Node* data = file.documents.front().find("data");
  const auto value_of = [data](std::string_view key) -> std::string {
    const config::Node* node = data == nullptr ? nullptr : data->find(key);
    return node == nullptr ? std::string() : config::decode_base64(node->text).value_or(std::string());
  };
  StoredSecret secret;
  secret.certificate.chain_pem = value_of("tls.crt");
  secret.certificate.key_pem = value_of("tls.key");
  secret.certificate.ca_pem = value_of("ca.crt");
  if (secret.certificate.chain_pem.empty()) return failure("holds no tls.crt");
  if (const config::Node* metadata = file.documents.front().find("metadata"); metadata != nullptr) {
    const config::Node* annotations = metadata->find("annotations");
    const config::Node* digest =
        annotations == nullptr ? nullptr : annotations->find(config::request_digest_annotation);
    if (digest != nullptr) secret.digest = digest->text;
  }
  return secret;
}

}  // namespace

Result<StoredSecret> read_stored_secret(std::string_view yaml) {
  config::SourceText source{.name = "Secret", .text = std::string(yaml)};
  config::NodeBudget budget(limits::stored_secret_nodes_max);
  config::Diagnostics diagnostics;
  Result<StoredSecret> secret = read_parsed(config::parse_yaml(source, budget, diagnostics));
  wipe(source.text);
  return secret;
}

}  // namespace sluice::renewal

#include "config/server_credentials.h"

#include "base/limits.h"
#include "config/certificate_names.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::config {

namespace {

using snapshot::ClientCertificates;

constexpr std::string_view closed = "TLS connections to these hosts are closed";
// control/fallback_certificates.h
constexpr std::string_view self_signed = "clients are shown a self-signed certificate";

class ServerCredentials {
 public:
  ServerCredentials(const ServerTls& tls, const Document& owner, Credentials& credentials, Diagnostics& diagnostics)
      : tls_(tls), owner_(owner), credentials_(credentials), diagnostics_(diagnostics) {}

  // False: one of them is missing.
  bool add_key_pairs(snapshot::TlsServer& server);
  bool add_client_ca(snapshot::PeerVerification& verification);
  void add_ticket_keys(snapshot::TlsServer& server);

 private:
  [[nodiscard]] SecretUse use(std::string_view field) const { return {owner_, field, closed, self_signed}; }
  [[nodiscard]] std::vector<std::pair<const Text*, std::string_view>> credential_names() const;
  [[nodiscard]] std::optional<CaBundle> find_ca();
  [[nodiscard]] std::optional<CaBundle> ca_of_files();
  [[nodiscard]] std::optional<CaBundle> ca_of_secrets();

  const ServerTls& tls_;
  const Document& owner_;
  Credentials& credentials_;
  Diagnostics& diagnostics_;
};

std::vector<std::pair<const Text*, std::string_view>> ServerCredentials::credential_names() const {
  std::vector<std::pair<const Text*, std::string_view>> names;
  if (tls_.credential_name) names.emplace_back(&tls_.credential_name, "credentialName");
  for (const Text& name : tls_.credential_names) names.emplace_back(&name, "credentialNames");
  return names;
}

bool ServerCredentials::add_key_pairs(snapshot::TlsServer& server) {
  bool has_all = true;
  const auto add = [&](std::shared_ptr<const snapshot::KeyPair> pair) {
    has_all = has_all && pair != nullptr;
    if (pair != nullptr) server.key_pairs.push_back(std::move(pair));
  };
  for (const auto& [name, field] : credential_names()) {
    const Secret* secret = credentials_.secrets.find(*name, use(field));
    const CertificateDocument* writer = credentials_.secrets.writer_of(*name, use(field));
    if (secret != nullptr && secret->is_issued) {
      server.managed_secrets.push_back({.name = secret->key(), .is_renewed = writer != nullptr});
    } else if (secret == nullptr && writer != nullptr) {
      server.managed_secrets.push_back({.name = secret_of(*writer).text()});
      continue;
    }
    add(secret == nullptr ? nullptr : credentials_.secrets.key_pair(*secret));
  }
  if (tls_.server_certificate) {
    add(credentials_.files.key_pair({tls_.server_certificate, "serverCertificate"}, {tls_.private_key, "privateKey"}));
  }
  for (const TlsCertificate& files : tls_.tls_certificates) {
    add(credentials_.files.key_pair({files.server_certificate, "serverCertificate"},
                                    {files.private_key, "privateKey"}));
  }
  return has_all;
}

bool ServerCredentials::add_client_ca(snapshot::PeerVerification& verification) {
  std::optional<CaBundle> bundle = find_ca();
  if (bundle) {
    verification.ca_pem = std::move(bundle->ca_pem);
    verification.crl_pem = std::move(bundle->crl_pem);
    verification.source_name = std::move(bundle->source_name);
    verification.place = std::move(bundle->place);
  }
  const bool has_list =
      !tls_.ca_crl ||
      credentials_.files.append({tls_.ca_crl, "caCrl"}, limits::revocation_list_bytes_max, verification.crl_pem);
  return bundle.has_value() && has_list;
}

std::optional<CaBundle> ServerCredentials::find_ca() {
  if (tls_.ca_cert_credential_name)
    return credentials_.secrets.ca_named(tls_.ca_cert_credential_name,
                                         {owner_, "caCertCredentialName", closed, closed});
  return tls_.server_certificate || !tls_.tls_certificates.empty() ? ca_of_files() : ca_of_secrets();
}

// Validation has seen to it that there is one.
std::optional<CaBundle> ServerCredentials::ca_of_files() {
  std::vector<const Text*> paths;
  if (tls_.ca_certificates) paths.push_back(&tls_.ca_certificates);
  for (const TlsCertificate& files : tls_.tls_certificates) {
    const Text& path = files.ca_certificates;
    const bool is_known = std::ranges::any_of(paths, [&](const Text* some) { return some->value == path.value; });
    if (path && !is_known) paths.push_back(&path);
  }
  CaBundle bundle;
  for (const Text* path : paths) {
    if (!credentials_.files.append({*path, "caCertificates"}, limits::credential_file_bytes_max, bundle.ca_pem))
      return std::nullopt;
  }
  bundle.source_name = paths.front()->value;
  bundle.place = paths.front()->node->place();
  return bundle;
}

// Of the first Secret that has one.
std::optional<CaBundle> ServerCredentials::ca_of_secrets() {
  bool is_known = true;
  std::string names;
  for (const auto& [name, field] : credential_names()) {
    const CertificateDocument* writer = credentials_.secrets.writer_of(*name, use(field));
    SecretStore& secrets = credentials_.secrets;
    const bool is_managed = writer != nullptr || secrets.is_issued(*name, use(field));
    SecretStore::CredentialCa ca =
        is_managed ? secrets.ca_beside_credential(*name, use(field)) : secrets.ca_of_credential(*name, use(field));
    if (ca.bundle) return std::move(ca.bundle);
    is_known = is_known && ca.is_known;
    names += (names.empty() ? "" : " or ") + in_quotes(name->value);
    if (writer != nullptr && ca.is_known) {
      diagnostics_.error(name->node->place(),
                         fmt::format("tls.mode {} needs CA certificates for client certificates: the ca.crt that {} "
                                     "writes into Secret {} is its issuer's, and not taken; they are wanted in the "
                                     "Secret {}, or by caCertCredentialName",
                                     tls_.mode.value, title_of(*writer), secret_of(*writer).text(),
                                     in_quotes(std::string(name->value) + "-cacert")));
      return std::nullopt;
    }
  }
  if (is_known) {
    diagnostics_.error(tls_.mode.node->place(),
                       fmt::format("tls.mode {} needs CA certificates for client certificates: cacert or ca.crt in the "
                                   "Secret {}, a Secret of that name with -cacert, or caCertCredentialName",
                                   tls_.mode.value, names));
  }
  return std::nullopt;
}

void ServerCredentials::add_ticket_keys(snapshot::TlsServer& server) {
  static constexpr std::string_view annotation = "sluice.io/ticket-key-secret";
  const TextMap& annotations = owner_.metadata.annotations;
  const auto found = std::ranges::find(annotations, annotation, &TextMap::value_type::first);
  if (found == annotations.end()) return;
  server.ticket_keys = credentials_.secrets.ticket_keys(
      found->second,
      {owner_, annotation, "the process makes its own ticket keys, and does not resume sessions of other replicas,"});
}

}  // namespace

void add_server_credentials(snapshot::TlsServer& server, const ServerTls& tls, const Document& owner,
                            Credentials& credentials, Diagnostics& diagnostics) {
  ServerCredentials from(tls, owner, credentials, diagnostics);
  bool has_all = from.add_key_pairs(server);
  if (server.settings.client_certificates != ClientCertificates::none)
    has_all = from.add_client_ca(*server.settings.client_verification) && has_all;
  from.add_ticket_keys(server);
  if (has_all) return;
  server.managed_secrets.clear();
  server.key_pairs.clear();
}

}  // namespace sluice::config

#include "config/validate_tls.h"

#include "config/host_name.h"
#include "config/tls_settings.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::config {

namespace {

constexpr size_t certificates_max = 2;  // of a server: one RSA, one ECDSA

// What has a meaning only where TLS is terminated.
constexpr std::string_view termination_fields[] = {"credentialName",
                                                   "credentialNames",
                                                   "tlsCertificates",
                                                   "serverCertificate",
                                                   "privateKey",
                                                   "caCertificates",
                                                   "caCrl",
                                                   "subjectAltNames",
                                                   "caCertCredentialName",
                                                   "minProtocolVersion",
                                                   "maxProtocolVersion",
                                                   "verifyCertificateSpki",
                                                   "verifyCertificateHash",
                                                   "cipherSuites",
                                                   "ecdhCurves"};

// What has a meaning only where clients show a certificate.
constexpr std::string_view client_certificate_fields[] = {"caCertificates",        "caCrl",
                                                          "caCertCredentialName",  "subjectAltNames",
                                                          "verifyCertificateSpki", "verifyCertificateHash"};

// What has a meaning only where there is TLS to a destination.
constexpr std::string_view client_tls_fields[] = {
    "clientCertificate", "privateKey", "caCertificates",    "caCrl", "credentialName",
    "subjectAltNames",   "sni",        "insecureSkipVerify"};

// What has a meaning only where a certificate is shown to a destination.
constexpr std::string_view client_pair_fields[] = {"clientCertificate", "privateKey"};

bool is_object(const Node* node) noexcept { return node != nullptr && node->kind == Node::Kind::mapping; }

void warn_of_useless(const Node& tls, std::span<const std::string_view> fields, std::string_view why,
                     Diagnostics& diagnostics) {
  for (const std::string_view field : fields) {
    if (tls.has(field))
      diagnostics.warning(tls.find(field)->place(), fmt::format("tls.{} has no effect: {}", field, why));
  }
}

void check_path(const Text& path, std::string_view field, Diagnostics& diagnostics) {
  if (!path || path.value.starts_with('/')) return;
  diagnostics.error(path.node->place(), fmt::format("{}: {} must be the whole path of a file, from \"/\" on", field,
                                                    in_quotes(path.value)));
}

void check_credential_name(const Text& name, std::string_view field, Diagnostics& diagnostics) {
  if (name && name.value.empty())
    diagnostics.error(name.node->place(), fmt::format("{} is empty: it must be the name of a Secret", field));
}

// --- Server ----------------------------------------------------------------------------------------

void check_mode(const Server& server, Diagnostics& diagnostics) {
  const ServerTls& tls = server.tls;
  if (!tls.node->has("mode") && equals_ignoring_case(server.port.protocol.value, "HTTPS")) {
    diagnostics.warning(tls.node->place(),
                        "tls.mode is not given: Istio's default is PASSTHROUGH, which does not terminate TLS; to "
                        "terminate it write mode: SIMPLE");
  }
  if (tls.mode.value == "AUTO_PASSTHROUGH") {
    diagnostics.error(tls.mode.node->place(),
                      "tls.mode AUTO_PASSTHROUGH is not supported: it is for traffic between the clusters of a mesh, "
                      "where SNI names a cluster of Envoy; use PASSTHROUGH with a VirtualService's tls routes");
  }
  if (tls.mode.value == "ISTIO_MUTUAL") {
    diagnostics.error(tls.mode.node->place(),
                      "tls.mode ISTIO_MUTUAL is not supported: it needs a certificate that istiod issues to the mesh's "
                      "workloads, and sluice is none of them; use MUTUAL with certificates of your own");
  }
}

// Several of these, or none, would leave open which certificate is shown.
void check_sources(const ServerTls& tls, Diagnostics& diagnostics) {
  const Node& node = *tls.node;
  std::vector<std::string_view> given;
  for (const std::string_view source : {"credentialName", "credentialNames", "tlsCertificates", "serverCertificate"}) {
    if (node.has(source)) given.push_back(source);
  }
  if (given.empty() && node.has("privateKey")) given.emplace_back("privateKey");
  if (given.empty()) {
    diagnostics.error(node.place(), fmt::format("tls.mode {} needs credentialName, the name of the Secret with "
                                                "certificate and key, or the files serverCertificate and privateKey",
                                                tls.mode.value));
  }
  for (size_t i = 1; i < given.size(); ++i) {
    diagnostics.error(
        node.find(given[i])->place(),
        fmt::format("tls.{} and tls.{} are both there: certificates come from one of them only", given[0], given[i]));
  }
  const bool is_of_secret = node.has("credentialName") || node.has("credentialNames");
  for (const std::string_view file : {"privateKey", "caCertificates"}) {
    const bool is_useless = file == "caCertificates" && tls.mode.value == "SIMPLE";  // a warning
    if (!is_of_secret || !node.has(file) || node.has("serverCertificate") || is_useless) continue;
    diagnostics.error(
        node.find(file)->place(),
        fmt::format("tls.{} is a file, but the certificates come from tls.{}{}", file, given[0],
                    file == "caCertificates" ? ": use caCertCredentialName, or the Secret's ca.crt" : ""));
  }
  if (node.has("serverCertificate") != node.has("privateKey") && !is_of_secret) {
    diagnostics.error(node.place(), "tls.serverCertificate and tls.privateKey are wanted together");
  }
}

template <typename List>
void check_count(const List& list, const ServerTls& tls, std::string_view field, Diagnostics& diagnostics) {
  const bool is_list = tls.node->has(field) && tls.node->find(field)->kind == Node::Kind::list;
  if (!is_list || (!list.empty() && list.size() <= certificates_max)) return;
  diagnostics.error(tls.node->find(field)->place(),
                    fmt::format("tls.{} has {}: one is wanted, or two (one with an RSA key, one with an ECDSA key)",
                                field, list.size()));
}

void check_names_and_paths(const ServerTls& tls, Diagnostics& diagnostics) {
  check_count(tls.credential_names, tls, "credentialNames", diagnostics);
  check_count(tls.tls_certificates, tls, "tlsCertificates", diagnostics);
  check_credential_name(tls.credential_name, "credentialName", diagnostics);
  check_credential_name(tls.ca_cert_credential_name, "caCertCredentialName", diagnostics);
  std::set<std::string_view> names;
  for (const Text& name : tls.credential_names) {
    check_credential_name(name, "credentialNames", diagnostics);
    if (name && !names.insert(name.value).second)
      diagnostics.error(name.node->place(), fmt::format("credentialNames has {} twice", in_quotes(name.value)));
  }
  check_path(tls.server_certificate, "serverCertificate", diagnostics);
  check_path(tls.private_key, "privateKey", diagnostics);
  check_path(tls.ca_certificates, "caCertificates", diagnostics);
  check_path(tls.ca_crl, "caCrl", diagnostics);
  for (const TlsCertificate& files : tls.tls_certificates) {
    check_path(files.server_certificate, "serverCertificate", diagnostics);
    check_path(files.private_key, "privateKey", diagnostics);
    check_path(files.ca_certificates, "caCertificates", diagnostics);
  }
}

// The CA is a file, or is named, or stands in the Secrets, which are not looked into here.
void check_client_ca(const ServerTls& tls, Diagnostics& diagnostics) {
  const auto item =
      std::ranges::find_if(tls.tls_certificates, [](const TlsCertificate& some) { return bool(some.ca_certificates); });
  const Node* file = tls.ca_certificates ? tls.ca_certificates.node : nullptr;
  if (file == nullptr && item != tls.tls_certificates.end()) file = item->ca_certificates.node;
  const bool is_named = tls.node->has("caCertCredentialName");
  if (is_named && file != nullptr) {
    return diagnostics.error(file->place(),
                             "caCertificates and caCertCredentialName are both there: CA certificates come from one of "
                             "them only");
  }
  const bool is_of_files = tls.node->has("serverCertificate") || tls.node->has("tlsCertificates");
  if (is_named || file != nullptr || !is_of_files || tls.node->has("caCertificates")) return;
  diagnostics.error(tls.node->place(), fmt::format("tls.mode {} needs CA certificates for client certificates: "
                                                   "caCertificates or caCertCredentialName",
                                                   tls.mode.value));
}

void check_termination(const ServerTls& tls, Diagnostics& diagnostics) {
  check_sources(tls, diagnostics);
  check_names_and_paths(tls, diagnostics);
  if (tls.mode.value != "SIMPLE") {
    check_client_ca(tls, diagnostics);
  } else {
    warn_of_useless(*tls.node, client_certificate_fields,
                    "clients show no certificate with mode SIMPLE; MUTUAL and OPTIONAL_MUTUAL ask for one",
                    diagnostics);
  }
  (void)tls_settings(tls, diagnostics);
}

}  // namespace

void check_server_tls(const Server& server, Diagnostics& diagnostics) {
  const ServerTls& tls = server.tls;
  const std::string_view protocol = server.port.protocol.value;
  const bool needs_tls = equals_ignoring_case(protocol, "HTTPS") || equals_ignoring_case(protocol, "TLS");
  if (!server.node->has("tls")) {
    if (needs_tls) diagnostics.error(server.node->place(), "server must have TLS settings for HTTPS/TLS protocols");
    return;
  }
  if (!is_object(tls.node)) return;
  if (tls.https_redirect.value) {
    diagnostics.warning(tls.https_redirect.node->place(),
                        "tls.httpsRedirect should only be used with http servers: it has no effect on this one");
  }
  check_mode(server, diagnostics);
  const std::string_view mode = tls.mode.value;
  if (mode == "SIMPLE" || mode == "MUTUAL" || mode == "OPTIONAL_MUTUAL") check_termination(tls, diagnostics);
  if (!tls.node->has("mode") || mode == "PASSTHROUGH") {
    warn_of_useless(*tls.node, termination_fields, "TLS is not terminated with mode PASSTHROUGH", diagnostics);
  }
}

// --- DestinationRule -------------------------------------------------------------------------------

namespace {

void check_client_files(const ClientTls& tls, Diagnostics& diagnostics) {
  check_path(tls.client_certificate, "clientCertificate", diagnostics);
  check_path(tls.private_key, "privateKey", diagnostics);
  check_path(tls.ca_certificates, "caCertificates", diagnostics);
  check_path(tls.ca_crl, "caCrl", diagnostics);
  check_credential_name(tls.credential_name, "credentialName", diagnostics);
  if (tls.node->has("credentialName")) {
    for (const std::string_view file : {"clientCertificate", "privateKey", "caCertificates", "caCrl"}) {
      if (!tls.node->has(file)) continue;
      diagnostics.error(
          tls.node->find(file)->place(),
          fmt::format("tls.{} cannot be there beside tls.credentialName: the Secret has all of them", file));
    }
    return;
  }
  if (tls.mode.value == "MUTUAL") {
    for (const std::string_view file : {"clientCertificate", "privateKey"}) {
      if (tls.node->has(file)) continue;
      diagnostics.error(
          tls.node->place(),
          fmt::format("tls.mode MUTUAL needs {}, or credentialName, the name of a Secret with certificate "
                      "and key",
                      file));
    }
  }
}

void check_skipped_verification(const ClientTls& tls, Diagnostics& diagnostics) {
  if (!tls.insecure_skip_verify.value) return;
  for (const std::string_view field : {"caCertificates", "caCrl", "subjectAltNames"}) {
    if (!tls.node->has(field)) continue;
    diagnostics.error(
        tls.node->find(field)->place(),
        fmt::format("tls.{} cannot be there beside insecureSkipVerify, which accepts every certificate", field));
  }
  if (tls.mode.value == "SIMPLE" && tls.node->has("credentialName")) {
    diagnostics.error(tls.credential_name.node->place(),
                      "tls.credentialName cannot be there beside insecureSkipVerify: with mode SIMPLE only CA "
                      "certificates are taken from it");
  }
}

}  // namespace

void check_client_tls(const ClientTls& tls, Diagnostics& diagnostics) {
  if (!is_object(tls.node)) return;
  const std::string_view mode = tls.mode.value;
  if (mode == "ISTIO_MUTUAL") {
    return diagnostics.error(
        tls.mode.node->place(),
        "tls.mode ISTIO_MUTUAL is not supported: it needs a certificate that istiod issues to the "
        "mesh's workloads, and sluice is none of them; use SIMPLE, or MUTUAL with a certificate of "
        "your own");
  }
  if (!tls.node->has("mode") || mode == "DISABLE") {
    return warn_of_useless(
        *tls.node, client_tls_fields,
        mode.empty() ? "tls.mode is not given, and the default is DISABLE" : "there is no TLS with mode DISABLE",
        diagnostics);
  }
  if (mode != "SIMPLE" && mode != "MUTUAL") return;  // an error already
  check_client_files(tls, diagnostics);
  check_skipped_verification(tls, diagnostics);
  if (mode == "SIMPLE") {
    warn_of_useless(*tls.node, client_pair_fields, "no certificate is shown with mode SIMPLE; MUTUAL shows one",
                    diagnostics);
  }
  if (const Text& sni = tls.sni; sni) {
    std::optional<std::string_view> wrong = wrong_with_host(sni.value);
    if (!wrong && is_wildcard(sni.value)) wrong = "it cannot be a wildcard";
    if (wrong)
      diagnostics.error(sni.node->place(), fmt::format("tls.sni: {} is not a host: {}", in_quotes(sni.value), *wrong));
  }
  (void)subject_alt_names(tls.subject_alt_names, diagnostics);
}

}  // namespace sluice::config

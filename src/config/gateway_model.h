// Gateway (networking.istio.io) as it is written.
#pragma once

#include "config/document.h"

#include <vector>

namespace sluice::config {

struct Port {
  const Node* node = nullptr;
  Number number;
  Text protocol;
  Text name;
  static const ObjectSchema schema;
};

// One certificate of `tlsCertificates`: paths of files.
struct TlsCertificate {
  const Node* node = nullptr;
  Text server_certificate;
  Text private_key;
  Text ca_certificates;
  static const ObjectSchema schema;
};

struct ServerTls {
  const Node* node = nullptr;
  Flag https_redirect;
  Text mode;
  Text credential_name;
  std::vector<Text> credential_names;
  std::vector<TlsCertificate> tls_certificates;
  Text server_certificate;
  Text private_key;
  Text ca_certificates;
  Text ca_crl;
  Text ca_cert_credential_name;
  std::vector<Text> subject_alt_names;
  std::vector<Text> verify_certificate_spki;
  std::vector<Text> verify_certificate_hash;
  std::vector<Text> ecdh_curves;
  Text min_protocol_version;
  Text max_protocol_version;
  std::vector<Text> cipher_suites;
  static const ObjectSchema schema;
};

struct Server {
  const Node* node = nullptr;
  Port port;
  Text bind;
  std::vector<Text> hosts;
  ServerTls tls;
  static const ObjectSchema schema;
};

struct GatewaySpec {
  const Node* node = nullptr;
  TextMap selector;
  std::vector<Server> servers;
  static const ObjectSchema schema;
};

struct Gateway : Document {
  GatewaySpec spec;
  static const ObjectSchema schema;
};

}  // namespace sluice::config

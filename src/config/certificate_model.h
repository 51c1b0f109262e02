// Kinds of cert.gardener.cloud as they are written.
#pragma once

#include "config/document.h"

#include <string>
#include <vector>

namespace sluice::config {

struct SecretReference {
  const Node* node = nullptr;
  Text name;
  Text name_space;
  static const ObjectSchema schema;
};

// Of an Issuer, or of a Certificate.
struct CertificateObjectReference {
  const Node* node = nullptr;
  Text name;
  Text name_space;
  static const ObjectSchema schema;
};

struct ExternalAccountBinding {
  const Node* node = nullptr;
  Text key_id;
  SecretReference key_secret_ref;
  static const ObjectSchema schema;
};

struct IssuerDomains {
  const Node* node = nullptr;
  std::vector<Text> include;
  std::vector<Text> exclude;
  static const ObjectSchema schema;
};

struct DnsHookSpec {
  const Node* node = nullptr;
  std::vector<Text> command;
  TimeSpan timeout;
  static const ObjectSchema schema;
};

// One value of a Secret.
struct SecretKeyReference {
  const Node* node = nullptr;
  Text name;
  Text key;
  static const ObjectSchema schema;
};

struct DnsUpdateSpec {
  const Node* node = nullptr;
  Text nameserver;
  Text tsig_key_name;
  Text tsig_algorithm;
  SecretKeyReference tsig_secret;
  static const ObjectSchema schema;
};

struct Dns01Spec {
  const Node* node = nullptr;
  DnsHookSpec hook;
  DnsUpdateSpec rfc2136;
  static const ObjectSchema schema;
};

struct AcmeSpec {
  const Node* node = nullptr;
  Text server;
  Text email;
  Flag auto_registration;
  SecretReference private_key_secret_ref;
  ExternalAccountBinding external_account_binding;
  Flag skip_dns_challenge_validation;
  IssuerDomains domains;
  std::vector<Text> precheck_nameservers;
  Text ca_bundle;  // base64
  Text profile;
  Dns01Spec dns01;
  static const ObjectSchema schema;
};

struct CaSpec {
  const Node* node = nullptr;
  SecretReference private_key_secret_ref;
  static const ObjectSchema schema;
};

struct SelfSignedSpec {
  const Node* node = nullptr;
  static const ObjectSchema schema;
};

struct IssuerSpec {
  const Node* node = nullptr;
  AcmeSpec acme;
  CaSpec ca;
  SelfSignedSpec self_signed;
  Number requests_per_day_quota;
  static const ObjectSchema schema;
};

struct IssuerDocument : Document {
  IssuerSpec spec;
  static const ObjectSchema schema;
};

struct CertificatePrivateKey {
  const Node* node = nullptr;
  Text algorithm;
  Number size;
  Text encoding;
  static const ObjectSchema schema;
};

struct CertificateSpec {
  const Node* node = nullptr;
  Text common_name;
  std::vector<Text> dns_names;
  std::vector<Text> email_addresses;
  std::vector<Text> ip_addresses;
  std::vector<Text> uris;
  Text csr;  // base64
  CertificateObjectReference issuer_ref;
  Text secret_name;
  SecretReference secret_ref;
  TextMap secret_labels;
  Flag renew;
  TimeSpan renew_before;
  Text ensure_renewed_after;
  Text preferred_chain;
  CertificatePrivateKey private_key;
  Flag is_ca;
  TimeSpan duration;
  static const ObjectSchema schema;
};

struct CertificateDocument : Document {
  CertificateSpec spec;
  std::string gateway;  // "namespace/name": its annotations ask for it (gateway_certificates.h); empty: a document does
  static const ObjectSchema schema;
};

struct RevocationSpec {
  const Node* node = nullptr;
  CertificateObjectReference certificate_ref;
  Flag renew;
  Text qualifying_date;
  static const ObjectSchema schema;
};

struct RevocationDocument : Document {
  RevocationSpec spec;
  static const ObjectSchema schema;
};

}  // namespace sluice::config

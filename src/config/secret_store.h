// Which Secret (or ConfigMap) a document means, and what is in it.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"
#include "snapshot/snapshot.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace sluice::config {

// CA certificates and revocation lists, PEM.
struct CaBundle {
  std::string ca_pem;
  std::string crl_pem;  // empty: none
  std::string source_name;
  SourcePlace place;
};

// Where a Secret's name was written.
struct SecretUse {
  const Document& document;      // its namespace is the second place to look
  std::string_view field;        // "credentialName"
  std::string_view consequence;  // "requests get 503": as long as there is no such Secret
  std::string_view meanwhile;    // the same while a Certificate that writes it has not been obtained
};

class SecretStore {
 public:
  SecretStore(const Model& model, Diagnostics& diagnostics);

  // Secrets are of the gateway's namespace, whatever the document's is; one in the document's namespace is
  // used with a warning. Null, and a warning, when there is none, and null when it is broken.
  [[nodiscard]] const Secret* find(const Text& name, const SecretUse& use);

  // Chain, key and OCSP staple. Null when the Secret has no pair (an error).
  [[nodiscard]] std::shared_ptr<const snapshot::KeyPair> key_pair(const Secret& secret);

  // Whether sluice has obtained it, for whatever Certificate: its ca.crt is then who has issued it.
  [[nodiscard]] bool is_issued(const Text& name, const SecretUse& use);

  // The CA that goes with a credential: of the Secret `<name>-cacert`, else of the Secret itself. Nothing
  // when neither has one; an error when `<name>-cacert` is there without. `is_known` is false when a
  // missing or broken Secret leaves it open.
  struct CredentialCa {
    std::optional<CaBundle> bundle;
    bool is_known = true;
  };
  [[nodiscard]] CredentialCa ca_of_credential(const Text& name, const SecretUse& use);
  // The same for a Secret that a Certificate writes: of `<name>-cacert` alone. Its own ca.crt is whoever has issued
  // it: with that, everybody who has a certificate of the same authority would be let in.
  [[nodiscard]] CredentialCa ca_beside_credential(const Text& name, const SecretUse& use);

  // The Certificate that writes the Secret which this name means, whether it has been obtained or not; null: none, or
  // the user has given that Secret.
  [[nodiscard]] const CertificateDocument* writer_of(const Text& name, const SecretUse& use) const;
  [[nodiscard]] const CertificateDocument* writer_of(std::string_view key) const;  // "namespace/name"

  // By "namespace/name" alone, broken or not. Null: there is none.
  [[nodiscard]] const Secret* find_exactly(std::string_view key) const;
  // The bytes of one of its values. The caller wipes them.
  [[nodiscard]] static std::optional<std::string> value(const Secret& secret, std::string_view key);

  // The CA of the Secret or ConfigMap with this name, or nothing: it is missing (a warning), broken, or has
  // no CA (an error).
  [[nodiscard]] std::optional<CaBundle> ca_named(const Text& name, const SecretUse& use);

  // Null when it is missing (a warning), broken, or has no such keys (an error).
  [[nodiscard]] std::shared_ptr<const snapshot::TicketKeys> ticket_keys(const Text& name, const SecretUse& use);

  // One line for the ConfigMaps that nothing asked for.
  void report_unused_config_maps();

 private:
  // Without the warning that there is none.
  [[nodiscard]] const Secret* look_up(const std::string& name, const SourcePlace& place, const SecretUse& use);
  [[nodiscard]] const ConfigMap* look_up_config_map(const std::string& name, const SecretUse& use);
  [[nodiscard]] const CertificateDocument* find_writer(std::string_view name, const SecretUse& use) const;
  void warn_of_missing(std::string_view what, const std::string& name, const SourcePlace& place, const SecretUse& use);
  [[nodiscard]] std::shared_ptr<const snapshot::KeyPair> read_pair(const Secret& secret);
  [[nodiscard]] std::string read_staple(const Secret& secret);
  [[nodiscard]] std::shared_ptr<const snapshot::TicketKeys> read_ticket_keys(const Secret& secret);

  const Model& model_;
  Diagnostics& diagnostics_;
  std::map<std::string, const Secret*, std::less<>> secrets_;  // by namespace/name
  std::map<std::string, const ConfigMap*, std::less<>> config_maps_;
  std::map<std::string, const CertificateDocument*, std::less<>> writers_;  // by the keys of their Secrets
  std::map<const Secret*, std::shared_ptr<const snapshot::KeyPair>> pairs_;
  std::map<const Secret*, std::shared_ptr<const snapshot::TicketKeys>> ticket_keys_;
  std::set<const ConfigMap*> used_config_maps_;
  std::set<std::string> said_beside_;  // places and Secrets that were warned about
};

}  // namespace sluice::config

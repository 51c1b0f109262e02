#include "config/secret_store.h"

#include "base/limits.h"
#include "base/wipe.h"
#include "config/base64.h"
#include "config/certificate_names.h"
#include "config/mesh_config.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace sluice::config {

namespace {

constexpr size_t named_keys_max = 12;  // of a Secret, in a message
constexpr size_t ticket_key_sizes[] = {48, 80};

struct Value {
  std::string bytes;
  SourcePlace place;
};

// One key, if it is there.
std::optional<Value> value_of(const TextMap& texts, const TextMap& base64, std::string_view key) {
  const auto find = [&](const TextMap& map) { return std::ranges::find(map, key, &TextMap::value_type::first); };
  if (const auto text = find(texts); text != texts.end())
    return Value{std::string(text->second.value), text->second.node->place()};
  if (const auto data = find(base64); data != base64.end())
    return Value{decode_base64(data->second.value).value_or(""), data->second.node->place()};
  return std::nullopt;
}

std::optional<Value> value_of(const Secret& secret, std::string_view key) {
  return value_of(secret.string_data, secret.data, key);
}

std::optional<Value> value_of(const ConfigMap& map, std::string_view key) {
  return value_of(map.data, map.binary_data, key);
}

std::string names_of_keys(const TextMap& some, const TextMap& others) {
  std::set<std::string_view> names;
  for (const TextMap* map : {&some, &others}) {
    for (const auto& [name, value] : *map) names.insert(name);
  }
  std::string result;
  size_t count = 0;
  for (const std::string_view name : names) {
    if (count == named_keys_max) return result + ", ...";
    const std::string text = in_quotes(name);
    result += (count++ == 0 ? "" : ", ") + text.substr(1, text.size() - 2);
  }
  return result.empty() ? "nothing" : result;
}

std::string names_of_keys(const Secret& secret) { return names_of_keys(secret.data, secret.string_data); }
std::string names_of_keys(const ConfigMap& map) { return names_of_keys(map.data, map.binary_data); }

// The first of the keys that is there and not empty, as in Istio.
template <typename Source>
std::optional<std::string> first_of(const Source& source, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    std::optional<Value> value = value_of(source, key);
    if (value && !value->bytes.empty()) return std::move(value->bytes);
  }
  return std::nullopt;
}

template <typename Source>
std::optional<CaBundle> read_ca(const Source& source) {
  std::optional<std::string> ca = first_of(source, {"cacert", "ca.crt"});
  if (!ca) return std::nullopt;
  return CaBundle{std::move(*ca), first_of(source, {"crl", "ca.crl"}).value_or(""), source.key(), source.place()};
}

std::string_view without_spaces(std::string_view text) noexcept {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

// DER of anything that is a SEQUENCE.
bool is_der(std::string_view bytes) noexcept { return bytes.starts_with('\x30'); }

bool is_ticket_key(std::string_view bytes) noexcept {
  return std::ranges::find(ticket_key_sizes, bytes.size()) != std::end(ticket_key_sizes);
}

// The bytes of a ticket key, or nothing: as they are, or as base64, which is how stringData can have them.
bool decode_ticket_key(std::string& bytes) {
  if (is_ticket_key(bytes)) return true;
  std::optional<std::string> decoded = decode_base64(without_spaces(bytes));
  wipe(bytes);
  if (!decoded) return false;
  bytes = std::move(*decoded);
  return is_ticket_key(bytes);
}

}  // namespace

SecretStore::SecretStore(const Model& model, Diagnostics& diagnostics) : model_(model), diagnostics_(diagnostics) {
  for (const Secret& secret : model.secrets) secrets_.emplace(secret.key(), &secret);
  for (const ConfigMap& map : model.config_maps) config_maps_.emplace(map.key(), &map);
  for (const CertificateDocument& certificate : model.certificates) {
    const std::string key = secret_of(certificate).text();
    const Secret* given = find_exactly(key);
    if (given == nullptr || given->is_issued) writers_.emplace(key, &certificate);
  }
}

// --- Finding ---------------------------------------------------------------------------------------

const Secret* SecretStore::find(const Text& name, const SecretUse& use) {
  const std::string wanted(name.value);
  const Secret* secret = look_up(wanted, name.node->place(), use);
  if (secret == nullptr) warn_of_missing("Secret", wanted, name.node->place(), use);
  return secret == nullptr || secret->is_broken ? nullptr : secret;
}

namespace {

// Istio takes "namespace/name" too, for the namespace that the gateway is in.
std::string_view without_gateway_namespace(std::string_view name) {
  const size_t slash = name.find('/');
  const bool is_of_gateway = slash != std::string_view::npos && name.substr(0, slash) == gateway_namespace;
  return is_of_gateway ? name.substr(slash + 1) : name;
}

std::string key_in_gateway_namespace(std::string_view name) {
  return fmt::format("{}/{}", gateway_namespace, without_gateway_namespace(name));
}

}  // namespace

void SecretStore::warn_of_missing(std::string_view what, const std::string& name, const SourcePlace& place,
                                  const SecretUse& use) {
  if (without_gateway_namespace(name).contains('/')) {
    return diagnostics_.error(
        place, fmt::format("{} {}: Secrets are of the namespace {}", use.field, in_quotes(name), gateway_namespace));
  }
  if (!model_.is_complete) return;
  if (const CertificateDocument* writer = find_writer(name, use); writer != nullptr) {
    return diagnostics_.warning(place, fmt::format("Secret {} is not obtained yet: {} until {} ({}) has it",
                                                   in_quotes(secret_of(*writer).text()), use.meanwhile,
                                                   title_of(*writer), writer->place().to_string()));
  }
  diagnostics_.warning(place, fmt::format("there is no {} {}: {} until it is there", what,
                                          in_quotes(key_in_gateway_namespace(name)), use.consequence));
}

const Secret* SecretStore::look_up(const std::string& name, const SourcePlace& place, const SecretUse& use) {
  const std::string wanted = key_in_gateway_namespace(name);
  if (const auto found = secrets_.find(wanted); found != secrets_.end()) return found->second;
  const std::string beside = fmt::format("{}/{}", use.document.name_space(), name);
  const auto found = secrets_.find(beside);
  if (found == secrets_.end()) return nullptr;
  if (!said_beside_.insert(fmt::format("{} {}", place.to_string(), beside)).second) return found->second;
  diagnostics_.warning(place, fmt::format("there is no Secret {}; {} is used, which Istio would not find: it reads "
                                          "Secrets of the gateway's namespace only",
                                          in_quotes(wanted), in_quotes(beside)));
  return found->second;
}

const Secret* SecretStore::find_exactly(std::string_view key) const {
  const auto found = secrets_.find(key);
  return found == secrets_.end() ? nullptr : found->second;
}

std::optional<std::string> SecretStore::value(const Secret& secret, std::string_view key) {
  std::optional<Value> found = value_of(secret, key);
  if (!found) return std::nullopt;
  return std::move(found->bytes);
}

const CertificateDocument* SecretStore::writer_of(std::string_view key) const {
  const auto found = writers_.find(key);
  return found == writers_.end() ? nullptr : found->second;
}

// In the order of look_up(): a Secret of the user's in the gateway's namespace comes before one beside the document.
const CertificateDocument* SecretStore::find_writer(std::string_view name, const SecretUse& use) const {
  const std::string wanted = key_in_gateway_namespace(name);
  if (const CertificateDocument* writer = writer_of(wanted)) return writer;
  if (secrets_.contains(wanted)) return nullptr;
  return writer_of(fmt::format("{}/{}", use.document.name_space(), name));
}

const CertificateDocument* SecretStore::writer_of(const Text& name, const SecretUse& use) const {
  return find_writer(name.value, use);
}

const ConfigMap* SecretStore::look_up_config_map(const std::string& name, const SecretUse& use) {
  for (const std::string& key :
       {key_in_gateway_namespace(name), fmt::format("{}/{}", use.document.name_space(), name)}) {
    const auto found = config_maps_.find(key);
    if (found == config_maps_.end()) continue;
    used_config_maps_.insert(found->second);
    return found->second;
  }
  return nullptr;
}

void SecretStore::report_unused_config_maps() {
  const ConfigMap* first = nullptr;
  size_t count = 0;
  for (const ConfigMap& map : model_.config_maps) {
    if (map.is_broken || used_config_maps_.contains(&map) || is_mesh_config_map(map)) continue;
    if (first == nullptr) first = &map;
    ++count;
  }
  if (first == nullptr) return;
  const std::string others = count == 1 ? "" : fmt::format(" ({} ConfigMaps, this is the first)", count);
  diagnostics_.info(first->place(),
                    fmt::format("{} is not used: sluice takes only CA certificates from ConfigMaps, "
                                "those that caCertCredentialName names, and MeshConfig, from {}/istio{}",
                                first->title(), gateway_namespace, others));
}

// --- Certificates ----------------------------------------------------------------------------------

std::shared_ptr<const snapshot::KeyPair> SecretStore::key_pair(const Secret& secret) {
  const auto [pair, is_new] = pairs_.try_emplace(&secret);
  if (is_new) pair->second = read_pair(secret);
  return pair->second;
}

// The first pair that is there and not empty, as in Istio.
std::shared_ptr<const snapshot::KeyPair> SecretStore::read_pair(const Secret& secret) {
  static constexpr std::pair<std::string_view, std::string_view> names[] = {{"cert", "key"}, {"tls.crt", "tls.key"}};
  std::optional<Diagnostic> emptiness;
  for (const auto& [chain_name, key_name] : names) {
    std::optional<Value> chain = value_of(secret, chain_name);
    std::optional<Value> key = value_of(secret, key_name);
    if (!chain || !key) continue;
    if (chain->bytes.empty() || key->bytes.empty()) {
      const bool is_chain = chain->bytes.empty();
      emptiness = {Severity::error, is_chain ? chain->place : key->place,
                   fmt::format("{} of secret {} is empty: it must hold {} in PEM", is_chain ? chain_name : key_name,
                               secret.key(), is_chain ? "the certificate and its chain" : "the private key")};
      continue;
    }
    auto pair = std::make_shared<snapshot::KeyPair>();
    pair->chain_pem = std::move(chain->bytes);
    pair->key_pem = std::move(key->bytes);
    pair->ocsp_staple = read_staple(secret);
    pair->secret_name = secret.key();
    pair->place = secret.place();
    pair->chain_name = chain_name;
    pair->key_name = key_name;
    pair->is_managed = secret.is_issued;
    return pair;
  }
  if (secret.is_issued) {
    diagnostics_.warning(secret.place(), fmt::format("Secret {} has no key, and cannot serve: that of a Certificate "
                                                     "with csr is where the request was made",
                                                     secret.key()));
    return nullptr;
  }
  if (emptiness) {
    diagnostics_.error(emptiness->place, emptiness->message);
    return nullptr;
  }
  diagnostics_.error(secret.place(), fmt::format("found secret {} but didn't have expected keys (cert and key) or "
                                                 "(tls.crt and tls.key); found: {}",
                                                 secret.key(), names_of_keys(secret)));
  return nullptr;
}

std::string SecretStore::read_staple(const Secret& secret) {
  std::optional<Value> staple = value_of(secret, "tls.ocsp-staple");
  if (!staple || staple->bytes.empty()) return {};
  if (!is_der(staple->bytes)) staple->bytes = decode_base64(without_spaces(staple->bytes)).value_or("");
  if (!is_der(staple->bytes)) {
    diagnostics_.error(staple->place, fmt::format("tls.ocsp-staple of secret {} is not an OCSP response: DER is wanted "
                                                  "(what 'openssl ocsp -respout' writes), or its base64",
                                                  secret.key()));
    return {};
  }
  if (staple->bytes.size() > limits::ocsp_staple_bytes_max) {
    diagnostics_.error(staple->place,
                       fmt::format("tls.ocsp-staple of secret {} has {} bytes; every handshake carries it, and at most "
                                   "{} are taken",
                                   secret.key(), staple->bytes.size(), limits::ocsp_staple_bytes_max));
    return {};
  }
  return std::move(staple->bytes);
}

SecretStore::CredentialCa SecretStore::ca_of_credential(const Text& name, const SecretUse& use) {
  const SourcePlace place = name.node->place();
  const Secret* own = look_up(std::string(name.value), place, use);
  const Secret* of_ca = look_up(std::string(name.value) + "-cacert", place, use);
  const bool own_is_usable = own != nullptr && !own->is_broken;
  if (of_ca == nullptr) {
    if (!own_is_usable) return {std::nullopt, false};
    return {read_ca(*own), true};
  }
  if (of_ca->is_broken) return {std::nullopt, false};
  CredentialCa result{read_ca(*of_ca), true};
  if (!result.bundle) {
    diagnostics_.error(of_ca->place(), fmt::format("found secret {} but didn't have expected keys cacert or ca.crt; "
                                                   "found: {}",
                                                   of_ca->key(), names_of_keys(*of_ca)));
    return {std::nullopt, false};
  }
  if (result.bundle->crl_pem.empty() && own_is_usable)
    result.bundle->crl_pem = first_of(*own, {"crl", "ca.crl"}).value_or("");
  return result;
}

bool SecretStore::is_issued(const Text& name, const SecretUse& use) {
  const Secret* secret = look_up(std::string(name.value), name.node->place(), use);
  return secret != nullptr && secret->is_issued;
}

SecretStore::CredentialCa SecretStore::ca_beside_credential(const Text& name, const SecretUse& use) {
  const Secret* of_ca = look_up(std::string(name.value) + "-cacert", name.node->place(), use);
  if (of_ca == nullptr) return {std::nullopt, model_.is_complete};
  return ca_of_credential(name, use);  // which takes this one
}

std::optional<CaBundle> SecretStore::ca_named(const Text& name, const SecretUse& use) {
  const std::string wanted(name.value);
  const auto read = [&](const auto& source, std::string_view what) -> std::optional<CaBundle> {
    if (source.is_broken) return std::nullopt;
    std::optional<CaBundle> bundle = read_ca(source);
    if (!bundle) {
      diagnostics_.error(source.place(), fmt::format("found {} {} but didn't have expected keys cacert or ca.crt; "
                                                     "found: {}",
                                                     what, source.key(), names_of_keys(source)));
    }
    return bundle;
  };
  if (const Secret* secret = look_up(wanted, name.node->place(), use)) return read(*secret, "secret");
  if (const ConfigMap* map = look_up_config_map(wanted, use)) return read(*map, "configmap");
  warn_of_missing("Secret or ConfigMap", wanted, name.node->place(), use);
  return std::nullopt;
}

// --- Session tickets -------------------------------------------------------------------------------

std::shared_ptr<const snapshot::TicketKeys> SecretStore::ticket_keys(const Text& name, const SecretUse& use) {
  const Secret* secret = find(name, use);
  if (secret == nullptr) return nullptr;
  const auto [keys, is_new] = ticket_keys_.try_emplace(secret);
  if (is_new) keys->second = read_ticket_keys(*secret);
  return keys->second;
}

std::shared_ptr<const snapshot::TicketKeys> SecretStore::read_ticket_keys(const Secret& secret) {
  auto keys = std::make_shared<snapshot::TicketKeys>();
  keys->secret_name = secret.key();
  keys->place = secret.place();
  const std::pair<std::string_view, std::string*> wanted[] = {{"current", &keys->current},
                                                              {"previous", &keys->previous}};
  bool is_good = true;
  for (const auto& [name, key] : wanted) {
    std::optional<Value> value = value_of(secret, name);
    if (!value) continue;
    *key = std::move(value->bytes);
    if (decode_ticket_key(*key)) continue;
    diagnostics_.error(value->place,
                       fmt::format("{} of secret {} is not a session ticket key: 48 or 80 random bytes are wanted "
                                   "('openssl rand -base64 80'), it has {}",
                                   name, secret.key(), key->size()));
    is_good = false;
  }
  if (is_good && keys->current.empty()) {
    diagnostics_.error(secret.place(), fmt::format("found secret {} but didn't have the expected key current, and "
                                                   "optionally previous; found: {}",
                                                   secret.key(), names_of_keys(secret)));
    is_good = false;
  }
  return is_good ? keys : nullptr;
}

}  // namespace sluice::config

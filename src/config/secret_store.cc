#include "config/secret_store.h"

#include "config/base64.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

namespace sluice::config {

namespace {

constexpr size_t named_keys_max = 12;  // of a Secret, in a message

struct Value {
  std::string bytes;
  SourcePlace place;
};

// One key of the Secret, if it is there.
std::optional<Value> value_of(const Secret& secret, std::string_view key) {
  const auto find = [&](const TextMap& map) { return std::ranges::find(map, key, &TextMap::value_type::first); };
  if (const auto text = find(secret.string_data); text != secret.string_data.end())
    return Value{std::string(text->second.value), text->second.node->place()};
  if (const auto data = find(secret.data); data != secret.data.end())
    return Value{decode_base64(data->second.value).value_or(""), data->second.node->place()};
  return std::nullopt;
}

std::string names_of_keys(const Secret& secret) {
  std::set<std::string_view> names;
  for (const TextMap* map : {&secret.data, &secret.string_data}) {
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

}  // namespace

SecretStore::SecretStore(const Model& model, Diagnostics& diagnostics)
    : diagnostics_(diagnostics), all_are_known_(model.is_complete) {
  for (const Secret& secret : model.secrets) secrets_.emplace(secret.key(), &secret);
}

std::shared_ptr<const snapshot::KeyPair> SecretStore::key_pair(const Text& credential_name, const Gateway& gateway) {
  const Secret* secret = find(credential_name, gateway);
  if (secret == nullptr || secret->is_broken) return nullptr;
  const auto [pair, is_new] = pairs_.try_emplace(secret);
  if (is_new) pair->second = read_pair(*secret);
  return pair->second;
}

const Secret* SecretStore::find(const Text& credential_name, const Gateway& gateway) {
  // Istio takes "namespace/name" too, for the namespace that the gateway is in.
  std::string_view name = credential_name.value;
  const std::string prefix = fmt::format("{}/", gateway_namespace);
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  if (name.contains('/')) {
    diagnostics_.error(credential_name.node->place(), fmt::format("credentialName {}: Secrets are of the namespace {}",
                                                                  in_quotes(credential_name.value), gateway_namespace));
    return nullptr;
  }
  const std::string wanted = fmt::format("{}/{}", gateway_namespace, name);
  if (const auto found = secrets_.find(wanted); found != secrets_.end()) return found->second;
  const std::string beside = fmt::format("{}/{}", gateway.name_space(), name);
  if (const auto found = secrets_.find(beside); found != secrets_.end()) {
    diagnostics_.warning(credential_name.node->place(),
                         fmt::format("there is no Secret {}; {} is used, which Istio would not find: it reads Secrets "
                                     "of the gateway's namespace only",
                                     in_quotes(wanted), in_quotes(beside)));
    return found->second;
  }
  if (all_are_known_) {
    diagnostics_.warning(
        credential_name.node->place(),
        fmt::format("there is no Secret {}: TLS connections to these hosts are closed until it is there",
                    in_quotes(wanted)));
  }
  return nullptr;
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
    pair->secret_name = secret.key();
    pair->place = secret.place();
    return pair;
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

}  // namespace sluice::config

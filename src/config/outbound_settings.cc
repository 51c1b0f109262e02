#include "config/outbound_settings.h"

#include "base/address_range.h"
#include "base/limits.h"
#include "base/wipe.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::config {

namespace {

constexpr std::string_view annotation_prefix = "sluice.io/";
constexpr std::string_view bind_annotation = "sluice.io/proxy-bind";
constexpr std::string_view certificate_annotation = "sluice.io/proxy-credential-name";
constexpr std::string_view tls_mode_annotation = "sluice.io/proxy-tls-mode";
constexpr std::string_view credentials_annotation = "sluice.io/proxy-credentials";
constexpr std::string_view agreement_annotation = "sluice.io/host-agreement";
// As of a Gateway (server_credentials.h).
constexpr std::string_view ticket_annotation = "sluice.io/ticket-key-secret";
constexpr std::string_view known_annotations[] = {bind_annotation,        certificate_annotation, tls_mode_annotation,
                                                  credentials_annotation, agreement_annotation,   ticket_annotation};
// Those that are of the explicit proxy alone.
constexpr std::string_view proxy_annotations[] = {bind_annotation, certificate_annotation, tls_mode_annotation,
                                                  credentials_annotation};

constexpr std::string_view tls_modes[] = {"SIMPLE", "OPTIONAL_MUTUAL", "MUTUAL"};
constexpr std::string_view agreements[] = {"warn", "enforce", "off"};

bool is_loopback(const SocketAddress& address) {
  static const AddressRange ipv4 = AddressRange::parse("127.0.0.0/8").value();
  static const AddressRange ipv6 = AddressRange::parse("::1").value();
  return ipv4.contains(address) || ipv6.contains(address);
}

std::string_view without_spaces(std::string_view text) noexcept {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

class SettingsReader {
 public:
  SettingsReader(const Model& model, Credentials& credentials, Diagnostics& diagnostics)
      : mesh_(model.mesh), credentials_(credentials), diagnostics_(diagnostics) {}

  std::optional<OutboundSettings> read();

 private:
  [[nodiscard]] Text annotation(std::string_view name) const;
  void check_names();
  void read_policy();
  void read_redirected();
  void read_proxy();
  void read_addresses(uint16_t port);
  void read_proxy_tls();
  void read_users();
  void read_agreement();
  void warn_of_open_proxy();
  void error(const Text& at, std::string message) { diagnostics_.error(at.node->place(), std::move(message)); }

  const MeshConfig& mesh_;
  Credentials& credentials_;
  Diagnostics& diagnostics_;
  OutboundSettings settings_;
};

std::optional<OutboundSettings> SettingsReader::read() {
  if (mesh_.map == nullptr) return std::nullopt;
  settings_.document = mesh_.map;
  check_names();
  read_agreement();
  read_policy();
  read_redirected();
  read_proxy();
  if (settings_.proxy_node == nullptr && settings_.redirected_node == nullptr) return std::nullopt;
  return std::move(settings_);
}

Text SettingsReader::annotation(std::string_view name) const {
  const TextMap& annotations = mesh_.map->metadata.annotations;
  const auto found = std::ranges::find(annotations, name, &TextMap::value_type::first);
  return found == annotations.end() ? Text() : found->second;
}

// One that is misspelt would leave a proxy open.
void SettingsReader::check_names() {
  for (const auto& [name, text] : mesh_.map->metadata.annotations) {
    if (!name.starts_with(annotation_prefix) ||
        std::ranges::find(known_annotations, name) != std::end(known_annotations))
      continue;
    diagnostics_.error(text.node->place(), fmt::format("unknown annotation {}", in_quotes(name)),
                       hint(name, known_annotations));
  }
}

void SettingsReader::read_policy() {
  const Text& mode = mesh_.outbound_traffic_policy.mode;
  settings_.policy_node = mode ? mode.node : mesh_.node;
  settings_.registry_only = mode.value == "REGISTRY_ONLY";
  if (mode.value == "ALLOW_ANY_DYNAMIC_DNS" && mesh_.proxy_listen_port.value != 0) {
    error(mode,
          "outboundTrafficPolicy.mode ALLOW_ANY_DYNAMIC_DNS is not supported beside proxyListenPort: connections that "
          "are redirected go to the address that the client has chosen; write ALLOW_ANY");
  }
  const TimeSpan& detection = mesh_.protocol_detection_timeout;
  settings_.detection_time = detection.node == nullptr ? limits::protocol_detection_time : detection.value;
  if (detection.node != nullptr && detection.value <= Duration::zero())
    diagnostics_.error(detection.node->place(), "protocolDetectionTimeout must be longer than 0s");
}

void SettingsReader::read_redirected() {
  const Number& port = mesh_.proxy_listen_port;
  if (port.value == 0) return;
  settings_.redirected_node = port.node;
  settings_.redirected_port = static_cast<uint16_t>(port.value);
  const Text& mode = mesh_.default_config.interception_mode;
  settings_.is_transparent = mode.value == "TPROXY";
  if (mode.value == "NONE") {
    error(mode,
          "interceptionMode NONE and proxyListenPort exclude each other: without a firewall that redirects connections "
          "nothing tells where they were to go; leave proxyListenPort out, proxyHttpPort needs no firewall");
  }
  if (mesh_.proxy_http_port.value == port.value)
    diagnostics_.error(port.node->place(), "proxyListenPort and proxyHttpPort are the same port");
}

void SettingsReader::read_proxy() {
  const Number& port = mesh_.proxy_http_port;
  if (port.value == 0) {
    for (const std::string_view name : proxy_annotations) {
      if (const Text text = annotation(name))
        diagnostics_.warning(text.node->place(),
                             fmt::format("{} has no effect: MeshConfig has no proxyHttpPort", name));
    }
    return;
  }
  settings_.proxy_node = port.node;
  read_addresses(static_cast<uint16_t>(port.value));
  read_proxy_tls();
  read_users();
  warn_of_open_proxy();
}

void SettingsReader::read_addresses(uint16_t port) {
  const Text written = annotation(bind_annotation);
  std::string_view rest = written ? written.value : std::string_view("127.0.0.1,::1");
  for (bool is_last = false; !is_last;) {
    const size_t comma = rest.find(',');
    const std::string_view name = without_spaces(rest.substr(0, comma));
    is_last = comma == std::string_view::npos;
    if (!is_last) rest.remove_prefix(comma + 1);
    const std::optional<SocketAddress> address = SocketAddress::from_ip(name, port);
    if (!address) return error(written, fmt::format("{}: {} is not an IP address", bind_annotation, in_quotes(name)));
    if (std::ranges::find(settings_.proxy_addresses, *address) != settings_.proxy_addresses.end())
      return error(written, fmt::format("{} has {} twice", bind_annotation, in_quotes(name)));
    if (settings_.proxy_addresses.size() == limits::proxy_addresses_max)
      return error(written, fmt::format("{} has more than {} addresses", bind_annotation, limits::proxy_addresses_max));
    settings_.proxy_addresses.push_back(*address);
  }
}

void SettingsReader::read_proxy_tls() {
  const Text credential = annotation(certificate_annotation);
  const Text mode = annotation(tls_mode_annotation);
  if (mode && std::ranges::find(tls_modes, mode.value) == std::end(tls_modes)) {
    return error(mode, fmt::format("{}: unknown value {}; known are {}", tls_mode_annotation, in_quotes(mode.value),
                                   quoted_list(tls_modes)));
  }
  if (credential && credential.value.empty())
    return error(credential, fmt::format("{} is empty: it names a Secret", certificate_annotation));
  if (!credential) {
    if (mode) {
      error(mode, fmt::format("{} needs {}, the name of the Secret with certificate and key", tls_mode_annotation,
                              certificate_annotation));
    }
    return;
  }
  ServerTls tls;
  tls.node = credential.node;
  tls.credential_name = credential;
  tls.mode = mode ? mode : Text{"SIMPLE"};
  settings_.proxy_tls = std::move(tls);
}

void SettingsReader::read_users() {
  const Text name = annotation(credentials_annotation);
  if (!name) return;
  std::string_view plain_name = name.value;
  if (const std::string prefix = std::string(gateway_namespace) + "/"; plain_name.starts_with(prefix))
    plain_name.remove_prefix(prefix.size());
  const std::string key = fmt::format("{}/{}", gateway_namespace, plain_name);
  const Secret* secret = credentials_.secrets.find_exactly(key);
  if (secret == nullptr) {
    return error(name, fmt::format("{}: there is no Secret {}: without the users that it names the proxy would be open",
                                   credentials_annotation, in_quotes(key)));
  }
  if (secret->is_broken) return;  // an error of the Secret
  std::string username = SecretStore::value(*secret, "username").value_or("");
  std::string password = SecretStore::value(*secret, "password").value_or("");
  if (username.empty() || password.empty()) {
    error(name, fmt::format("{}: {} is not of type kubernetes.io/basic-auth: it needs username and password, and "
                            "neither may be empty",
                            credentials_annotation, secret->title()));
  } else if (username.contains(':')) {
    error(name, fmt::format("{}: the username of {} has a colon, which ends it (RFC 7617 2)", credentials_annotation,
                            secret->title()));
  } else if (username.size() + 1 + password.size() > limits::proxy_credentials_bytes_max) {
    error(name, fmt::format("{}: username and password of {} have more than {} bytes together", credentials_annotation,
                            secret->title(), limits::proxy_credentials_bytes_max - 1));
  } else {
    snapshot::ProxyCredentials& credentials = settings_.credentials.emplace();
    credentials.secret_name = key;
    credentials.text.reserve(username.size() + 1 + password.size());
    credentials.text.append(username).append(1, ':').append(password);
  }
  wipe(username);
  wipe(password);
}

void SettingsReader::read_agreement() {
  const Text text = annotation(agreement_annotation);
  if (!text || text.value == "warn") return;
  if (std::ranges::find(agreements, text.value) == std::end(agreements)) {
    return error(text, fmt::format("{}: unknown value {}; known are {}", agreement_annotation, in_quotes(text.value),
                                   quoted_list(agreements)));
  }
  settings_.host_agreement = text.value == "off" ? snapshot::HostAgreement::off : snapshot::HostAgreement::enforce;
}

void SettingsReader::warn_of_open_proxy() {
  const bool is_for_everybody = !settings_.credentials && !annotation(credentials_annotation) &&
                                !(settings_.proxy_tls && settings_.proxy_tls->mode.value == "MUTUAL");
  const auto open = std::ranges::find_if_not(settings_.proxy_addresses, is_loopback);
  if (!is_for_everybody || open == settings_.proxy_addresses.end()) return;
  diagnostics_.warning(
      settings_.proxy_node->place(),
      fmt::format("open proxy: everybody who reaches {} may use it; {} names a Secret with username and password, and "
                  "{}: MUTUAL asks for certificates of clients",
                  open->to_string(), credentials_annotation, tls_mode_annotation));
}

}  // namespace

std::optional<OutboundSettings> read_outbound_settings(const Model& model, Credentials& credentials,
                                                       Diagnostics& diagnostics) {
  return SettingsReader(model, credentials, diagnostics).read();
}

}  // namespace sluice::config

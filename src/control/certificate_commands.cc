#include "control/certificate_commands.h"

#include "base/limits.h"
#include "base/wipe.h"
#include "certs/certificate.h"
#include "certs/secret_yaml.h"
#include "config/file_bytes.h"
#include "config/host_name.h"
#include "config/wording.h"
#include "control/admin_client.h"
#include "control/certificate_report.h"
#include "renewal/store.h"
#include "tls/server_context.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

namespace sluice::control {

namespace {

// Of Secrets and Certificates whose namespace is not said: that of the gateway.
constexpr std::string_view kNamespace = "istio-system";

int fail(const Error& error) {
  fmt::print(stderr, "sluice: error: {}\n", error.message);
  return 1;
}

void put(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Result<config::ObjectKey> read_name(std::string_view text) {
  const size_t slash = text.find('/');
  config::ObjectKey key{.name_space = std::string(slash == std::string_view::npos ? kNamespace : text.substr(0, slash)),
                        .name = std::string(slash == std::string_view::npos ? text : text.substr(slash + 1))};
  if (config::is_object_name(key.name) && config::is_object_name(key.name_space) && !key.name_space.contains('.'))
    return key;
  return failure(config::in_quotes(text) + " is no name of a document: write NAME or NAMESPACE/NAME");
}

Result<Json> ask_for_certificates(const SocketAddress& admin) {
  const Result<AdminAnswer> answer = ask_admin(admin, "GET", "/certs");
  if (!answer) return std::unexpected(answer.error());
  const Json json = Json::parse(answer->body, nullptr, /*allow_exceptions=*/false);
  if (answer->status != 200 || !json.is_object() || !json.contains("managed") || !json["managed"].is_array())
    return failure(fmt::format("asking the admin port {}: no list of certificates comes back", admin.to_string()));
  return json["managed"];
}

Result<Json> read_certificates(const CertificateSource& source) {
  if (source.admin) return ask_for_certificates(*source.admin);
  const std::string folder = source.state_directory + "/certificates";
  if (access(folder.c_str(), R_OK | X_OK) != 0) {
    return failure(
        fmt::format("reading {}: {}; run this as sluice's user, name another --state-dir, or ask the running "
                    "sluice with --admin ADDR:PORT",
                    folder, errno_text(errno)));
  }
  const renewal::Store store = renewal::Store::look_at(source.state_directory);
  std::vector<renewal::CertificateReport> reports;
  for (const config::ObjectKey& key : store.certificates()) {
    const Result<std::optional<renewal::Record>> record = store.read_record(key);
    if (!record) return std::unexpected(record.error());
    if (*record) reports.push_back(renewal::report_of(key.text(), **record));
  }
  return to_json(reports);
}

Result<Json> find_certificate(Result<Json> certificates, const std::string& name) {
  if (!certificates) return certificates;
  for (const Json& each : *certificates) {
    if (each.value("certificate", "") == name) return each;
  }
  return failure(fmt::format("there is no managed certificate {}; `sluice cert list` shows them", name));
}

std::string_view path_of(renewal::Command command) {
  switch (command) {
    case renewal::Command::issue: return "/certs/issue";
    case renewal::Command::renew: return "/certs/renew";
    case renewal::Command::revoke: break;
  }
  return "/certs/revoke";
}

Result<std::string> read_text(const std::string& path) {
  auto file = config::read_file(path, limits::credential_file_bytes_max);
  if (!file) return failure(fmt::format("reading {}: {}", path, file.error().message));
  return std::move(file->bytes);
}

}  // namespace

int list_certificates(const CertificateSource& source, bool as_json) {
  const Result<Json> certificates = read_certificates(source);
  if (!certificates) return fail(certificates.error());
  put(as_json ? to_text(*certificates) : certificates_table(*certificates));
  return 0;
}

int show_certificate(const CertificateSource& source, const std::string& name, bool as_json) {
  const Result<config::ObjectKey> key = read_name(name);
  if (!key) return fail(key.error());
  const Result<Json> certificate = find_certificate(read_certificates(source), key->text());
  if (!certificate) return fail(certificate.error());
  put(as_json ? to_text(*certificate) : certificate_text(*certificate));
  return 0;
}

int command_certificate(const SocketAddress& admin, renewal::Command command, const std::string& name,
                        const std::string& reason, bool as_json) {
  const Result<config::ObjectKey> key = read_name(name);
  if (!key) return fail(key.error());
  std::string target = fmt::format("{}?certificate={}", path_of(command), key->text());
  if (!reason.empty()) target += "&reason=" + reason;
  const Result<AdminAnswer> answer = ask_admin(admin, "POST", target);
  if (!answer) return fail(answer.error());
  if (answer->status >= 300) {
    std::string message = answer->body;
    while (message.ends_with('\n')) message.pop_back();
    return fail({message});
  }
  const auto give_up = std::chrono::steady_clock::now() + limits::certificate_command_time_max;
  while (true) {
    std::this_thread::sleep_for(limits::certificate_command_look_pause);
    const Result<Json> certificate = find_certificate(ask_for_certificates(admin), key->text());
    if (!certificate) return fail(certificate.error());
    const bool is_over = std::chrono::steady_clock::now() > give_up;
    if (certificate->value("isWorking", false) && !is_over) continue;
    put(as_json ? to_text(*certificate) : certificate_text(*certificate));
    if (is_over) return fail({"it takes long; `sluice cert show` tells how it goes on"});
    const std::string_view wanted =
        renewal::text_of(command == renewal::Command::revoke ? renewal::State::revoked : renewal::State::ready);
    return certificate->value("state", "") == wanted ? 0 : 1;
  }
}

int import_certificate(const ImportOptions& options) {
  if (const Status status = tls::initialize(); !status) return fail(status.error());
  const Result<config::ObjectKey> key = read_name(options.name);
  if (!key) return fail(key.error());
  auto pair = std::make_shared<snapshot::KeyPair>();
  certs::IssuedCertificate certificate;
  for (const auto& [path, to] :
       {std::pair{&options.chain_path, &certificate.chain_pem}, std::pair{&options.key_path, &certificate.key_pem},
        std::pair{&options.ca_path, &certificate.ca_pem}}) {
    if (path->empty()) continue;
    Result<std::string> text = read_text(*path);
    if (!text) return fail(text.error());
    *to = std::move(*text);
  }
  pair->chain_pem = certificate.chain_pem;
  pair->key_pem = certificate.key_pem;
  pair->secret_name = key->text();
  pair->place.file = options.chain_path;
  pair->chain_name = options.chain_path;
  pair->key_name = options.key_path;
  config::Diagnostics diagnostics;
  const bool is_usable = certs::check_pair(*pair, std::chrono::system_clock::now(), diagnostics);
  for (const config::Diagnostic& diagnostic : diagnostics.sorted()) fmt::print(stderr, "{}\n", diagnostic.to_string());
  if (!is_usable) return 1;
  std::string yaml =
      certs::secret_yaml({.name_space = key->name_space, .name = key->name, .digest = {}, .labels = {}}, certificate);
  Result<renewal::Store> store = renewal::Store::open(options.state_directory);
  if (!store) return fail(store.error());
  const Status written = store->write_imported_secret(*key, yaml);
  wipe(yaml);
  if (!written) return fail(written.error());
  fmt::print("Secret {} is in {}; a running sluice takes it within {} s if it manages certificates, else with SIGHUP\n",
             key->text(), options.state_directory, limits::renewal_look_pause / std::chrono::seconds(1));
  return 0;
}

}  // namespace sluice::control

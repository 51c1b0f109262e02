#include "control/commands.h"

#include "base/write_file.h"
#include "certs/secret_yaml.h"
#include "config/compatibility.h"
#include "config/json_schema.h"
#include "config/wording.h"
#include "control/build_snapshot.h"
#include "control/explain_report.h"
#include "control/snapshot_json.h"
#include "control/snapshot_text.h"
#include "tls/libraries.h"
#include "tls/server_context.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>

namespace sluice::control {

namespace {

int fail(const Error& error) {
  fmt::print(stderr, "sluice: error: {}\n", error.message);
  return 1;
}

void put(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// What is wrong goes to standard error: the output is for programs too. Warnings are check's.
std::unique_ptr<snapshot::Snapshot> look_at(const std::vector<std::string>& config_paths) {
  if (const Status status = tls::initialize(); !status) {
    fail(status.error());
    return nullptr;
  }
  config::Diagnostics diagnostics;
  auto snapshot = build_snapshot_to_look_at(config_paths, std::chrono::system_clock::now(), diagnostics);
  for (const config::Diagnostic& diagnostic : diagnostics.sorted()) {
    if (diagnostic.severity == config::Severity::error) fmt::print(stderr, "{}\n", diagnostic.to_string());
  }
  return snapshot;
}

}  // namespace

int explain(const std::vector<std::string>& config_paths, const ExplainRequest& request, bool as_json) {
  const std::unique_ptr<snapshot::Snapshot> snapshot = look_at(config_paths);
  if (snapshot == nullptr) return 1;
  const Result<Explanation> explanation = explain(*snapshot, request);
  if (!explanation) {
    fail(explanation.error());
    return 2;
  }
  put(as_json ? to_text(to_json(*explanation, request, *snapshot)) : to_text(*explanation, request, *snapshot));
  return 0;
}

int show_routes(const std::vector<std::string>& config_paths, bool as_json) {
  const std::unique_ptr<snapshot::Snapshot> snapshot = look_at(config_paths);
  if (snapshot == nullptr) return 1;
  put(as_json ? to_text(routes_json(*snapshot)) : routes_text(*snapshot));
  return 0;
}

int check(const CheckOptions& options) {
  if (const Status status = tls::initialize(); !status) return fail(status.error());
  config::Diagnostics diagnostics;
  const std::unique_ptr<snapshot::Snapshot> snapshot =
      build_snapshot({.paths = options.config_paths}, std::chrono::system_clock::now(), {}, diagnostics).snapshot;
  const size_t error_count = diagnostics.error_count();
  const size_t warning_count = diagnostics.warning_count();
  const bool fails_by_warnings = options.is_strict && warning_count > 0;
  const bool is_valid = snapshot != nullptr && !fails_by_warnings;
  fmt::print("{}", check_report({.is_valid = is_valid,
                                 .error_count = error_count,
                                 .warning_count = warning_count,
                                 .hash = snapshot == nullptr ? "" : snapshot->hash,
                                 .diagnostics = diagnostics.sorted()},
                                options.format));
  using config::counted;
  if (fails_by_warnings) {
    fmt::print(stderr, "sluice check: {}, {} of them by --strict, which takes warnings for errors",
               counted(error_count + warning_count, "error"), warning_count);
  } else {
    fmt::print(stderr, "sluice check: {}, {}", counted(error_count, "error"), counted(warning_count, "warning"));
  }
  if (snapshot != nullptr) {
    fmt::print(stderr, "; {}, {}, {}, hash {}", counted(snapshot->listeners.size(), "listener"),
               counted(snapshot->clusters.size(), "cluster"), counted(snapshot->certificates.size(), "certificate"),
               snapshot->hash);
  }
  fmt::print(stderr, "\n");
  return is_valid ? 0 : 1;
}

int print_schema(const std::string& kind) {
  fmt::print("{}", config::json_schema(kind));
  return 0;
}

int print_compatibility() {
  fmt::print("{}", config::compatibility_document());
  return 0;
}

int write_self_signed(const certs::SelfSignedOptions& options, const std::string& name, const std::string& name_space,
                      const std::string& out_path) {
  if (const Status status = tls::initialize(); !status) return fail(status.error());
  const Result<certs::IssuedCertificate> certificate =
      certs::make_self_signed(options, std::chrono::system_clock::now());
  if (!certificate) return fail(certificate.error());
  const Status written = write_file_atomically(
      out_path, certs::secret_yaml({.name_space = name_space, .name = name, .digest = {}, .labels = {}}, *certificate),
      0600);
  if (!written) return fail(written.error());
  fmt::print("Secret {}/{} for {} in {}\n", name_space, name, fmt::join(options.hosts, ", "), out_path);
  return 0;
}

void print_version() { fmt::print("sluice {}\n{}, {}\n", SLUICE_VERSION, tls::describe_libraries(), SLUICE_LIBRARIES); }

}  // namespace sluice::control

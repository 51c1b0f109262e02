// What http routes of a VirtualService do beside forwarding: checked, then compiled.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"
#include "config/request_matches.h"
#include "snapshot/route_actions.h"

#include <memory>
#include <optional>

namespace sluice::config {

// What is wrong with redirect, directResponse, rewrite, retries, fault, mirrors and corsPolicy, each for itself and
// together.
// Compiles their regular expressions.
void check_actions(HttpRoute& route, RegexCompiler& regexes, Diagnostics& diagnostics);

// Of what was checked; null where nothing is written.
[[nodiscard]] std::shared_ptr<const snapshot::Redirect> compile_redirect(const Redirect& written);
[[nodiscard]] std::shared_ptr<const snapshot::DirectResponse> compile_direct_response(const DirectResponse& written);
[[nodiscard]] std::shared_ptr<const snapshot::Rewrite> compile_rewrite(const Rewrite& written);
[[nodiscard]] std::shared_ptr<const snapshot::RetryPolicy> compile_retries(const Retries& written);
[[nodiscard]] std::shared_ptr<const snapshot::Fault> compile_fault(const Fault& written);
[[nodiscard]] std::shared_ptr<const snapshot::CorsPolicy> compile_cors_policy(const CorsPolicy& written);

}  // namespace sluice::config

// The short commands of the program: they do one thing, print, and return the exit code.
#pragma once

#include "base/durations.h"
#include "certs/self_signed.h"
#include "control/check_report.h"
#include "control/explain.h"

#include <string>
#include <vector>

namespace sluice::control {

struct CheckOptions {
  std::vector<std::string> config_paths;
  CheckFormat format = CheckFormat::text;
  bool is_strict = false;  // warnings fail, too
};

// `sluice check`: every diagnostic on standard output, a summary on standard error; 1 when one is an error, or, if
// strict, a warning. Opens no port.
[[nodiscard]] int check(const CheckOptions& options);

// `sluice check --print-schema [KIND]` and `--print-compatibility`: what documents may hold, from the tables of
// config/.
[[nodiscard]] int print_schema(const std::string& kind);
[[nodiscard]] int print_compatibility();

// `sluice explain`: which way a request would take, on standard output; 2 when it is no request. Opens no port.
[[nodiscard]] int explain(const std::vector<std::string>& config_paths, const ExplainRequest& request, bool as_json);

// `sluice routes`: every listener, server, host and route. Opens no port.
[[nodiscard]] int show_routes(const std::vector<std::string>& config_paths, bool as_json);

// `sluice cert self-signed`: a Secret with a new key, readable by its owner only.
[[nodiscard]] int write_self_signed(const certs::SelfSignedOptions& options, const std::string& name,
                                    const std::string& name_space, const std::string& out_path);

// `sluice version`: also of the libraries that are linked into the program.
void print_version();

}  // namespace sluice::control

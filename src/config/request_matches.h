// From a match of a VirtualService to the conditions that a request must meet, and to the servers it is for.
#pragma once

#include "config/diagnostic.h"
#include "config/listener_builder.h"
#include "config/model.h"
#include "snapshot/request_match.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::config {

// Regular expressions of all documents; equal ones are compiled once.
class RegexCompiler {
 public:
  explicit RegexCompiler(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  // Null when it is wrong, which is an error.
  [[nodiscard]] std::shared_ptr<const snapshot::Regex> compile(const Text& expression);

 private:
  Diagnostics& diagnostics_;
  std::map<std::string, std::shared_ptr<const snapshot::Regex>, std::less<>> known_;
};

// What is wrong with a match as it is written. Compiles its regular expressions.
void check_match(HttpMatch& match, RegexCompiler& regexes, Diagnostics& diagnostics);

// The same for one text, which must be given.
void check_string_match(StringMatch& match, std::string_view field, RegexCompiler& regexes, Diagnostics& diagnostics);

// Of what was checked.
[[nodiscard]] snapshot::RequestMatch compile_match(const HttpMatch& written);
// `any` when nothing is written.
[[nodiscard]] snapshot::TextMatch compile_text(const StringMatch& written);

// Whether a match asks for certain servers: by port, gateways, or what the gateway itself is.
[[nodiscard]] bool is_server_specific(const HttpMatch& match) noexcept;
// Whether a match of `service` is for the server. The labels of the gateway's pods are those that the Gateway selects.
[[nodiscard]] bool is_for(const HttpMatch& match, const BoundServer& server, const VirtualService& service);

}  // namespace sluice::config

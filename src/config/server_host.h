// A host of a Gateway's server: "[namespace/]pattern".
#pragma once

#include "config/host_name.h"

#include <string>
#include <string_view>

namespace sluice::config {

struct ServerHost {
  std::string_view name_space;  // of the VirtualServices that may use it; "*": any
  std::string pattern;          // normalised

  // `text` is of a Gateway in `own_namespace` and has been validated.
  ServerHost(std::string_view text, std::string_view own_namespace) {
    const size_t slash = text.find('/');
    const bool has_namespace = slash != std::string_view::npos;
    name_space = has_namespace ? text.substr(0, slash) : std::string_view("*");
    if (name_space == ".") name_space = own_namespace;
    pattern = normalised_host(has_namespace ? text.substr(slash + 1) : text);
  }

  [[nodiscard]] bool admits(std::string_view other_namespace) const noexcept {
    return name_space == "*" || name_space == other_namespace;
  }
};

}  // namespace sluice::config

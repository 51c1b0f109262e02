// Just enough JSON to write: strings and objects of strings.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::sample {

// With its quotes (RFC 8259 7). Bytes beyond ASCII are taken for Latin-1, so that every byte has a text.
[[nodiscard]] std::string json_string(std::string_view text);

using JsonMembers = std::vector<std::pair<std::string, std::string>>;

// One member per line; the values are JSON already.
[[nodiscard]] std::string json_object(const JsonMembers& members, unsigned indent = 0);

}  // namespace sluice::sample

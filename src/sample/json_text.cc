#include "sample/json_text.h"

#include <fmt/format.h>

#include <iterator>

namespace sluice::sample {

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte > 0x7e) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(byte));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string json_object(const JsonMembers& members, unsigned indent) {
  if (members.empty()) return "{}";
  const std::string space(indent + 2, ' ');
  std::string out = "{";
  for (size_t i = 0; i < members.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{}\n{}{}: {}", i == 0 ? "" : ",", space, json_string(members[i].first),
                   members[i].second);
  }
  return out + "\n" + std::string(indent, ' ') + "}";
}

}  // namespace sluice::sample

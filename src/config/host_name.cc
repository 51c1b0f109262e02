#include "config/host_name.h"

#include "config/wording.h"

#include <algorithm>
#include <cstddef>

namespace sluice::config {

namespace {

constexpr size_t name_bytes_max = 253;
constexpr size_t label_bytes_max = 63;

bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_label(std::string_view label) noexcept {
  return !label.empty() && label.size() <= label_bytes_max && is_letter_or_digit(label.front()) &&
         is_letter_or_digit(label.back()) &&
         std::ranges::all_of(label, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

bool is_dns_name(std::string_view name) noexcept {
  if (name.size() > name_bytes_max) return false;
  for (;;) {
    const size_t dot = name.find('.');
    if (!is_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

}  // namespace

std::string normalised_host(std::string_view host) {
  if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
  return to_lower(host);
}

std::optional<std::string_view> wrong_with_host(std::string_view pattern) {
  if (pattern.empty()) return "it is empty";
  if (pattern.contains(':') || pattern.contains('/'))
    return "only a host name is wanted, without scheme, port and path";
  if (pattern == "*") return std::nullopt;
  if (pattern.size() > 1 && pattern.ends_with('.')) pattern.remove_suffix(1);
  if (pattern.starts_with("*.")) pattern.remove_prefix(2);
  if (pattern.contains('*')) return "a wildcard can only stand for whole labels on the left, as in *.example.com";
  if (!is_dns_name(pattern)) return "a host name has labels of letters, digits and inner hyphens";
  return std::nullopt;
}

bool is_object_name(std::string_view name) noexcept {
  return is_dns_name(name) && std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_wildcard(std::string_view pattern) noexcept { return pattern.starts_with('*'); }

bool covers(std::string_view wide, std::string_view narrow) noexcept {
  if (wide == "*" || wide == narrow) return true;
  if (!wide.starts_with("*.")) return false;
  // "*.example.com" covers "a.example.com", "a.b.example.com" and "*.a.example.com", not "example.com".
  return narrow.size() > wide.size() - 1 && narrow.ends_with(wide.substr(1));
}

std::optional<std::string_view> intersection(std::string_view a, std::string_view b) noexcept {
  if (covers(a, b)) return b;
  if (covers(b, a)) return a;
  return std::nullopt;
}

}  // namespace sluice::config

// Host patterns of Gateway, VirtualService and ServiceEntry documents: "a.example.com", "*.example.com"
// and "*". All functions but the first two want normalised patterns.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::config {

// Lower case, without the trailing dot of an absolute name.
[[nodiscard]] std::string normalised_host(std::string_view host);

// What is wrong with the pattern, or nothing: labels of letters, digits and inner hyphens, 253 bytes
// (RFC 1123 2.1, RFC 1035 2.3.4); a wildcard stands for one or more whole labels on the left.
[[nodiscard]] std::optional<std::string_view> wrong_with_host(std::string_view pattern);

// A name of a Kubernetes object or namespace: labels, lower case.
[[nodiscard]] bool is_object_name(std::string_view name) noexcept;

[[nodiscard]] bool is_wildcard(std::string_view pattern) noexcept;

// Whether every host that `narrow` matches is matched by `wide` too.
[[nodiscard]] bool covers(std::string_view wide, std::string_view narrow) noexcept;

// The pattern that matches exactly what both match: the more specific of the two, or nothing.
[[nodiscard]] std::optional<std::string_view> intersection(std::string_view a, std::string_view b) noexcept;

}  // namespace sluice::config

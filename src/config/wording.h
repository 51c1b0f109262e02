// Parts of messages: a user's text made safe to print, and the name that was probably meant.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::config {

// `"text"`, on one line and of bounded length, control characters escaped: configuration is not trusted
// and its texts reach terminals and logs.
[[nodiscard]] std::string in_quotes(std::string_view text);

// `"a", "b" and "c"`
[[nodiscard]] std::string quoted_list(std::span<const std::string_view> texts);

// "1 error", "2 errors".
[[nodiscard]] std::string counted(size_t count, std::string_view noun);

// The candidate that `name` is a likely misspelling of: another case, underscores, or few edits.
[[nodiscard]] std::optional<std::string_view> nearest_name(std::string_view name,
                                                           std::span<const std::string_view> candidates);

// `did you mean "hosts"?`, or nothing.
[[nodiscard]] std::string hint(std::string_view name, std::span<const std::string_view> candidates);

// ASCII only: names of the configuration are ASCII.
[[nodiscard]] std::string to_lower(std::string_view text);
[[nodiscard]] std::string to_upper(std::string_view text);
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

}  // namespace sluice::config

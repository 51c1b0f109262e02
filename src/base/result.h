// Errors as values. A message names what was being done, to what, what is wrong and what to do about
// it; it is written for the operator who reads it in a log or a terminal.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace sluice {

struct Error {
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;

// The result of something that yields nothing but may fail.
using Status = std::expected<void, Error>;

[[nodiscard]] inline std::unexpected<Error> failure(std::string message) {
  return std::unexpected(Error{std::move(message)});
}

// "Permission denied (EACCES)": the text and the symbol of an errno value. Thread-safe.
[[nodiscard]] std::string errno_text(int error);

}  // namespace sluice

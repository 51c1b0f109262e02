// The query of an admin page: "url=https%3A%2F%2Fa.test%2F&header=a%3A+1", as forms send it
// (https://url.spec.whatwg.org/#application/x-www-form-urlencoded). Its size is bounded by that of the request.
#pragma once

#include "base/result.h"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::control {

class PageParameters {
 public:
  // Fails on a name that is not one of `known`, and on a "%" without two hexadecimal digits.
  [[nodiscard]] static Result<PageParameters> parse(std::string_view query, std::span<const std::string_view> known);

  // Empty: it is not there. Fails when it is there twice.
  [[nodiscard]] Result<std::string> only(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> list_;
};

}  // namespace sluice::control

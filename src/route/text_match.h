// Whether a text is one that a match means: a pure function.
#pragma once

#include "base/check.h"
#include "snapshot/request_match.h"

#include <string_view>

namespace sluice::route {

// Of a match that respects case, as all but those of paths do.
[[nodiscard]] inline bool fits(const snapshot::TextMatch& match, std::string_view text) {
  switch (match.kind) {
    case snapshot::TextMatch::Kind::any: return true;
    case snapshot::TextMatch::Kind::exact: return text == match.text;
    case snapshot::TextMatch::Kind::prefix: return text.starts_with(match.text);
    case snapshot::TextMatch::Kind::regex: return match.regex->matches(text);
  }
  UNREACHABLE();
}

}  // namespace sluice::route

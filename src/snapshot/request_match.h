// Which requests a route is for: a path and further conditions, all of which must hold (Istio's HTTPMatchRequest).
#pragma once

#include "snapshot/regex.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice::snapshot {

struct TextMatch {
  enum class Kind : uint8_t { any, exact, prefix, regex };
  Kind kind = Kind::any;                 // of a field or parameter: any value, but it must be there
  bool ignores_case = false;             // exact, prefix
  std::string text;                      // prefix: a plain string prefix, "/foo" matches "/foobar", as in Istio
  std::shared_ptr<const Regex> regex{};  // exactly when regex: it must match the whole text
};

struct Condition {
  enum class Subject : uint8_t { scheme, method, authority, field, query_parameter };
  Subject subject = Subject::field;
  bool is_inverted = false;  // withoutHeaders: the field must not match; one that is not there is empty
  std::string name;          // field: lower case; query_parameter
  TextMatch text;
};

struct RequestMatch {
  TextMatch path;  // the normalised path without query
  std::vector<Condition> conditions;
  uint32_t route = 0;  // index into Snapshot::routes
  unsigned line = 0;   // where it is written, in the file of the route's place; 0: in another one
  std::string name{};  // for %ROUTE_NAME%, "ROUTE.MATCH"; empty: that of the route

  [[nodiscard]] bool takes_everything() const noexcept {
    return conditions.empty() &&
           (path.kind == TextMatch::Kind::any || (path.kind == TextMatch::Kind::prefix && path.text == "/"));
  }
};

}  // namespace sluice::snapshot

// `headers` of a VirtualService: what a route, or one of its destinations, does to the fields of requests and
// responses. Names are lower case and were checked: no field that frames a message or belongs to one connection.
#pragma once

#include "snapshot/format.h"

#include <string>
#include <vector>

namespace sluice::snapshot {

struct FieldOperation {
  std::string name;
  Format value;
};

// In the order in which they are done. All values are evaluated after the removals and before the first change.
struct FieldOperations {
  std::vector<std::string> remove;
  std::vector<FieldOperation> set;  // a value that comes out empty takes the field away
  std::vector<FieldOperation> add;  // an empty one adds nothing
  FormatNeeds needs;                // of all formats

  [[nodiscard]] bool empty() const noexcept { return remove.empty() && set.empty() && add.empty(); }
};

struct HeaderOperations {
  FieldOperations request;
  FieldOperations response;
  std::string authority;  // for the destination, of `set: {Host: ...}`; empty: the request's
  std::string host;       // the same without port, lower case

  [[nodiscard]] bool empty() const noexcept { return request.empty() && response.empty() && authority.empty(); }
};

}  // namespace sluice::snapshot

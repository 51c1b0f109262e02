// The tables of schema.h as JSON Schema 2020-12 (https://json-schema.org/draft/2020-12), for editors and other tools.
#pragma once

#include "config/schema.h"

#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

// A kind by itself, or MeshConfig, which stands in a ConfigMap. Kinds that are not built have no table.
[[nodiscard]] std::vector<std::string_view> kinds_with_json_schema();

// Of one of these, or, for an empty `kind`, of any document: what is not of a kind that is known fits too. It ends with
// a line end.
//
// What it refuses, `sluice check` refuses; the other way round not always: what depends on other fields or documents
// (a weight's sum, a missing Secret) is for check alone. Fields and values that are not supported yet: fields are
// there, marked deprecated and without a value that fits, so that an editor says what check says and not "unknown
// field"; values of enumerations are left out, so that an editor does not offer them, and named in the description.
[[nodiscard]] std::string json_schema(std::string_view kind);

}  // namespace sluice::config

// Which field of its document a diagnostic is about.
#pragma once

#include "config/diagnostic.h"
#include "config/yaml_document.h"

#include <deque>
#include <string>
#include <string_view>

namespace sluice::config {

// "spec" and "hosts" to "spec.hosts"; a key that is no word as it is in JSONPath: labels["app/name"]. Keys are not
// trusted: they are escaped, and of bounded length.
void append_key(std::string& path, std::string_view key);

// Gives each diagnostic that has no field yet the path of the value at its place ("spec.servers[0].hosts[1]").
// Checks after reading know the places of values, not their paths; one walk at the end spares them that.
void name_fields(const std::deque<Node>& documents, Diagnostics& diagnostics);

}  // namespace sluice::config

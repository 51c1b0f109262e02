// `headers` of a VirtualService's route or destination, checked and compiled.
#pragma once

#include "config/diagnostic.h"
#include "config/model.h"
#include "snapshot/header_operations.h"

namespace sluice::config {

// What is wrong is reported and left out: field names that are none, or that frame a message or belong to one
// connection, values with control characters, formats that cannot be compiled.
[[nodiscard]] snapshot::HeaderOperations compile_header_operations(const Headers& written, Diagnostics& diagnostics);

// The Host that destinations see, of `set` or of `rewrite`: a name or an address, without operators. Nothing when it is
// not given; what is wrong is reported and left out.
void compile_host(const Text& written, snapshot::HeaderOperations& operations, Diagnostics& diagnostics);

// Of a route with one destination, as Istio has it: what the destination does comes after what the route does,
// evaluated together; a Host of the route wins.
void append(snapshot::HeaderOperations& route, snapshot::HeaderOperations destination);

}  // namespace sluice::config

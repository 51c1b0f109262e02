// What a VirtualService does to the fields of requests and responses, done: as Envoy, first what is removed, then all
// values are evaluated, then fields are set, then added.
//
// Whatever a value is made of, a certificate or a field of the client, it stays one value: a byte that no field value
// can have (RFC 9110 5.5) becomes "_".
#pragma once

#include "http/head.h"
#include "observe/request_record.h"
#include "snapshot/header_operations.h"

namespace sluice::proxy {

// The operations must outlive the fields. False: a value is longer than limits::generated_value_bytes_max, or there
// are too many fields, or the arena is full; the fields are to be given up then. Nothing is ever cut off, other than
// where the format asks for it: half a name may be somebody else's.
[[nodiscard]] bool apply_operations(const snapshot::FieldOperations& operations, http::HeaderList& fields,
                                    const observe::RequestRecord& record) noexcept;

}  // namespace sluice::proxy

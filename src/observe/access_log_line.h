// A request as a line of the access log: in Istio's default format (Istio 1.9 and later), or in the one that
// MeshConfig has (accessLogFormat, accessLogEncoding).
//
// The default is written by hand, as most requests are logged with it: the same as the format would come to.
#pragma once

#include "observe/request_record.h"
#include "snapshot/access_log_format.h"

#include <string>

namespace sluice::observe {

inline constexpr snapshot::FormatNeeds default_line_needs{.local_address = true};

// Appends one line with its newline; `format` null: the default. Texts of clients are escaped so that a line is always
// one line (observe/log_text.h). Text: what is absent is "-", and a space in a value that is a word is "_". JSON: what
// is absent is null. False: the line is longer than limits::access_log_line_bytes_max and is to be dropped.
[[nodiscard]] bool write_access_log_line(const snapshot::AccessLogFormat* format, const RequestRecord& record,
                                         std::string& out);

}  // namespace sluice::observe

// Changes what is in a record as the fuzzer's program says: the messages of a handshake (RFC 8446 4, RFC 5246 7.4)
// mostly in a way that keeps the lengths around what is changed right, as a parser that stops at the first wrong
// length sees nothing.
#pragma once

#include "program.h"
#include "record_protection.h"

namespace sluice::fuzz {

inline constexpr size_t kContentBytesMax = 60'000;  // a record's length has two bytes

// Of several messages in the record it is the first one that is changed.
void edit_content(Content& content, Program& program, bool is_tls_1_3);

}  // namespace sluice::fuzz

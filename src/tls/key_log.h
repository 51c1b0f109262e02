// The secrets of sessions in the SSLKEYLOGFILE format (RFC 9850), so that tools like Wireshark can read the traffic of
// a test. Whoever has the file can read everything, so it exists in debug builds only: with NDEBUG nothing of this is
// declared, and what the TLS library has for it is not linked.
#pragma once

#ifndef NDEBUG

#include "base/result.h"

struct WOLFSSL;

namespace sluice::tls {

// From now on the secrets of all new sessions are appended to that file, which only its owner can read. Before the
// first session is made. Fails with cause and remedy.
[[nodiscard]] Status open_key_log(const char* path);

// The session's secrets go to the log as they are made; without a log nothing happens. Any thread.
void log_keys_of(WOLFSSL* ssl) noexcept;

}  // namespace sluice::tls

#endif

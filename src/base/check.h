// Assertions for errors of the programmer. Errors of the network, a peer, a file or the kernel are
// values (base/result.h); nothing that a peer sends may reach a failing CHECK.
//
// CHECK is always compiled in; DCHECK only in debug and CI builds, for the hot path.
#pragma once

namespace sluice {

// Prints one line (file, line, expression) to stderr and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* expression) noexcept;

}  // namespace sluice

#define CHECK(expression)                                                    \
  (__builtin_expect(static_cast<bool>(expression), 1) ? static_cast<void>(0) \
                                                      : ::sluice::check_failed(__FILE__, __LINE__, #expression))

#ifdef NDEBUG
#define DCHECK(expression) static_cast<void>(sizeof(static_cast<bool>(expression)))
#else
#define DCHECK(expression) CHECK(expression)
#endif

#define UNREACHABLE() ::sluice::check_failed(__FILE__, __LINE__, "unreachable")

// AES-GCM of TLS records (RFC 5288, RFC 8446 5.2) by Intel's multi-buffer library, where the processor has the
// instructions that make it worth it (VAES): three times as fast as the TLS library's own. Any thread; each
// has its own cache of key schedules.
#pragma once

#include "base/bytes.h"

#include <cstddef>

namespace sluice::tls {

inline constexpr size_t gcm_nonce_bytes = 12;
inline constexpr size_t gcm_tag_bytes = 16;

// Decided once, by the processor.
[[nodiscard]] bool can_protect_records() noexcept;

// `key` has 16 or 32 bytes, `nonce` gcm_nonce_bytes, `tag` gcm_tag_bytes; `output` has room for input.size() and
// may be where the input is. Requires can_protect_records().
void encrypt_record(ConstBytes key, const std::byte* nonce, ConstBytes associated, ConstBytes input, std::byte* output,
                    std::byte* tag) noexcept;
// `content` and then `type`, which is the inside of a record of TLS 1.3 (RFC 8446 5.2). `output` has room for
// content.size() + 1 bytes and is not where the content is.
void encrypt_record(ConstBytes key, const std::byte* nonce, ConstBytes associated, ConstBytes content, std::byte type,
                    std::byte* output, std::byte* tag) noexcept;
// False: the tag is wrong, and the output is wiped.
[[nodiscard]] bool decrypt_record(ConstBytes key, const std::byte* nonce, ConstBytes associated, ConstBytes input,
                                  const std::byte* tag, std::byte* output) noexcept;

}  // namespace sluice::tls

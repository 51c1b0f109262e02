// Signatures of DNS messages under a shared secret (TSIG, RFC 8945), with the HMACs of wolfCrypt.
#pragma once

#include "base/bytes.h"
#include "base/durations.h"
#include "base/result.h"
#include "dns/message.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::dns {

enum class TsigAlgorithm : uint8_t { hmac_sha1, hmac_sha256, hmac_sha384, hmac_sha512 };

struct TsigKey {
  std::string name;  // wire form
  TsigAlgorithm algorithm = TsigAlgorithm::hmac_sha256;
  std::string secret;  // the bytes themselves; wiped at the end

  TsigKey() = default;
  TsigKey(const TsigKey&) = default;
  TsigKey(TsigKey&&) noexcept = default;
  TsigKey& operator=(const TsigKey&) = default;
  TsigKey& operator=(TsigKey&&) noexcept = default;
  ~TsigKey();
};

// As documents have it: a name ("acme-key."), cert-manager's word for the algorithm in any case ("HMACSHA256", which
// empty means too), and the secret in base64, as name servers' configuration files have it. Fails with what is wrong
// and what to write; the secret is not in the text.
[[nodiscard]] Result<TsigKey> read_tsig_key(std::string_view name, std::string_view algorithm, std::string_view secret);

// Appends the signature to a message that has none; returns its MAC, which the answer's is made over.
[[nodiscard]] Result<std::string> sign(std::string& message, const TsigKey& key, WallTime now);

[[nodiscard]] bool is_signed(const Message& message);

// Whether `bytes`, which `message` was read from, is the answer that the holder of the key has given to the message
// with `request_mac`, at this time. Fails with the cause and the remedy.
[[nodiscard]] Status verify(ConstBytes bytes, const Message& message, const TsigKey& key, std::string_view request_mac,
                            WallTime now);

}  // namespace sluice::dns

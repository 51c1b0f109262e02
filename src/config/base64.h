// The encoding of a Secret's `data`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::config {

// RFC 4648 4: standard alphabet, padded. Line breaks are skipped, as Kubernetes does. Nothing when the text is not
// that.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace sluice::config

// Asks the admin port of a running sluice: for the commands that need one.
#pragma once

#include "base/address.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace sluice::control {

struct AdminAnswer {
  unsigned status = 0;
  std::string body;
};

// What a page of a browser cannot send to another site without being asked
// (https://fetch.spec.whatwg.org/#cors-preflight-fetch): commands without it are refused.
inline constexpr std::string_view kCommandField = "x-sluice-command";

// Blocks for at most half a minute. `target`: path and query. Fails with the address and the remedy when nobody
// answers.
[[nodiscard]] Result<AdminAnswer> ask_admin(const SocketAddress& address, std::string_view method,
                                            std::string_view target);

}  // namespace sluice::control

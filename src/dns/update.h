// TXT records by dynamic updates (RFC 2136) that are signed (dns/tsig.h).
//
// Over TCP alone: every name server has it (RFC 7766 5), a length is in front of each message, so nothing is truncated
// and no answer is somebody else's, and TCP itself repeats what is lost. Blocks, with a bounded time. Any thread.
#pragma once

#include "base/result.h"
#include "dns/message.h"
#include "dns/nameserver.h"
#include "dns/tsig.h"

#include <stop_token>
#include <string_view>

namespace sluice::dns {

struct UpdateServer {
  Nameserver nameserver;  // the primary of the zone
  TsigKey key;
};

// Adds a TXT record with this value to what is at the name, or removes exactly this one. The zone is the nearest one
// above that the server has. What is there already, or has gone already, is no error: it may be tried again.
// `value` has at most 255 bytes. Fails with the cause and the remedy.
[[nodiscard]] Status update_txt(const UpdateServer& server, Change change, std::string_view fqdn,
                                std::string_view value, const std::stop_token& stop);

}  // namespace sluice::dns

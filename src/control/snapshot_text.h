// The tables of a snapshot as text for people: `sluice routes` and /routes. What comes from documents is made safe to
// print. Pure functions.
#pragma once

#include "snapshot/snapshot.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::control {

// Every listener and server, every host, every route in the order in which they are tried.
[[nodiscard]] std::string routes_text(const snapshot::Snapshot& snapshot);

// Parts of it, without a line's end.
[[nodiscard]] std::string listener_text(const snapshot::Listener& listener);  // "0.0.0.0:8443, Gateway port 443, TLS"
[[nodiscard]] std::string server_text(const snapshot::GatewayServer& server);
[[nodiscard]] std::string match_text(const snapshot::RequestMatch& match);  // `prefix "/api", method exact "GET"`
[[nodiscard]] std::string fault_text(const snapshot::Fault& fault);         // "50% get 503, 10% wait 300 ms"
// "50% to outbound|80||b.test"
[[nodiscard]] std::string mirrors_text(const std::vector<snapshot::Mirror>& mirrors,
                                       const snapshot::Snapshot& snapshot);
[[nodiscard]] std::string_view http_text(snapshot::UpstreamHttp http);  // "HTTP/2"
[[nodiscard]] std::string percent_text(double percent);                 // "12.5%"
[[nodiscard]] std::string share_text(uint32_t share);                   // of snapshot::every_request, the same

}  // namespace sluice::control

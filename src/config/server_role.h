// What a server of a Gateway does with its connections, which follows from its protocol and its TLS mode.
#pragma once

#include "config/model.h"
#include "config/wording.h"
#include "snapshot/snapshot.h"

#include <string_view>

namespace sluice::config {

// One that is plain, whatever its tls says: HTTP/2 without TLS begins with prior knowledge, on each of them.
[[nodiscard]] inline bool is_plain_http(std::string_view protocol) {
  return equals_ignoring_case(protocol, "HTTP") || equals_ignoring_case(protocol, "HTTP2") ||
         equals_ignoring_case(protocol, "GRPC") || equals_ignoring_case(protocol, "GRPC-WEB");
}

struct ServerRole {
  bool is_tls;                // behind TLS, chosen by SNI; else plain
  snapshot::ServerKind kind;  // plain: http or tcp

  // Of a server that is valid.
  explicit ServerRole(const Server& server) {
    const std::string_view protocol = server.port.protocol.value;
    const bool is_http = is_plain_http(protocol);
    const std::string_view mode = server.tls.mode.value;
    is_tls = !is_http && server.tls.node != nullptr;
    kind = is_http || equals_ignoring_case(protocol, "HTTPS") ? snapshot::ServerKind::http : snapshot::ServerKind::tcp;
    if (is_tls && (mode.empty() || mode == "PASSTHROUGH")) kind = snapshot::ServerKind::passthrough;
  }
};

}  // namespace sluice::config

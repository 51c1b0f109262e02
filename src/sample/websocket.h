// A WebSocket that says back what it hears (RFC 6455), frame by frame and of any size: nothing is kept.
#pragma once

#include "http/head.h"
#include "web/connection.h"

namespace sluice::sample {

// Answers the handshake with 101 and then echoes until the client closes or breaks the protocol; with 400
// or 426 when it is not a WebSocket handshake.
void serve_websocket(web::Connection& connection, const http::RequestHead& request);

}  // namespace sluice::sample

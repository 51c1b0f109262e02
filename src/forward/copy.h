// The copying pumps: bytes from one connection to another through sluice's own memory. Always right,
// and the cheaper way below limits::splice_threshold_bytes; forward/splice_pump is the other way.
//
// Flow control: a pump takes from its source only what its sink has room for, so a slow reader stops
// the source (the source's stream pauses itself), and memory stays bounded. One call moves what can be
// moved now, up to limits::connection_bytes_per_turn. Neither flushes: the caller does, once.
#pragma once

#include "forward/content.h"
#include "transport/transport.h"

#include <cstdint>

namespace sluice::forward {

enum class CopyStatus : uint8_t {
  blocked,        // the source has nothing now, or the sink has no room: wait for a change
  yield,          // the turn's budget is used up: go on in the next turn
  done,           // the content, or everything the source had to say, has been written
  source_ended,   // the source ended within the content
  source_failed,  // the source sent what is no HTTP
  sink_failed,    // the sink takes no more
};

struct CopyResult {
  CopyStatus status = CopyStatus::blocked;
  uint64_t bytes = 0;  // content that was moved
};

// The content of a message, with its trailers. `sink` null: it is read and dropped.
[[nodiscard]] CopyResult copy_content(ContentSource& source, ContentSink* sink);

// Everything, as it is. `done`: the source is at its end and all was written.
[[nodiscard]] CopyResult copy_bytes(transport::Transport& source, transport::Transport& sink);

}  // namespace sluice::forward

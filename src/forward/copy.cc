#include "forward/copy.h"

#include "base/limits.h"

#include <algorithm>

namespace sluice::forward {

namespace {

struct ContentWriter {
  ContentSink* sink;
  uint64_t bytes = 0;

  static void write(void* self, ConstBytes content) {
    auto& writer = *static_cast<ContentWriter*>(self);
    writer.bytes += content.size();
    if (writer.sink != nullptr) writer.sink->write_content(content);
  }
};

}  // namespace

CopyResult copy_content(ContentSource& source, ContentSink* sink) {
  ContentWriter writer{.sink = sink};
  const auto result = [&writer](CopyStatus status) { return CopyResult{.status = status, .bytes = writer.bytes}; };

  for (;;) {
    if (sink != nullptr && sink->has_failed()) return result(CopyStatus::sink_failed);
    if (writer.bytes >= limits::connection_bytes_per_turn) return result(CopyStatus::yield);
    const size_t room = sink == nullptr ? limits::connection_bytes_per_turn : sink->writable_bytes();
    switch (source.read_content(room, {.write = ContentWriter::write, .owner = &writer})) {
      case ContentSource::Status::blocked: return result(CopyStatus::blocked);
      case ContentSource::Status::no_room: sink->make_room(); return result(CopyStatus::blocked);
      case ContentSource::Status::more: break;
      case ContentSource::Status::done:
        if (sink != nullptr) sink->finish_content(source.trailers());
        return result(CopyStatus::done);
      case ContentSource::Status::ended: return result(CopyStatus::source_ended);
      case ContentSource::Status::failed: return result(CopyStatus::source_failed);
    }
  }
}

CopyResult copy_bytes(transport::Transport& source, transport::Transport& sink) {
  CopyResult result;
  for (;;) {
    if (sink.has_send_failed()) {
      result.status = CopyStatus::sink_failed;
    } else if (result.bytes >= limits::connection_bytes_per_turn) {
      result.status = CopyStatus::yield;
    } else if (const ConstBytes input = source.readable(); input.empty()) {
      result.status = source.is_at_end() ? CopyStatus::done : CopyStatus::blocked;
    } else if (const size_t room = sink.writable_bytes(); room == 0) {
      result.status = CopyStatus::blocked;
    } else {
      const size_t step = std::min(input.size(), room);
      sink.write(input.first(step));
      source.consume(step);
      result.bytes += step;
      continue;
    }
    return result;
  }
}

}  // namespace sluice::forward

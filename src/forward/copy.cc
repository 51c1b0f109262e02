#include "forward/copy.h"

#include "base/limits.h"
#include "http/http1_writer.h"

#include <algorithm>

namespace sluice::forward {

namespace {

struct BodyWriter {
  transport::Transport* sink;
  BodyEncoding encoding;
  uint64_t bytes = 0;

  static void write(void* self, ConstBytes content) {
    auto& writer = *static_cast<BodyWriter*>(self);
    writer.bytes += content.size();
    if (writer.sink == nullptr) return;
    if (writer.encoding == BodyEncoding::chunked) {
      http::write_chunk(writer.sink->sink(), content);
    } else {
      writer.sink->write(content);
    }
  }
};

}  // namespace

CopyResult copy_body(http::Http1Reader& reader, transport::Transport& source, transport::Transport* sink,
                     BodyEncoding encoding) {
  BodyWriter writer{.sink = sink, .encoding = encoding};
  const auto result = [&writer](CopyStatus status) { return CopyResult{.status = status, .bytes = writer.bytes}; };

  for (;;) {
    if (sink != nullptr && sink->has_send_failed()) return result(CopyStatus::sink_failed);
    if (writer.bytes >= limits::connection_bytes_per_turn) return result(CopyStatus::yield);
    const size_t room = sink == nullptr ? limits::connection_bytes_per_turn : sink->writable_bytes();
    const ConstBytes input = source.readable();

    // A body without content is done without input; otherwise there must be some, and room for it.
    if (!reader.is_body_done()) {
      if (input.empty() && source.is_at_end()) {
        if (source.is_truncated() || !reader.end_of_input()) return result(CopyStatus::source_ended);
      } else if (input.empty()) {
        return result(CopyStatus::blocked);
      }
      if (room == 0) {
        if (sink->stream().unsent_bytes() < limits::write_high_bytes) sink->flush();
        return result(CopyStatus::blocked);
      }
    }

    const http::ReadStep step =
        reader.read_body(input.first(std::min(input.size(), room)), {.write = BodyWriter::write, .owner = &writer});
    source.consume(step.consumed);
    if (step.progress == http::Progress::failed) return result(CopyStatus::source_failed);
    if (step.progress == http::Progress::done) {
      if (sink != nullptr && encoding == BodyEncoding::chunked)
        http::write_last_chunk(sink->sink(), &reader.trailers());
      return result(CopyStatus::done);
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

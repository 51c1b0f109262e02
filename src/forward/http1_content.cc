#include "forward/http1_content.h"

#include "base/limits.h"
#include "http/http1_writer.h"

#include <algorithm>

namespace sluice::forward {

ContentSource::Status Http1Source::read_content(size_t room, http::BodySink to) {
  if (is_bytes_) return read_bytes(room, to);
  const ConstBytes input = transport_.readable();
  // A body without content is done without input; otherwise there must be some, and room for it.
  if (!reader_.is_body_done()) {
    if (input.empty() && transport_.is_at_end()) {
      if (transport_.is_truncated() || !reader_.end_of_input()) return Status::ended;
    } else if (input.empty()) {
      return Status::blocked;
    } else if (room == 0) {
      return Status::no_room;
    }
  }
  const http::ReadStep step = reader_.read_body(input.first(std::min(input.size(), room)), to);
  transport_.consume(step.consumed);
  switch (step.progress) {
    case http::Progress::more: return Status::more;
    case http::Progress::done: return Status::done;
    case http::Progress::failed: return Status::failed;
  }
  UNREACHABLE();
}

ContentSource::Status Http1Source::read_bytes(size_t room, http::BodySink to) {
  ConstBytes input = transport_.readable();
  if (input.empty()) {
    if (!transport_.is_at_end()) return Status::blocked;
    return transport_.is_truncated() ? Status::ended : Status::done;
  }
  if (room == 0) return Status::no_room;
  input = input.first(std::min(input.size(), room));
  to.write(to.owner, input);
  transport_.consume(input.size());
  return Status::more;
}

void Http1Sink::write_content(ConstBytes content) {
  if (encoding_ == BodyEncoding::chunked) {
    http::write_chunk(transport_.sink(), content);
  } else {
    transport_.write(content);
  }
}

void Http1Sink::finish_content(const http::HeaderList& trailers) {
  switch (encoding_) {
    case BodyEncoding::identity: break;
    case BodyEncoding::chunked: http::write_last_chunk(transport_.sink(), &trailers); break;
    case BodyEncoding::bytes: transport_.finish_writing(); break;
  }
}

void Http1Sink::make_room() {
  if (transport_.stream().unsent_bytes() < limits::write_high_bytes) transport_.flush();
}

}  // namespace sluice::forward

#include "web/connection.h"

#include <algorithm>
#include <utility>

namespace sluice::web {

namespace {

constexpr size_t kInputBytes = 64 * 1024;
constexpr size_t kOutputBytes = 64 * 1024;  // sent when so much is there
constexpr size_t kRoomBytes = 4 * 1024;     // that the output grows by at least
// Content that a handler did not want; more of it, and closing is cheaper.
constexpr size_t kSkippedBytesMax = 1024 * 1024;
constexpr Duration kLingerTime = std::chrono::seconds(1);

uint16_t status_for(http::ReadError error) noexcept {
  switch (error) {
    case http::ReadError::head_too_large:
    case http::ReadError::too_many_headers: return 431;
    case http::ReadError::target_too_long: return 414;
    case http::ReadError::version_not_supported: return 505;
    case http::ReadError::not_implemented: return 501;
    default: return 400;
  }
}

}  // namespace

Connection::Connection(io::BlockingSocket socket, const ConnectionLimits& limits)
    : socket_(std::move(socket)),
      limits_(limits),
      arena_(limits.head_bytes_max),
      reader_(http::Http1Reader::Role::requests),
      input_buffer_(kInputBytes) {}

bool Connection::fill_input(io::Deadline deadline) {
  if (is_broken_) return false;
  const Result<size_t> count = socket_.read(input_buffer_, deadline);
  if (!count || *count == 0) return false;
  input_ = ConstBytes(input_buffer_).first(*count);
  return true;
}

const http::RequestHead* Connection::read_request() {
  if (is_broken_ || has_to_close_) return nullptr;
  head_.reset();
  arena_.reset();
  head_.emplace(arena_);
  reader_.begin_request(*head_);
  is_response_begun_ = drops_content_ = false;

  if (input_.empty() && !fill_input(io::deadline_in(limits_.idle))) return nullptr;
  const io::Deadline deadline = io::deadline_in(limits_.head);
  while (true) {
    const http::ReadStep step = reader_.read_head(input_);
    input_ = input_.subspan(step.consumed);
    if (step.progress == http::Progress::failed) return refuse();
    if (step.progress == http::Progress::done) break;
    if (!fill_input(deadline)) return nullptr;
  }
  drops_content_ = head_->method == "HEAD";
  has_to_close_ = !head_->keep_alive;
  return &*head_;
}

const http::RequestHead* Connection::refuse() {
  has_to_close_ = true;
  respond(status_for(reader_.error()), "text/plain", std::string(reader_.error_text()) + "\n");
  flush();
  return nullptr;
}

bool Connection::read_body(http::BodySink sink) {
  if (head_->expects_continue && input_.empty() && !is_response_begun_ && !reader_.is_body_done()) {
    http::write_response_head(this->sink(), 100, "", http::HeaderList(arena_), {});
    head_->expects_continue = false;
    flush();
  }
  while (!reader_.is_body_done()) {
    const http::ReadStep step = reader_.read_body(input_, sink);
    input_ = input_.subspan(step.consumed);
    if (step.progress == http::Progress::done) break;
    if (step.progress == http::Progress::failed || !fill_input(io::deadline_in(limits_.stall))) {
      has_to_close_ = true;
      return false;
    }
  }
  return true;
}

void Connection::begin_response(uint16_t status, std::string_view content_type, http::MessageFraming framing,
                                std::span<const Field> more) {
  http::HeaderList headers(arena_);
  bool fits = content_type.empty() || headers.add("content-type", content_type);
  for (const Field& field : more) fits = headers.add(field.name, field.value) && fits;
  // The request has filled the arena: there is no room even for the list of fields.
  if (!fits) has_to_close_ = true;
  is_response_begun_ = true;
  framing.close = has_to_close_;
  framing.keep_alive = !has_to_close_ && head_->version == http::Version::http_1_0;
  http::write_response_head(sink(), status, "", headers, framing);
}

void Connection::respond(uint16_t status, std::string_view content_type, std::string_view body,
                         std::span<const Field> more) {
  is_chunked_ = false;
  // RFC 9110 8.6: a 204 has no content-length, and a 304 no content.
  if (status == 204 || status == 304) return begin_response(status, content_type, {}, more);
  const http::MessageFraming framing{.body = http::BodyFraming::content_length, .content_length = body.size()};
  begin_response(status, content_type, framing, more);
  write_content(as_bytes(body));
}

void Connection::begin_sized(uint16_t status, std::string_view content_type, uint64_t length) {
  is_chunked_ = false;
  begin_response(status, content_type, {.body = http::BodyFraming::content_length, .content_length = length}, {});
}

void Connection::begin_chunked(uint16_t status, std::string_view content_type) {
  // HTTP/1.0 does not know chunks: the end of the connection is the end of the content (RFC 9112 6.3).
  is_chunked_ = head_->version != http::Version::http_1_0;
  has_to_close_ = has_to_close_ || !is_chunked_;
  begin_response(status, content_type,
                 {.body = is_chunked_ ? http::BodyFraming::chunked : http::BodyFraming::until_close}, {});
}

void Connection::write_content(ConstBytes content) {
  if (drops_content_) return;
  while (!content.empty() && !is_broken_) {
    const ConstBytes piece = content.first(std::min(content.size(), kOutputBytes));
    content = content.subspan(piece.size());
    if (is_chunked_) {
      http::write_chunk(sink(), piece);
    } else {
      sink().append(piece);
    }
    if (output_size_ >= kOutputBytes) flush();
  }
}

void Connection::end_response() {
  if (is_chunked_ && !drops_content_) http::write_last_chunk(sink(), nullptr);
  flush();
}

void Connection::switch_protocols(std::string_view upgrade, std::span<const Field> more) {
  begin_response(101, "", {.upgrade = upgrade}, more);
  has_to_close_ = true;
  flush();
}

size_t Connection::read_raw(MutableBytes room) {
  if (input_.empty() && !fill_input(io::deadline_in(limits_.idle))) return 0;
  const size_t count = std::min(input_.size(), room.size());
  std::copy_n(input_.begin(), count, room.begin());
  input_ = input_.subspan(count);
  return count;
}

void Connection::write_raw(ConstBytes bytes) {
  sink().append(bytes);
  flush();
}

void Connection::pause(Duration duration) {
  flush();
  is_broken_ = is_broken_ || socket_.wait_until_closed(io::deadline_in(duration));
}

bool Connection::finish_request() {
  flush();
  if (is_broken_ || has_to_close_) return false;
  // A client that was not told to go on may never send the content (RFC 9110 10.1.1).
  if (head_->expects_continue && !reader_.is_body_done()) return false;
  size_t skipped = 0;
  const http::BodySink count{
      .write = [](void* owner, ConstBytes bytes) { *static_cast<size_t*>(owner) += bytes.size(); }, .owner = &skipped};
  const io::Deadline deadline = io::deadline_in(limits_.stall);
  while (!reader_.is_body_done() && skipped <= kSkippedBytesMax) {
    const http::ReadStep step = reader_.read_body(input_, count);
    input_ = input_.subspan(step.consumed);
    if (step.progress == http::Progress::failed) return false;
    if (step.progress == http::Progress::more && !fill_input(deadline)) return false;
  }
  return reader_.is_body_done();
}

void Connection::close() {
  flush();
  if (is_broken_) return;
  socket_.shutdown_write();
  const io::Deadline deadline = io::deadline_in(kLingerTime);
  for (size_t skipped = 0; skipped < kSkippedBytesMax;) {
    const Result<size_t> count = socket_.read(input_buffer_, deadline);
    if (!count || *count == 0) return;
    skipped += *count;
  }
}

void Connection::flush() {
  if (!is_broken_ && output_size_ > 0) {
    is_broken_ = !socket_.write_all(ConstBytes(output_).first(output_size_), io::deadline_in(limits_.stall));
  }
  output_size_ = 0;
}

ByteSink Connection::sink() noexcept {
  const auto reserve = [](void* owner, size_t at_least) {
    auto& self = *static_cast<Connection*>(owner);
    const size_t needed = self.output_size_ + std::max(at_least, kRoomBytes);
    if (self.output_.size() < needed) self.output_.resize(needed);
    return MutableBytes(self.output_).subspan(self.output_size_);
  };
  const auto commit = [](void* owner, size_t used) { static_cast<Connection*>(owner)->output_size_ += used; };
  return {.reserve = reserve, .commit = commit, .owner = this};
}

}  // namespace sluice::web

#include "forward/replayable_content.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/release_memory.h"

#include <algorithm>

namespace sluice::forward {

void ReplayableContent::rewind() noexcept {
  CHECK(is_keeping_);
  replayed_ = 0;
}

void ReplayableContent::forget() noexcept {
  if (replayed_ < kept_.size()) return;  // still needed for this repetition
  is_keeping_ = false;
  budget_.give_back(kept_.size());
  release_memory(kept_);
  replayed_ = 0;
}

ContentSource::Status ReplayableContent::read_content(size_t room, http::BodySink to) {
  if (replayed_ < kept_.size()) {
    if (room == 0) return Status::no_room;
    const size_t size = std::min(room, kept_.size() - replayed_);
    to.write(to.owner, as_bytes(std::string_view(kept_).substr(replayed_, size)));
    replayed_ += size;
    return Status::more;
  }
  if (is_done_) return Status::done;
  struct Copy {
    ReplayableContent* self;
    http::BodySink to;
  } copy{this, to};
  const auto keep = [](void* owner, ConstBytes content) {
    const auto& [self, sink] = *static_cast<Copy*>(owner);
    self->bytes_received_ += content.size();
    const bool fits = content.size() <= self->bytes_max_ - self->kept_.size();
    if (self->is_keeping_ && !(fits && self->budget_.take(content.size()))) self->forget();
    if (self->is_keeping_) self->kept_ += as_text(content);
    self->replayed_ = self->kept_.size();
    sink.write(sink.owner, content);
  };
  const Status status = source_.read_content(room, {.write = keep, .owner = &copy});
  is_done_ = status == Status::done;
  return status;
}

void ReplayableContent::pass_by(uint64_t count) noexcept {
  bytes_received_ += count;
  source_.pass_by(count);
}

}  // namespace sluice::forward

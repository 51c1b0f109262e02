// Content that lies in memory, written as fast as it is taken: the body of a response that sluice gives itself, or of a
// request that is copied.
#pragma once

#include "forward/content.h"

#include "base/arena.h"

#include <algorithm>
#include <string_view>

namespace sluice::forward {

class MemoryContent final : public ContentSource {
 public:
  // `text` outlives it.
  MemoryContent(std::string_view text, Arena& arena) noexcept : rest_(as_bytes(text)), trailers_(arena) {}

  Status read_content(size_t room, http::BodySink to) override {
    if (rest_.empty()) return Status::done;
    if (room == 0) return Status::no_room;
    const ConstBytes piece = rest_.first(std::min(room, rest_.size()));
    rest_ = rest_.subspan(piece.size());
    to.write(to.owner, piece);
    return Status::more;
  }
  [[nodiscard]] const http::HeaderList& trailers() const noexcept override { return trailers_; }
  [[nodiscard]] uint64_t passable_bytes() const noexcept override { return 0; }
  void pass_by(uint64_t) noexcept override {}

 private:
  ConstBytes rest_;
  http::HeaderList trailers_;  // none
};

}  // namespace sluice::forward

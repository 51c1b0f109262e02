// The content of a request that may have to be sent again: what is read of it is kept, up to a bound, and handed out
// once more after rewind(). Beyond the bound, or what the shard keeps at the most, nothing is kept, and the request
// cannot be repeated any more. One thread.
#pragma once

#include "forward/content.h"
#include "forward/content_budget.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::forward {

class ReplayableContent final : public ContentSource {
 public:
  // `source` and `budget` outlive it.
  ReplayableContent(ContentSource& source, size_t bytes_max, ContentBudget& budget) noexcept
      : source_(source), bytes_max_(bytes_max), budget_(budget) {}
  ReplayableContent(const ReplayableContent&) = delete;
  ReplayableContent& operator=(const ReplayableContent&) = delete;
  ~ReplayableContent() { budget_.give_back(kept_.size()); }

  [[nodiscard]] bool can_rewind() const noexcept { return is_keeping_; }
  // Requires can_rewind().
  void rewind() noexcept;
  // What was read of the source so far. The same.
  [[nodiscard]] std::string_view kept() const noexcept { return kept_; }
  // It will not be repeated: what was kept goes.
  void forget() noexcept;
  // Of the source, so far.
  [[nodiscard]] uint64_t bytes_received() const noexcept { return bytes_received_; }

  Status read_content(size_t room, http::BodySink to) override;
  [[nodiscard]] const http::HeaderList& trailers() const noexcept override { return source_.trailers(); }
  [[nodiscard]] uint64_t passable_bytes() const noexcept override { return is_keeping_ ? 0 : source_.passable_bytes(); }
  void pass_by(uint64_t count) noexcept override;

 private:
  ContentSource& source_;
  size_t bytes_max_;
  ContentBudget& budget_;
  std::string kept_;     // taken from the budget
  size_t replayed_ = 0;  // of kept_: what the current repetition has handed out
  uint64_t bytes_received_ = 0;
  bool is_keeping_ = true;
  bool is_done_ = false;  // the source has said so
};

}  // namespace sluice::forward

#include "sim/talker.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace sluice::sim {

namespace {
constexpr Duration kReactionMax = std::chrono::microseconds(300);
}

void Talker::talk_over(Endpoint& endpoint) {
  endpoint_ = &endpoint;
  ++call_;
  out_.clear();
  last_progress_ = world_.now();
  pump_pending_ = read_pausing_ = write_pausing_ = finish_wanted_ = write_failed_ = has_read_end_ = false;
  is_reading_ = is_writing_ = true;
  endpoint.on_change = [this] { pump_later(); };
  pump_later();
}

void Talker::pump_later() {
  if (std::exchange(pump_pending_, true)) return;
  world_.after(world_.delay(kReactionMax), [this, call = call_] {
    if (call != call_ || endpoint_ == nullptr) return;
    pump_pending_ = false;
    pump();
  });
}

void Talker::hang_up(bool with_reset) {
  if (endpoint_ == nullptr) return;
  Endpoint& ended = *std::exchange(endpoint_, nullptr);
  world_.trace("{} hangs up on {}{}", ended.local().to_string(), ended.remote().to_string(), with_reset ? " with a reset" : "");
  if (with_reset) {
    ended.reset();
  } else {
    ended.close();
  }
}

void Talker::pump() {
  write_some();
  read_some();
}

bool Talker::pauses(const Pace& pace, bool& is_pausing) {
  if (!world_.chance(pace.pause_chance)) return false;
  is_pausing = true;
  world_.after(world_.delay(pace.pause_max), [this, call = call_, &is_pausing] {
    if (call != call_) return;
    is_pausing = false;
    last_progress_ = world_.now();
    pump_later();
  });
  return true;
}

void Talker::write_some() {
  while (endpoint_ != nullptr && is_writing_ && !write_pausing_ && !write_failed_) {
    if (out_.empty() && !finish_wanted_ && !produce() && !finish_wanted_) return;
    if (endpoint_ == nullptr) return;  // produce() hung up
    if (out_.empty()) {
      if (finish_wanted_) {
        endpoint_->shutdown_write();
        is_writing_ = false;
      }
      return;
    }
    const size_t piece = std::min(out_.size(), world_.between(1, writing_.piece_max));
    const long written = endpoint_->write(out_.view().first(piece));
    if (written == -EAGAIN) return;
    last_progress_ = world_.now();
    if (written < 0) {
      write_failed_ = true;
      if (has_read_end_) on_end(/*is_orderly=*/false);  // otherwise reading will tell
    } else {
      out_.drop(static_cast<size_t>(written));
      pauses(writing_, write_pausing_);
    }
  }
}

void Talker::read_some() {
  std::array<std::byte, 16 * 1024> buffer;
  while (endpoint_ != nullptr && is_reading_ && !read_pausing_) {
    const size_t most = world_.between(1, std::min(buffer.size(), reading_.piece_max));
    const long count = endpoint_->read(MutableBytes(buffer).first(most));
    if (count == -EAGAIN) return;
    last_progress_ = world_.now();
    if (count <= 0) {
      is_reading_ = false;
      has_read_end_ = true;
      on_end(count == 0 && endpoint_->has_peer_finished());
      if (endpoint_ != nullptr && write_failed_) on_end(/*is_orderly=*/false);
      return;
    }
    on_bytes(ConstBytes(buffer).first(static_cast<size_t>(count)));
    pauses(reading_, read_pausing_);
  }
}

}  // namespace sluice::sim

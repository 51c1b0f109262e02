#include "sim/talker.h"

#include "openssl_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace sluice::sim {

namespace {
constexpr Duration kReactionMax = std::chrono::microseconds(300);
}

Talker::Talker(World& world) noexcept : world_(world) {}

Talker::~Talker() = default;

void Talker::talk_over(Endpoint& endpoint) { talk_over(endpoint, nullptr); }

void Talker::talk_over(Endpoint& endpoint, std::unique_ptr<test::OpensslClient> tls) {
  endpoint_ = &endpoint;
  tls_ = std::move(tls);
  ++call_;
  out_.clear();
  wire_.clear();
  last_progress_ = world_.now();
  pump_pending_ = read_pausing_ = write_pausing_ = finish_wanted_ = write_failed_ = has_read_end_ = false;
  is_secure_ = close_notified_ = false;
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
  world_.trace("{} hangs up on {}{}", ended.local().to_string(), ended.remote().to_string(),
               with_reset ? " with a reset" : "");
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

bool Talker::shake_hands() {
  if (!is_secure_) is_secure_ = tls_->handshake();
  wire_.append(as_bytes(tls_->take_output()));
  return is_secure_;
}

bool Talker::fill_wire() {
  if (tls_ != nullptr && (!shake_hands() || !wire_.empty())) return !wire_.empty();
  if (out_.empty() && !finish_wanted_ && !produce() && !finish_wanted_) return false;
  if (endpoint_ == nullptr) return false;  // produce() hung up
  if (out_.empty()) {
    if (tls_ == nullptr || std::exchange(close_notified_, true)) {
      endpoint_->shutdown_write();
      is_writing_ = false;
      return false;
    }
    tls_->send_close_notify();
    wire_.append(as_bytes(tls_->take_output()));
    return true;
  }
  const ConstBytes piece = out_.bytes().first(std::min(out_.size(), world_.between(1, writing_.piece_max)));
  if (tls_ == nullptr) {
    wire_.append(piece);
  } else {
    tls_->write(as_text(piece));
    wire_.append(as_bytes(tls_->take_output()));
  }
  out_.consume(piece.size());
  return true;
}

void Talker::write_some() {
  while (endpoint_ != nullptr && is_writing_ && !write_pausing_ && !write_failed_) {
    if (wire_.empty() && !fill_wire()) return;
    const long written = endpoint_->write(wire_.bytes());
    if (written == -EAGAIN) return;
    last_progress_ = world_.now();
    if (written < 0) {
      write_failed_ = true;
      if (has_read_end_) on_end(/*is_orderly=*/false);  // otherwise reading will tell
    } else {
      wire_.consume(static_cast<size_t>(written));
      pauses(writing_, write_pausing_);
    }
  }
}

void Talker::hear(ConstBytes bytes) {
  if (tls_ == nullptr) {
    on_bytes(bytes);
    return;
  }
  tls_->feed(bytes);
  if (!is_secure_) pump_later();  // the handshake's answer
  if (!shake_hands()) return;
  const std::string plaintext = tls_->read();
  if (!plaintext.empty()) on_bytes(as_bytes(plaintext));
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
      const bool is_notified = tls_ == nullptr || tls_->got_close_notify();
      on_end(count == 0 && endpoint_->has_peer_finished() && is_notified);
      if (endpoint_ != nullptr && write_failed_) on_end(/*is_orderly=*/false);
      return;
    }
    hear(ConstBytes(buffer).first(static_cast<size_t>(count)));
    pauses(reading_, read_pausing_);
  }
}

}  // namespace sluice::sim

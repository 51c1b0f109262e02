#include "sim/stream_actors.h"

#include "openssl_client.h"
#include "sim/gateway_snapshot.h"
#include "sim/pattern.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace sluice::sim {

namespace {

constexpr size_t kPieceMax = 8 * 1024;
constexpr Duration kFinishCheck = std::chrono::milliseconds(1);

// The next piece of `size` bytes, of which `said` have been said; returns its size.
size_t put_piece(World& world, ByteQueue& out, uint64_t key, uint64_t said, size_t size) {
  std::array<std::byte, kPieceMax> piece;
  const size_t count = std::min<size_t>(size - said, world.between(1, kPieceMax));
  fill_pattern(key, said, MutableBytes(piece).first(count));
  out.append(ConstBytes(piece).first(count));
  return count;
}

}  // namespace

// --- the client ------------------------------------------------------------------------------------

StreamClient::StreamClient(Judge& judge, StreamPlan& plan) : Talker(judge.world()), judge_(judge), plan_(plan) {
  writing_ = plan.writing;
  reading_ = plan.reading;
  world_.after(plan.start, [this] { connect(); });
}

std::string StreamClient::state() const {
  return fmt::format("stream {} ({}): {} of {} bytes up{}, {} of {} down{}, arrived {}, from {}", plan_.id,
                     static_cast<int>(plan_.way), sent_, plan_.up, write_ended_ ? " and the end" : "", received_,
                     plan_.down, read_ended_ ? " and the end" : "", plan_.has_arrived,
                     is_talking() ? endpoint().local().to_string() : "-");
}

void StreamClient::connect() {
  Endpoint* endpoint = world_.network().connect(listen_address(plan_.way));
  if (endpoint == nullptr) {
    finish(false);
    return;
  }
  world_.trace("stream {}: from {}", plan_.id, endpoint->local().to_string());
  const bool speaks_tls = plan_.way == StreamPlan::Way::terminated;
  talk_over(*endpoint, speaks_tls ? std::make_unique<test::OpensslClient>(
                                        test::ClientOptions{.server_name = terminated_server_name})
                                  : nullptr);
}

void StreamClient::finish(bool with_reset) {
  hang_up(with_reset);
  is_done_ = true;
}

bool StreamClient::produce() {
  if (write_ended_) return false;
  if (plan_.reset_by_client && sent_ >= plan_.up / 2) {
    ++judge_.tally().streams_lost;
    finish(/*with_reset=*/true);
    return false;
  }
  if (!std::exchange(has_opened_, true)) {
    out().append(as_bytes(plan_.opening()));
    return true;
  }
  if (sent_ < plan_.up) {
    sent_ += put_piece(world_, out(), tunnel_up_key(plan_.id), sent_, plan_.up);
    return true;
  }
  write_ended_ = plan_.client_finished = true;
  finish_writing();
  pump_later();
  if (read_ended_) finish_when_written();
  return false;
}

void StreamClient::on_bytes(ConstBytes bytes) {
  judge_.on_stream_down(plan_, received_, bytes);
  received_ += bytes.size();
}

void StreamClient::on_end(bool is_orderly) {
  if (!is_orderly || !judge_.on_stream_down_end(plan_, received_)) {
    judge_.on_stream_lost(plan_);
    finish(false);
    return;
  }
  read_ended_ = true;
  if (write_ended_) finish_when_written();
}

void StreamClient::finish_when_written() {
  if (!is_talking()) return;
  if (!has_finished_writing()) {
    world_.after(kFinishCheck, [this] { finish_when_written(); });
    return;
  }
  ++judge_.tally().streams;
  finish(false);
}

// --- the destination -------------------------------------------------------------------------------

StreamUpstream::StreamUpstream(Judge& judge, const RunPlan& plan, Endpoint& endpoint)
    : Talker(judge.world()), judge_(judge) {
  writing_ = plan.upstream_writing;
  reading_ = plan.upstream_reading;
  talk_over(endpoint);
}

void StreamUpstream::on_bytes(ConstBytes bytes) {
  if (plan_ != nullptr) {
    judge_.on_stream_up(*plan_, received_, bytes);
    received_ += bytes.size();
    return;
  }
  opening_ += as_text(bytes);
  size_t size = 0;
  plan_ = judge_.on_opening(endpoint().local(), as_bytes(opening_), size);
  if (plan_ == nullptr) return;
  judge_.on_stream_up(*plan_, 0, as_bytes(opening_).subspan(size));
  received_ = opening_.size() - size;
  pump_later();
}

void StreamUpstream::on_end(bool is_orderly) {
  if (is_orderly) {
    if (plan_ == nullptr) world_.fail("a connection without HTTP ended in order before its client had said who it is");
    judge_.on_stream_up_end(*plan_, received_);
    read_ended_ = true;
    if (!write_ended_) return;
  }
  hang_up(false);
}

bool StreamUpstream::produce() {
  if (plan_ == nullptr || write_ended_) return false;
  if (plan_->reset_by_upstream && said_ >= plan_->down / 2) {
    hang_up(/*with_reset=*/true);
    return false;
  }
  if (said_ < plan_->down) {
    said_ += put_piece(world_, out(), tunnel_down_key(plan_->id), said_, plan_->down);
    return true;
  }
  write_ended_ = plan_->upstream_finished = true;
  finish_writing();
  pump_later();
  if (read_ended_) hang_up(false);
  return false;
}

}  // namespace sluice::sim

// Two open streams in the simulated world, as a pump sees them: the source, whose peer the test speaks for,
// and the sink, whose peer the test listens for.
#pragma once

#include "sim_io/kernel.h"
#include "sim_io/network.h"
#include "sim_io/world.h"
#include "transport/transport.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace sluice::test {

using namespace std::chrono_literals;

class StreamPair {
 public:
  explicit StreamPair(uint64_t seed = 1, const sim::Weather& weather = {})
      : world_(seed, weather), loop_(std::move(*io::Loop::create())) {
    const SocketAddress address = *SocketAddress::parse("192.0.2.1:80");
    for (End* end : {&source_, &sink_}) {
      world_.network().serve(address, {.answer = [] { return sim::Network::Answer{}; },
                                       .on_connection = [end](sim::Endpoint& peer) { end->peer = &peer; }});
      end->transport = std::make_unique<transport::Transport>(*loop_, [](void*) {}, nullptr);
      end->transport->stream().connect(address);
      EXPECT_TRUE(turn_until([end] { return end->transport->stream().is_open(); }));
    }
  }
  ~StreamPair() {
    for (End* end : {&source_, &sink_}) {
      end->transport->stream().terminate();
      EXPECT_TRUE(turn_until([end] { return end->transport->stream().is_closed(); }));
    }
    for (int i = 0; i < 3; ++i) loop_->turn(10ms);
    source_.transport.reset();
    sink_.transport.reset();
    world_.check_nothing_left();
    EXPECT_EQ(loop_->chunks().taken_count(), 0U);
  }

  template <typename IsDone>
  bool turn_until(IsDone is_done) {
    for (int i = 0; i < 100'000; ++i) {
      speak_and_listen();
      if (is_done()) return true;
      loop_->turn(1ms);
    }
    return false;
  }

  void say(std::string_view text) { unsaid_ += text; }
  void finish() { finish_wanted_ = true; }

  [[nodiscard]] transport::Transport& source() { return *source_.transport; }
  [[nodiscard]] transport::Transport& sink() { return *sink_.transport; }
  [[nodiscard]] sim::Endpoint& source_peer() { return *source_.peer; }
  [[nodiscard]] sim::Endpoint& sink_peer() { return *sink_.peer; }
  [[nodiscard]] const std::string& heard() const { return heard_; }
  [[nodiscard]] io::Loop& loop() { return *loop_; }

  // In thousandths, from now on.
  void set_descriptors_out(unsigned chance) { world_.set_descriptors_out(chance); }

  bool is_listening = true;

 private:
  struct End {
    std::unique_ptr<transport::Transport> transport;
    sim::Endpoint* peer = nullptr;
  };

  void speak_and_listen() {
    if (source_.peer != nullptr && !source_.peer->is_closed()) {
      while (!unsaid_.empty()) {
        const long written = source_.peer->write(as_bytes(unsaid_));
        if (written <= 0) break;
        unsaid_.erase(0, static_cast<size_t>(written));
      }
      if (finish_wanted_ && unsaid_.empty() && !std::exchange(has_finished_, true)) source_.peer->shutdown_write();
    }
    if (sink_.peer == nullptr || sink_.peer->is_closed() || !is_listening) return;
    std::array<std::byte, 16 * 1024> room;
    for (long count = 0; (count = sink_.peer->read(room)) > 0;)
      heard_ += as_text(ConstBytes(room).first(static_cast<size_t>(count)));
  }

  sim::World world_;
  std::unique_ptr<io::Loop> loop_;
  End source_;
  End sink_;
  std::string unsaid_;
  std::string heard_;
  bool finish_wanted_ = false;
  bool has_finished_ = false;
};

}  // namespace sluice::test

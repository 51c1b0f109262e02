// Somebody at the other end of a connection: writes what he has to say and reads what comes, each at his
// own pace. Clients and upstreams of the simulation are talkers. Lives until the end of the run.
#pragma once

#include "base/bytes.h"
#include "sim_io/byte_queue.h"
#include "sim_io/network.h"
#include "sim_io/world.h"

#include <memory>

namespace sluice::test {
class OpensslClient;
}

namespace sluice::sim {

struct Pace {
  size_t piece_max = 16 * 1024;
  unsigned pause_chance = 0;  // after a piece, in thousandths
  Duration pause_max{};
};

class Talker {
 public:
  explicit Talker(World& world) noexcept;
  Talker(const Talker&) = delete;
  Talker& operator=(const Talker&) = delete;
  virtual ~Talker();

  [[nodiscard]] Instant last_progress() const noexcept { return last_progress_; }

 protected:
  // Puts the next piece into out(); false: there is none now.
  virtual bool produce() = 0;
  virtual void on_bytes(ConstBytes bytes) = 0;
  // The other side has ended, in order or by a reset; nothing more will come.
  virtual void on_end(bool is_orderly) = 0;

  void talk_over(Endpoint& endpoint);
  // What is said and heard goes through `tls`.
  void talk_over(Endpoint& endpoint, std::unique_ptr<test::OpensslClient> tls);
  // Looks soon whether something can be written or read.
  void pump_later();
  // What is in out() goes first.
  void finish_writing() noexcept { finish_wanted_ = true; }
  // Everything, close_notify and FIN included, has been written.
  [[nodiscard]] bool has_finished_writing() const noexcept { return finish_wanted_ && !is_writing_; }
  // Nothing is heard of the connection any more.
  void hang_up(bool with_reset);
  void stop_reading() noexcept { is_reading_ = false; }
  void resume_reading() noexcept { is_reading_ = true; }
  void stop_writing() noexcept { is_writing_ = false; }

  [[nodiscard]] bool is_talking() const noexcept { return endpoint_ != nullptr; }
  [[nodiscard]] Endpoint& endpoint() const noexcept { return *endpoint_; }
  [[nodiscard]] ByteQueue& out() noexcept { return out_; }

  World& world_;
  Pace writing_;
  Pace reading_;

 private:
  void pump();
  void write_some();
  // Puts the next piece into wire_; false: there is none now.
  bool fill_wire();
  bool shake_hands();
  void hear(ConstBytes bytes);
  void read_some();
  // True: pauses, and goes on after it.
  bool pauses(const Pace& pace, bool& is_pausing);

  Endpoint* endpoint_ = nullptr;  // while the connection lasts
  uint64_t call_ = 0;             // counts connections: what was scheduled for an older one is void
  std::unique_ptr<test::OpensslClient> tls_;
  ByteQueue out_;   // plaintext
  ByteQueue wire_;  // what goes into the socket next
  Instant last_progress_{};
  bool pump_pending_ = false;
  bool is_reading_ = true;
  bool is_writing_ = true;
  bool read_pausing_ = false;
  bool write_pausing_ = false;
  bool finish_wanted_ = false;
  bool write_failed_ = false;
  bool has_read_end_ = false;
  bool is_secure_ = false;  // the handshake is done
  bool close_notified_ = false;
};

}  // namespace sluice::sim

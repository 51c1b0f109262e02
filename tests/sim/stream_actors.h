// The two ends of a connection without HTTP: each says its opening or waits for it, then its bytes, then FIN, and
// checks what it hears.
#pragma once

#include "sim/judge.h"
#include "sim/plan.h"
#include "sim/talker.h"

#include <cstdint>
#include <string>

namespace sluice::sim {

class StreamClient : public Talker {
 public:
  StreamClient(Judge& judge, StreamPlan& plan);

  [[nodiscard]] bool is_done() const noexcept { return is_done_; }
  [[nodiscard]] std::string state() const;

 private:
  bool produce() override;
  void on_bytes(ConstBytes bytes) override;
  void on_end(bool is_orderly) override;

  void connect();
  void finish(bool with_reset);
  void finish_when_written();

  Judge& judge_;
  StreamPlan& plan_;
  uint64_t sent_ = 0;  // after the opening
  uint64_t received_ = 0;
  bool has_opened_ = false;
  bool write_ended_ = false;
  bool read_ended_ = false;
  bool is_done_ = false;
};

class StreamUpstream : public Talker {
 public:
  StreamUpstream(Judge& judge, const RunPlan& plan, Endpoint& endpoint);

 private:
  bool produce() override;
  void on_bytes(ConstBytes bytes) override;
  void on_end(bool is_orderly) override;

  Judge& judge_;
  std::string opening_;         // what has come of it
  StreamPlan* plan_ = nullptr;  // from the complete opening on
  uint64_t said_ = 0;
  uint64_t received_ = 0;
  bool write_ended_ = false;
  bool read_ended_ = false;
};

}  // namespace sluice::sim

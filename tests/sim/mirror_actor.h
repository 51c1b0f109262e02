// One connection to a mirror: reads copies of requests, checks that they are what clients sent, and answers, or does
// not.
#pragma once

#include "sim/judge.h"
#include "sim/message_reader.h"
#include "sim/plan.h"
#include "sim/talker.h"

#include <cstdint>

namespace sluice::sim {

class MirrorActor : public Talker {
 public:
  MirrorActor(Judge& judge, const RunPlan& plan, Endpoint& endpoint);

 private:
  bool produce() override { return false; }
  void on_bytes(ConstBytes bytes) override;
  void on_end(bool) override { hang_up(false); }

  void answer();

  Judge& judge_;
  MessageReader reader_;
  const RequestPlan* request_ = nullptr;  // from a copy's head on
  uint64_t body_received_ = 0;
};

}  // namespace sluice::sim

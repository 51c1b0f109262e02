// One connection to an upstream: reads requests, checks that they are what clients sent, and answers each
// as planned.
#pragma once

#include "sim/judge.h"
#include "sim/message_reader.h"
#include "sim/plan.h"
#include "sim/talker.h"

#include <cstdint>

namespace sluice::sim {

class UpstreamActor : public Talker {
 public:
  UpstreamActor(Judge& judge, const RunPlan& plan, Endpoint& endpoint);

 private:
  // How far the answer is; `nothing` also between two requests.
  enum class Saying : uint8_t { nothing, head, body, tunnel };

  bool produce() override;
  void on_bytes(ConstBytes bytes) override;
  void on_end(bool is_orderly) override;

  void on_head();
  void on_content(ConstBytes content);
  void on_request_complete();
  void answer_after(Duration delay);
  void say_head();
  void say_body();
  void say_end();
  void say_tunnel();
  void on_said();
  void do_afterwards(ResponsePlan::Afterwards afterwards);
  // True: the plan wants it to stop here, and it did.
  bool stops_here();
  [[nodiscard]] bool has_response_body() const;
  [[nodiscard]] bool switches_protocols() const { return request_->is_upgrade && !request_->upgrade_is_refused; }

  Judge& judge_;
  MessageReader reader_;
  RequestPlan* request_ = nullptr;  // from its head to the end of its answer
  Saying saying_ = Saying::nothing;
  bool is_answering_ = false;
  bool is_answered_ = false;
  uint64_t body_received_ = 0;
  uint64_t body_said_ = 0;
  uint64_t tunnel_received_ = 0;
  uint64_t tunnel_said_ = 0;
  bool tunnel_read_ended_ = false;
  bool tunnel_write_ended_ = false;
};

}  // namespace sluice::sim

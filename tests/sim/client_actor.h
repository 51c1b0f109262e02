// A client: asks for what is planned, one request after the other or all at once, over as many connections
// as it takes, and checks the answers. Some have bad manners.
#pragma once

#include "sim/judge.h"
#include "sim/message_reader.h"
#include "sim/plan.h"
#include "sim/talker.h"

#include <cstdint>
#include <string>

namespace sluice::sim {

class ClientActor : public Talker {
 public:
  ClientActor(Judge& judge, bool is_calm, ClientPlan& plan);

  [[nodiscard]] bool is_done() const noexcept { return is_done_; }
  // Waits for the gateway to end an idle connection, which takes as long as it takes.
  [[nodiscard]] bool is_resting() const noexcept { return is_resting_; }
  [[nodiscard]] bool is_rude() const noexcept { return plan_.manners != ClientPlan::Manners::good; }
  [[nodiscard]] std::string state() const;

 private:
  enum class Sending : uint8_t { between, await_continue, body, end, tunnel };

  bool produce() override;
  void on_bytes(ConstBytes bytes) override;
  void on_end(bool is_orderly) override;

  void connect();
  void finish(bool with_reset = false);
  void rest();
  bool misbehave();
  void give_up_later();

  // --- sending ---
  bool send_head();
  bool send_body();
  void on_request_sent();
  bool send_tunnel();
  bool leaves(bool while_sending, uint64_t bytes, RequestPlan& request);

  // --- receiving ---
  void begin_response();
  [[nodiscard]] SeenHead seen() const;
  void on_head();
  void on_content(ConstBytes content);
  void on_response_complete();
  void on_tunnel_end(bool is_orderly);
  [[nodiscard]] RequestPlan& sent() { return plan_.requests[sending_index_]; }
  [[nodiscard]] RequestPlan& awaited() { return plan_.requests[awaited_index_]; }
  [[nodiscard]] bool is_awaiting() const noexcept { return awaited_index_ < begun_count_; }

  Judge& judge_;
  const bool is_calm_;
  ClientPlan& plan_;
  MessageReader reader_;
  size_t sending_index_ = 0;  // of the request that is being sent, or the next one
  size_t begun_count_ = 0;    // requests of which anything was sent
  size_t awaited_index_ = 0;  // of the request whose response comes next
  Sending sending_ = Sending::between;
  uint64_t body_sent_ = 0;
  uint64_t body_received_ = 0;
  uint64_t tunnel_sent_ = 0;
  uint64_t tunnel_received_ = 0;
  bool is_in_tunnel_ = false;
  bool tunnel_read_ended_ = false;
  bool tunnel_write_ended_ = false;
  bool server_closes_ = false;  // the last response said so
  bool has_left_ = false;       // on its own, in the middle of something
  bool has_misbehaved_ = false;
  bool is_resting_ = false;
  bool is_done_ = false;
};

}  // namespace sluice::sim

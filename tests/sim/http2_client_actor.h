// A client that speaks HTTP/2: asks for what is planned, several requests at a time, over as many connections as it
// takes, and checks the answers. Some have bad manners. Frames are http::Http2Session's, whose other role is judged:
// nghttp2 in it is strict, and which bytes belong to whom is known without it.
#pragma once

#include "base/arena.h"
#include "base/byte_sink.h"
#include "http/http2_session.h"
#include "http/http2_stream.h"
#include "sim/http2_frame_watch.h"
#include "sim/judge.h"
#include "sim/plan.h"
#include "sim/talker.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice::sim {

class Http2ClientActor : public Talker {
 public:
  Http2ClientActor(Judge& judge, bool is_calm, ClientPlan& plan);
  ~Http2ClientActor() override;

  [[nodiscard]] bool is_done() const noexcept { return is_done_; }
  // Waits for the gateway to end an idle connection, which takes as long as it takes.
  [[nodiscard]] bool is_resting() const noexcept { return is_resting_; }
  // There is a time by which it must have been cut off.
  [[nodiscard]] bool is_rude() const noexcept;
  [[nodiscard]] std::string state() const;

 private:
  // A request under way, with its response.
  struct Asked {
    Asked(http::Http2Session& session, RequestPlan& its_plan);

    RequestPlan& plan;
    Arena arena;
    http::ResponseHead response;
    http::Http2Stream stream;
    SeenHead head;  // from the final response's head on: status is not 0
    uint64_t sent = 0;
    uint64_t received = 0;
    bool awaits_continue = false;
    bool is_sent = false;  // there is nothing more to send
    bool is_over = false;
  };

  bool produce() override;
  void on_bytes(ConstBytes bytes) override;
  void on_end(bool is_orderly) override;

  // --- connections ---
  void connect();
  void begin_session();
  void end_session();
  void finish(bool with_reset = false);
  void go_on();
  // Nothing is under way.
  void on_idle();
  void leave(bool with_reset);
  // No session: what it says is no HTTP/2, or not all of it.
  [[nodiscard]] bool has_no_session() const noexcept;
  void misbehave();
  void give_up_later();

  // --- sending ---
  void say_frames(const std::string& frames);
  void ping();
  [[nodiscard]] bool may_ask();
  void ask();
  void lose_patience_later(uint64_t id);
  void open_window_later(uint64_t id, uint32_t left);
  void open_connection_window();
  // A piece of some request's content; false: there is none to be sent.
  bool send_content();
  void send_piece(Asked& asked);
  void send_end(Asked& asked);

  // --- receiving ---
  void look();
  void look_at(Asked& asked);
  void on_informational(Asked& asked);
  void on_head(Asked& asked);
  void read_content(Asked& asked);
  void on_complete(Asked& asked);
  void on_lost(Asked& asked);
  bool leaves(bool while_sending, uint64_t bytes, Asked& asked);
  void cancel(Asked& asked);
  void hold_sometimes();
  void look_after(Duration delay);
  [[nodiscard]] Asked* find(uint64_t id) const;
  void forget_ended();

  Judge& judge_;
  const bool is_calm_;
  ClientPlan& plan_;
  const Http2Plan& http2_;
  std::string room_;                             // of the session's sink
  std::unique_ptr<http::Http2Session> session_;  // before asked_: they die first
  std::vector<std::unique_ptr<Asked>> asked_;
  Http2FrameWatch watch_;
  uint64_t connection_ = 0;  // counts them
  size_t begun_count_ = 0;   // requests
  size_t begun_here_ = 0;    // of them, on this connection
  size_t pings_ = 0;
  uint64_t connection_window_opened_ = 0;  // by us, not by the session
  bool is_holding_ = false;                // takes no content
  bool has_said_goodbye_ = false;
  bool has_left_ = false;  // on its own, in the middle of something
  bool has_misbehaved_ = false;
  bool is_resting_ = false;
  bool is_done_ = false;
};

}  // namespace sluice::sim

// One connection to an upstream that speaks HTTP/2: reads requests, checks that they are what clients sent, and
// answers each as planned. On nghttp2 itself, on purpose not on src/http: the judge does not use what he judges.
#pragma once

#include "sim/judge.h"
#include "sim/plan.h"
#include "sim/talker.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

struct nghttp2_session;

namespace sluice::sim {

class Http2UpstreamActor : public Talker {
 public:
  Http2UpstreamActor(Judge& judge, const RunPlan& plan, Endpoint& endpoint);
  ~Http2UpstreamActor() override;

 private:
  struct Callbacks;  // nghttp2's

  // A request and its answer.
  struct Stream {
    std::map<std::string, std::string> fields;  // of the head, pseudo-header fields too
    RequestPlan* request = nullptr;             // from the head's end on
    uint64_t body_received = 0;
    uint64_t body_said = 0;
    bool is_complete = false;
    bool is_answering = false;
  };

  bool produce() override;
  void on_bytes(ConstBytes bytes) override;
  void on_end(bool is_orderly) override;

  [[nodiscard]] Stream& stream(int32_t id) { return streams_[id]; }
  void on_head(int32_t id);
  void on_content(int32_t id, ConstBytes content);
  void on_complete(int32_t id);
  void answer_after(int32_t id, Duration delay);
  void answer(int32_t id);
  // The next piece of a response's body into `piece`; nghttp2's data flags are added to.
  [[nodiscard]] long say(int32_t id, MutableBytes piece, uint32_t& flags);
  void on_said(int32_t id);
  void say_goodbye();

  Judge& judge_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Stream> streams_;
  int32_t last_id_ = 0;
  bool has_said_goodbye_ = false;
};

}  // namespace sluice::sim

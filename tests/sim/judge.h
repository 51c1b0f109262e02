// What must hold whatever happens: nobody gets another one's bytes, nobody takes half a body for a whole
// one, nothing that is not idempotent happens twice, nobody waits for ever.
#pragma once

#include "sim/message_reader.h"
#include "sim/plan.h"
#include "sim_io/world.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::sim {

// What a client has read of a response's head, whatever version carries it.
struct SeenHead {
  unsigned status = 0;
  std::optional<std::string> id{};  // of the request that an upstream has answered; none: sluice did by itself
};

// What happened in a run; the sum over many runs shows that everything was exercised.
struct Tally {
  uint64_t requests = 0;
  uint64_t answered = 0;  // by an upstream, in full
  uint64_t local = 0;     // by sluice itself
  uint64_t lost = 0;      // cut off, or the client left
  uint64_t tunnels = 0;   // ended in order on both sides
  uint64_t streams = 0;   // without HTTP, ended in order on both sides
  uint64_t streams_lost = 0;
  uint64_t http2_answered = 0;   // of the requests above, those of HTTP/2 that had their answer
  uint64_t http2_cancelled = 0;  // whose streams the client has reset
  uint64_t http2_broken = 0;     // connections that ended because the client had broken the rules
  uint64_t executions = 0;
  uint64_t body_bytes = 0;
  uint64_t spliced_bytes = 0;
  uint64_t tls_handshakes = 0;
  uint64_t retries = 0;
  uint64_t copies = 0;  // of requests, at mirrors
  uint64_t upstream_reuses = 0;
  uint64_t turns = 0;

  void add(const Tally& other);
};

class Judge {
 public:
  Judge(World& world, RunPlan& plan) noexcept : world_(world), plan_(plan) {}

  // --- what an upstream sees ---
  // The one that a request's field x-id names; null: there is none.
  [[nodiscard]] RequestPlan* find(std::string_view id);
  // The head of a request, which names one of the plan.
  [[nodiscard]] RequestPlan& on_execution(std::string_view method, std::string_view target, std::string_view id,
                                          const SocketAddress& upstream);
  void on_request_content(const RequestPlan& request, uint64_t offset, ConstBytes content);
  void on_request_complete(const RequestPlan& request, uint64_t body_bytes);
  void on_tunnel_up(const RequestPlan& request, uint64_t offset, ConstBytes bytes);
  void on_tunnel_up_end(const RequestPlan& request, uint64_t bytes);

  // --- what a mirror sees ---
  [[nodiscard]] RequestPlan& on_copy(const MessageReader& reader);
  void on_copy_complete(const RequestPlan& request, uint64_t body_bytes);

  // --- what a client sees ---
  void on_informational(const RequestPlan& request, unsigned status);
  void on_response_head(const RequestPlan& request, const SeenHead& head);
  void on_response_content(const RequestPlan& request, const SeenHead& head, uint64_t offset, ConstBytes content);
  void on_response_complete(const RequestPlan& request, const SeenHead& head, uint64_t body_bytes);
  void on_tunnel_down(const RequestPlan& request, uint64_t offset, ConstBytes bytes);
  void on_tunnel_down_end(const RequestPlan& request, uint64_t bytes);
  // The connection, or the stream of HTTP/2, ended without a complete response.
  void on_lost(const RequestPlan& request, bool may_be_lost);

  // --- connections without HTTP, at both ends ---
  // The opening that has come to a destination, and how much of what came belongs to it; null: more must come.
  [[nodiscard]] StreamPlan* on_opening(const SocketAddress& upstream, ConstBytes bytes, size_t& size);
  void on_stream_up(const StreamPlan& stream, uint64_t offset, ConstBytes bytes);
  void on_stream_down(const StreamPlan& stream, uint64_t offset, ConstBytes bytes);
  void on_stream_up_end(const StreamPlan& stream, uint64_t bytes);
  // True: it ended where its upstream ended it; false: sluice had nowhere to go, and said so in order.
  [[nodiscard]] bool on_stream_down_end(const StreamPlan& stream, uint64_t bytes);
  void on_stream_lost(const StreamPlan& stream);

  [[nodiscard]] Tally& tally() noexcept { return tally_; }
  [[nodiscard]] World& world() noexcept { return world_; }

 private:
  [[nodiscard]] bool may_be_local(const RequestPlan& request, unsigned status) const;

  World& world_;
  RunPlan& plan_;
  Tally tally_;
};

}  // namespace sluice::sim

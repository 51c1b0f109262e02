// A copy of a request for one of its route's mirrors, as in Envoy: it is sent with "-shadow" behind the host's name,
// its response is read and dropped, and nobody waits for it or learns how it ended. It pins the snapshot of the request
// that it is a copy of, lives in the shard's slab and goes back there by itself. One thread.
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "base/timer_wheel.h"
#include "forward/memory_content.h"
#include "http/head.h"
#include "io/loop.h"
#include "proxy/borrowed_upstream.h"
#include "proxy/http1_upstream_side.h"
#include "proxy/http2_upstream_side.h"
#include "proxy/services.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace sluice::proxy {

class MirroredRequest : public ListNode<MirroredRequest> {
 public:
  // Begins to send a copy of `head` and `target`, as their destination sees them, with all of the content, to a cluster
  // (an index into Snapshot::clusters) of a pinned snapshot, but without trailers. One that finds no place
  // (limits::mirrored_requests_max, limits::mirrored_requests_per_cluster_max, Services::kept_content) is not sent, and
  // is counted as lost. `client`, whom a PROXY header names, need not outlive the call.
  static void send(Services& services, AdoptedSnapshot& snapshot, uint32_t cluster, const ClientConnection& client,
                   const http::RequestHead& head, std::string_view target, std::string_view content);

  MirroredRequest(Services& services, AdoptedSnapshot& snapshot, uint32_t cluster) noexcept;
  MirroredRequest(const MirroredRequest&) = delete;
  MirroredRequest& operator=(const MirroredRequest&) = delete;
  ~MirroredRequest();

  // The shard stops. It is gone afterwards.
  void cancel() { end(); }

 private:
  enum class State : uint8_t { connecting, awaiting_head, reading_content };

  [[nodiscard]] bool copy(const http::RequestHead& head, std::string_view target, std::string_view content);
  [[nodiscard]] bool name_shadow();
  void start(const ClientConnection& client);
  void advance();
  void on_borrowed(BorrowedUpstream::Status status);
  void begin_to_send();
  void send_content();
  void await_head();
  void read_content();
  void give_up();
  void forget_content() noexcept;
  void end(bool is_reusable = false);
  void advance_later() noexcept;
  static void on_upstream_change(void* self);
  static void on_timeout(void* self);

  Services& services_;
  AdoptedSnapshot& snapshot_;
  const uint32_t cluster_;
  Arena arena_;
  http::RequestHead request_;  // `host` is the request's own: what certificates are for
  http::ResponseHead response_;
  std::string content_;  // until it is sent; taken from Services::kept_content
  BorrowedUpstream borrowed_;
  UpstreamSide* upstream_ = nullptr;  // once connected: what is in side_
  std::variant<std::monostate, Http1UpstreamSide, Http2UpstreamSide> side_;
  std::optional<forward::MemoryContent> unsent_;  // from connected to sent
  io::Task task_;  // whatever happens, it is looked at later: it may go, and the one who told it is still at work
  Timer timer_;    // all of the time that it has
  State state_ = State::connecting;
  uint8_t informational_count_ = 0;
};

}  // namespace sluice::proxy

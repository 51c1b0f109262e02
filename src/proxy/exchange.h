// One request and its response: steps 3 to 6 of the way of a request (docs/life_of_a_request.md). An
// exchange owns no operation and no descriptor: whenever one of its two sides has changed, it is
// advanced, looks at both and moves what can be moved. Lives in the shard's slab from a request's first
// byte to the end of its response (or tunnel). One thread.
#pragma once

#include "base/arena.h"
#include "base/limits.h"
#include "base/timer_wheel.h"
#include "forward/copy.h"
#include "forward/memory_content.h"
#include "forward/replayable_content.h"
#include "forward/splice_pump.h"
#include "http/head.h"
#include "observe/request_record.h"
#include "proxy/borrowed_upstream.h"
#include "proxy/client_side.h"
#include "proxy/grpc_web_client_side.h"
#include "proxy/http1_upstream_side.h"
#include "proxy/http2_upstream_side.h"
#include "proxy/request_steps.h"
#include "proxy/services.h"
#include "proxy/tunnel.h"
#include "route/choose_route.h"
#include "route/cors.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>

namespace sluice::proxy {

class ClientConnection;
class TcpProxy;

class Exchange {
 public:
  // `client` is a side of `connection`. Both outlive it.
  Exchange(Services& services, ClientConnection& connection, ClientSide& client) noexcept;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();  // ended: advance() said so, or cancel() was called

  // What becomes of the client's connection.
  enum class Outcome : uint8_t {
    pending,       // wait for a change
    yield,         // advance() again in the next turn
    reuse_client,  // over; the connection may carry the next request
    close_client,  // over; close it once what was written has gone
    abort_client,  // over; reset it: the client must not take what it has for complete
    tunnel,        // a CONNECT of HTTP/1 was answered: hand_over(), then it is over
  };

  // Moves on as far as it can. Does not flush the client's transport when pending; the caller does.
  [[nodiscard]] Outcome advance();

  // The client is gone, or the shard stops: the upstream's part ends too.
  void cancel();
  // The head did not arrive in time: answers 408.
  void time_out_head();

  // It took too long: answers 504.
  void time_out_request();

  [[nodiscard]] bool is_reading_head() const noexcept { return state_ == State::reading_head; }
  // Of the request more is to come, or has come and was not forwarded yet.
  [[nodiscard]] bool awaits_request() const noexcept {
    return is_reading_head() || (request_.has_content() && !request_done_);
  }
  // The client has asked for the end of the connection, and so sends nothing after this request (RFC 9112 9.6). Of one
  // with content that is not sure: there are clients that send an empty line behind it (2.2).
  [[nodiscard]] bool is_clients_last() const noexcept {
    return request_done_ && !request_.keep_alive && !request_.has_content();
  }
  // After Outcome::tunnel: the upstream's connection, and what the record needs, become the proxy's. It has ended then.
  void hand_over(TcpProxy& proxy);
  // A CONNECT that was granted (RFC 9113 8.5).
  [[nodiscard]] bool is_tunnel() const noexcept { return is_connect() && response_started_ && status_ == 200; }
  // Protocols were switched: bytes both ways.
  [[nodiscard]] bool has_switched() const noexcept { return tunnel_.has_value() || carries_bytes_; }
  // Whose move it is, while nothing moves.
  enum class Awaiting : uint8_t {
    client,            // it does not send, or does not take, what is due from it
    upstream_reading,  // it does not take the request
    upstream_answer,
  };
  [[nodiscard]] Awaiting awaiting() const noexcept;
  // Requires that it is awaited.
  [[nodiscard]] const UpstreamSide& upstream() const noexcept { return *upstream_; }
  // Content that has gone either way so far.
  [[nodiscard]] uint64_t content_moved() const noexcept { return request_bytes_ + response_bytes_; }
  // Of both heads, and of what was made of them.
  [[nodiscard]] size_t head_bytes() const noexcept { return arena_.used_bytes(); }
  // How long the client or an upstream that reads may do nothing.
  [[nodiscard]] Duration progress_timeout() const noexcept;

 private:
  enum class State : uint8_t {
    reading_head,
    delayed,      // an injected fault
    backing_off,  // before the next attempt
    connecting,   // to the upstream; is followed by itself when another endpoint is tried
    forwarding,
    tunnelling,  // after 101, between connections of HTTP/1: bytes both ways
    answering,   // a response of our own is written
    ended,       // the outcome is known, the record is written
  };
  enum class ResponseState : uint8_t { awaiting_head, body, done };
  enum class SpliceDirection : uint8_t { none, request, response };

  // In the order of the way of a request. What the route does to heads, and instead of forwarding, is in
  // proxy/route_actions.cc, repeated requests in proxy/retries.cc, answers of our own in proxy/local_reply.cc, what
  // outbound requests have of their own in proxy/outbound_request.cc.
  Outcome read_request_head();
  Outcome on_request_head();
  Outcome on_outbound_head(uint64_t random);
  [[nodiscard]] bool is_authorized() const;
  Outcome on_connect_request(uint64_t random);
  Outcome on_connect_ready();
  Outcome look_at_first_bytes();
  [[nodiscard]] bool is_connect() const noexcept { return request_.method == "CONNECT"; }
  Outcome inject_delay();
  Outcome inject_abort();
  Outcome follow_route();
  Outcome forward_to_destination();
  void choose_mirrors() noexcept;
  void send_to_mirrors();
  void lose_mirrors() noexcept;
  void prepare_retries();
  [[nodiscard]] bool is_hit(uint32_t share) noexcept;
  [[nodiscard]] bool prepare_fields(Duration upstream_time);
  [[nodiscard]] bool apply_response_operations(http::HeaderList& fields);
  Outcome borrow_upstream(BorrowedUpstream::Wanted wanted);
  Outcome on_borrowed(BorrowedUpstream::Status status);
  Outcome on_upstream_ready();
  [[nodiscard]] bool set_attempt_count();
  [[nodiscard]] forward::ContentSource& request_content() noexcept;
  void on_request_done();
  Outcome forward_both_ways();
  Outcome copy_both_ways(bool& moved);
  Outcome forward_request_body(bool& moved);
  Outcome await_response_head(bool& moved);
  Outcome on_response_head();
  Outcome forward_informational();
  Outcome switch_protocols();
  Outcome forward_response_body(bool& moved);
  Outcome on_response_done();
  void note_grpc_status() noexcept;
  void begin_splice(bool& moved);
  Outcome advance_splice(bool& moved);
  Outcome advance_tunnel();
  [[nodiscard]] bool are_bytes_over() const noexcept;
  Outcome end_bytes();

  // Ways in which it ends early.
  Outcome on_bad_request();
  Outcome on_upstream_lost();
  [[nodiscard]] bool may_try_again();
  Outcome try_again();
  void start_over();
  void forget_retries();
  Outcome on_bad_response();
  Outcome on_timed_out();
  Outcome on_try_timed_out();
  Outcome on_client_lost();
  Outcome reply_locally(const Answer& answer);
  Outcome reply_locally(uint16_t status, std::string_view details, std::string_view body = {});
  Outcome write_answer();

  Outcome end(Outcome outcome);
  void release_upstream(bool reusable);
  void release_upstream(bool reusable, io::Stream::Ending ending);
  void consider_splice(SpliceDirection direction);
  [[nodiscard]] forward::ContentSource& splice_content(bool is_request) noexcept;
  void leave_splice_mode();
  [[nodiscard]] bool may_retry_lost_request() const noexcept;
  [[nodiscard]] bool can_repeat() const noexcept;
  [[nodiscard]] bool may_keep_client() const noexcept;
  [[nodiscard]] bool drain_buffered_request_body();
  [[nodiscard]] bool is_tunnel_expected(uint16_t status) const noexcept;
  [[nodiscard]] const snapshot::Cluster* cluster_of_record() const noexcept;
  void write_record();
  [[nodiscard]] observe::RequestRecord make_record(snapshot::FormatNeeds needs) const noexcept;
  static void on_upstream_change(void* self);
  static void on_timer(void* self);
  static void on_try_timer(void* self);

  Services& services_;
  ClientConnection& connection_;
  ClientSide* client_;
  std::unique_ptr<GrpcWebClientSide> grpc_web_;  // around the client's own, exactly when it speaks gRPC-Web
  alignas(std::max_align_t) std::array<std::byte, 3072> first_block_;
  Arena arena_;
  http::RequestHead request_;
  http::ResponseHead response_;
  AdoptedSnapshot* snapshot_ = nullptr;  // pinned from routing to the end
  route::Decision decision_;
  const snapshot::RetryPolicy* retries_ = nullptr;  // from forward_to_destination() on: the route's, or the default
  BorrowedUpstream borrowed_;                       // from connecting to the end
  // From forwarding to the end: what is in side_.
  UpstreamSide* upstream_ = nullptr;
  std::variant<std::monostate, Http1UpstreamSide, Http2UpstreamSide> side_;
  SpliceDirection splice_direction_ = SpliceDirection::none;  // whose source was asked for splice mode
  std::optional<forward::SplicePump> splice_;                 // exactly while bytes are being spliced
  std::optional<Tunnel> tunnel_;                              // exactly while tunnelling
  std::optional<forward::MemoryContent> answer_;              // exactly while answering: what is not written yet
  std::optional<forward::ReplayableContent> replay_;          // of a request that is sent again, or copied
  Timer timer_;                                               // the route's timeout, or an injected delay
  Timer try_timer_;                                           // the attempt's timeout, or the pause before the next

  // For the record.
  Instant started_at_;
  std::string_view received_path_;   // path and query as the client sent them
  std::string_view rewritten_path_;  // the same for the destination; empty: as they were
  int64_t upstream_service_ms_ = -1;
  uint64_t request_bytes_ = 0;
  uint64_t response_bytes_ = 0;
  std::string_view details_;
  std::string_view upstream_failure_;  // after it was connected
  observe::ResponseFlags flags_;
  uint16_t status_ = 0;
  std::optional<GrpcStatus> grpc_status_;

  State state_ = State::reading_head;
  route::CorsRequest cors_ = route::CorsRequest::none;
  ResponseState response_state_ = ResponseState::awaiting_head;
  bool request_done_ = false;       // the whole request has been written to the upstream
  bool response_started_ = false;   // bytes of a final response were written to the client
  bool splice_refused_ = false;     // this exchange stays with copying
  bool timed_out_ = false;          // the route's timeout has passed
  bool try_timed_out_ = false;      // the attempt's has
  bool carries_bytes_ = false;      // after a switch of protocols without tunnel_: the content is bytes
  bool holds_bytes_ = false;        // likewise: those of the client, until they are seen to be meant for this host
  bool keeps_for_retries_ = false;  // replay_ is for them, not for mirrors alone
  uint16_t mirrors_ = 0;            // bits of those of the route that a copy is still to be sent to
  uint8_t lost_count_ = 0;          // requests that an upstream has lost, or refused
  bool client_keep_alive_ = false;  // decided with the response's head
  uint8_t informational_count_ = 0;
};

}  // namespace sluice::proxy

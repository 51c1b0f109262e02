// An HTTP/2 connection, of either role (RFC 9113; frames and HPACK by nghttp2): bytes in, events noted, frames out.
// Nothing is called while the input is read but on_request; after it, the owner is told of every stream that has
// changed, once, and looks at it. No I/O, no clock but that of nghttp2's limit of resets.
//
// What a peer can cost is bounded: streams, windows and heads by limits::http2_* and the bounds of heads, which are
// HTTP/1's; and frames by one budget. Every frame that is received costs one. Those that do what a connection is for
// give it back: a head, a piece of content. What is left are frames that carry nothing: PING, SETTINGS, PRIORITY,
// WINDOW_UPDATE, RST_STREAM, empty DATA, requests that are refused. Of these, limits::http2_idle_frames_max are free,
// and useful work earns more, up to the same number: a request that is completed, a DATA frame that we send (window
// updates answer it), a minute. Whoever sends more is told ENHANCE_YOUR_CALM, and the connection is broken. Not counted
// are frames that nghttp2 skips without a word, and that cost no more than their bytes: of unknown types, and DATA of
// streams that are gone.
//
// One owner, one thread. Its streams are destroyed before it.
#pragma once

#include "base/byte_sink.h"
#include "base/bytes.h"
#include "base/durations.h"
#include "base/limits.h"
#include "base/list.h"
#include "http/http2_head_reader.h"
#include "http/http2_stream.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

struct nghttp2_session;

namespace sluice::http {

class Http2Session {
 public:
  enum class Role : uint8_t { server, client };

  struct Owner {
    // Server: a request begins. The stream that will have it, new and with expect_request() called; nullptr: it is
    // refused (REFUSED_STREAM). Within receive(): it calls nothing else of session or streams.
    Http2Stream* (*on_request)(void* owner);
    // In tell_changes(): the stream has changed. Any function of streams and session may be called but receive() and
    // end_of_input(), and any stream be destroyed.
    void (*on_stream_change)(void* owner, Http2Stream& stream);
    void* owner;
  };

  // Writes its preface to `out` at once.
  Http2Session(Role role, ByteSink out, Owner owner);
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;
  ~Http2Session();

  // Takes all of `input`. False: the connection is broken, all streams are lost, and GOAWAY with the reason was
  // written: to be sent before the connection is closed. error_text() says why.
  [[nodiscard]] bool receive(ConstBytes input);
  // The peer sends no more, or is gone: streams that are open are lost. Nothing is written any more.
  void end_of_input();
  // After as much of these as there was: the owner hears of each stream that has changed, once, so that what has come
  // in several pieces goes on in one.
  void tell_changes();

  // A server's first step (RFC 9113 6.8): new requests are still taken, but clients learn to go elsewhere. A round trip
  // later, shut_down().
  void announce_shutdown();
  // No new requests; those that have begun go on.
  void shut_down();
  // Nothing is open, and nothing will be: broken, or ended, or shut down by one side. The connection can be closed.
  [[nodiscard]] bool is_finished() const noexcept;

  // The peer's SETTINGS have come (RFC 9113 3.4): its bounds are known.
  [[nodiscard]] bool has_settings() const noexcept { return has_settings_; }
  // Client: requests may be sent, now or once others are over: no GOAWAY, and stream ids are left.
  [[nodiscard]] bool takes_requests() const noexcept;
  // Client: a request may be sent now (the peer's and our bound of streams).
  [[nodiscard]] bool may_open() const noexcept;
  // Client: the peer takes an extended CONNECT (RFC 8441 3).
  [[nodiscard]] bool takes_extended_connect() const noexcept;
  // Streams that are open for the peer, and how many may be.
  [[nodiscard]] size_t stream_count() const noexcept { return open_count_; }
  [[nodiscard]] size_t stream_capacity() const noexcept;

  // What waits for the end of a turn goes into the sink: heads of responses that content follows.
  void flush();

  // Asks the peer for a sign of life (RFC 9113 6.7), once at a time.
  void ping();
  [[nodiscard]] bool awaits_ping() const noexcept { return awaits_ping_; }

  // By the owner, whenever it reads: for the budget above.
  void note_time(Instant now) noexcept;

  // Of a broken connection, for the access log: "http2.protocol_error", a static text.
  [[nodiscard]] std::string_view error_text() const noexcept { return error_text_; }

 private:
  friend class Http2Stream;
  struct Callbacks;  // nghttp2's, in http2_session.cc

  // What Callbacks do. They change session and streams, and queue frames; nothing is sent.
  [[nodiscard]] bool pay_for_frame() noexcept;
  void earn_idle_frames(uint32_t count) noexcept;
  [[nodiscard]] bool begin_request(int32_t id);
  [[nodiscard]] bool begin_block(Http2Stream& stream);
  void finish_block(bool is_end);
  void refuse_block(Http2Stream& stream, uint32_t error) noexcept;
  void note_stream(Http2Stream& stream) noexcept;
  void note_all_streams() noexcept;

  // By streams, and here.
  void give_back(size_t count) noexcept;
  void forget(Http2Stream& stream) noexcept;
  [[nodiscard]] Http2Stream* find(int32_t id) const noexcept;

  void adopt(Http2Stream& stream, int32_t id) noexcept;
  void refuse_input(int nghttp2_error) noexcept;
  void lose_all_streams() noexcept;

  nghttp2_session* session_ = nullptr;
  ByteSink out_;
  Owner owner_;
  std::string_view error_text_;

  List<Http2Stream> streams_;                // all that were opened and not destroyed
  List<Http2Stream, Http2Changed> changed_;  // of which the owner is to be told
  size_t kept_count_ = 0;                    // in streams_
  size_t open_count_ = 0;                    // of them, known to nghttp2

  Http2HeadReader head_reader_;
  Http2Stream* block_stream_ = nullptr;  // whose block is being read; nobody's is dropped

  uint32_t idle_frames_left_;
  Instant minute_began_{};
  const Role role_;
  bool is_frame_useful_ = false;    // the current one has given back what it cost
  bool is_reading_ = false;         // receive() or end_of_input(), before it tells
  bool is_inside_nghttp2_ = false;  // one of its functions that read or send: its callbacks must not call another
  bool is_telling_ = false;
  bool has_settings_ = false;
  bool awaits_ping_ = false;       // the answer to ours
  bool is_shutting_down_ = false;  // the final GOAWAY was written
  bool is_over_ = false;           // broken, or the input has ended: nothing is written any more
};

}  // namespace sluice::http

// One request and its response on an HTTP/2 connection (RFC 9113 5 and 8), on either side. Its session notes here what
// the peer has sent; the owner is told once, looks, and takes. What the owner sends becomes frames in the session's
// sink at once (send_response() says when not), or as soon as the peer's flow control allows. No I/O.
//
// Made and kept by the owner, who may destroy it whenever the session is not inside receive()'s reading: an unfinished
// one is reset, and what it kept is given back to the connection's window. It lives no longer than its session. One
// owner, one thread.
#pragma once

#include "base/byte_queue.h"
#include "base/byte_sink.h"
#include "base/bytes.h"
#include "base/list.h"
#include "http/head.h"
#include "http/http1_writer.h"
#include "http/message_rules.h"
#include "http/reading.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::http {

class Http2Session;
struct Http2Changed;  // tag of the session's list of changed streams

// RFC 9113 7: those that the project sends.
enum class Http2Error : uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  refused_stream = 7,
  cancel = 8,
  connect_error = 10,
  enhance_your_calm = 11,
};

class Http2Stream : public ListNode<Http2Stream>, public ListNode<Http2Changed> {
 public:
  explicit Http2Stream(Http2Session& session) noexcept : session_(session) {}
  Http2Stream(const Http2Stream&) = delete;
  Http2Stream& operator=(const Http2Stream&) = delete;
  ~Http2Stream();

  // --- What the peer sends ---

  // Server: where the request's head goes; within on_request. The texts will be in the head's arena.
  void expect_request(RequestHead& head) noexcept;
  // Client: where the next response head goes; before send_request, and with a fresh head after each informational
  // response, that is before content is looked at. Heads have one arena.
  void expect_response(ResponseHead& head);

  // `failed`: error() and error_text() say why. The stream is open all the same: a server answers.
  [[nodiscard]] Progress head_progress() const noexcept { return head_progress_; }

  // What has come and was not consumed: valid until receive() or consume().
  [[nodiscard]] ConstBytes content() const noexcept { return content_.bytes(); }
  // Lets the peer send as much again.
  void consume(size_t count);
  // The message has ended; of its content some may still be to be consumed.
  [[nodiscard]] bool has_all_content() const noexcept { return incoming_ == Incoming::done; }
  // The message has ended and all of its content was consumed. Not of a lost one, whose content was dropped.
  [[nodiscard]] bool is_content_done() const noexcept {
    return phase_ != Phase::lost && incoming_ == Incoming::done && content_.empty();
  }
  // Once the content is done; as Http1Reader::trailers() filters them. Requires a head that is done.
  [[nodiscard]] const HeaderList& trailers() const noexcept;

  // It is over before its end: reset by the peer, or refused as malformed (then error() says why), or the connection
  // is, for either reason. Nothing more comes of it, not even what had come, and what is sent goes nowhere. Not lost is
  // what the peer had ended itself: a client keeps a response whose server wants no more of the request.
  [[nodiscard]] bool is_lost() const noexcept { return phase_ == Phase::lost; }
  // RFC 9113 7, once it is lost; 0 when the connection was.
  [[nodiscard]] uint32_t reset_code() const noexcept { return reset_code_; }
  // The server has certainly done nothing with the request (RFC 9113 8.7).
  [[nodiscard]] bool may_be_retried() const noexcept;

  [[nodiscard]] ReadError error() const noexcept { return error_; }
  // For the access log, a static text.
  [[nodiscard]] std::string_view error_text() const noexcept { return error_text_; }

  // --- What is sent ---
  // Fields about the connection are left out of every list; content-length is the framing's. Sent on a lost stream,
  // everything goes nowhere.

  // Client. `is_end`: no content follows. For CONNECT, scheme and path are empty; of a client of HTTP/1.0
  // the authority may be. Requires that the session may_open().
  void send_request(std::string_view method, std::string_view scheme, std::string_view authority, std::string_view path,
                    const HeaderList& headers, const MessageFraming& framing, bool is_end);
  // Client: an extended CONNECT (RFC 8441 4), without the key that WebSocket has in HTTP/1. After a response of 2xx,
  // content both ways is what `protocol` makes of it. Requires that the session takes_extended_connect(), too.
  void send_extended_connect(std::string_view protocol, std::string_view scheme, std::string_view authority,
                             std::string_view path, const HeaderList& headers);

  // Server: any number of 1xx, then one response. When content follows it, its head goes with the first of that, or by
  // the session's flush().
  void send_informational(uint16_t status, const HeaderList& headers);
  void send_response(uint16_t status, const HeaderList& headers, const MessageFraming& framing, bool is_end);

  // What write() takes now without keeping anything: the peer's windows of stream and connection, which may be 2 GiB.
  // How much the sink should hold is for the owner to know.
  [[nodiscard]] size_t writable_bytes() const noexcept;
  // Content; after the head, before the end. What the windows do not take is kept, without a bound.
  void write(ConstBytes content);
  // The same, and the message ends with it: one frame less than finish().
  void write_last(ConstBytes content);
  // The message ends, with these trailers if any; behind what is kept.
  void finish(const HeaderList* trailers = nullptr);
  // Everything was sent, or the peer wants no more of it.
  [[nodiscard]] bool is_sent() const noexcept { return outgoing_ == Outgoing::done; }

  // Ends it at once: RST_STREAM. It is lost then, with this code.
  void reset(Http2Error code);

  // 0 before it is open.
  [[nodiscard]] int32_t id() const noexcept { return id_; }

 private:
  friend class Http2Session;

  enum class Phase : uint8_t {
    idle,    // not opened yet
    open,    // the session has it
    closed,  // both messages are complete
    lost,    // see is_lost()
  };
  enum class Incoming : uint8_t { head, content, done };
  enum class Outgoing : uint8_t {
    head,
    content,
    ending,  // finish() was called, something is kept
    done,
  };
  // Trailers that wait behind kept content.
  using KeptFields = std::vector<std::pair<std::string, std::string>>;

  // By the session, as it reads and writes.
  void take_request(const RequestHead& head, const Refusal& refusal) noexcept;
  void take_response(const ResponseHead& head, const Refusal& refusal);
  void fail_head(const Refusal& refusal) noexcept;
  void fail(ReadError error, std::string_view text) noexcept;
  void note_closed(uint32_t code) noexcept;
  void lose(uint32_t code) noexcept;
  void end_sending() noexcept;
  [[nodiscard]] size_t unsent_bytes() const noexcept { return kept_.size() + direct_.size(); }
  void take_unsent(size_t count, ByteSink out);
  void submit_kept_trailers() noexcept;

  struct Sending;  // nghttp2's callback, in http2_stream.cc
  class Fields;    // likewise
  void submit_request(const Fields& fields, bool is_end);
  [[nodiscard]] bool is_open_for(Outgoing part) const noexcept;
  void write(ConstBytes content, bool is_last);
  void drop_content() noexcept;
  [[nodiscard]] Http2Error code_of_leaving() const noexcept;

  Http2Session& session_;
  int32_t id_ = 0;
  uint32_t reset_code_ = 0;

  Phase phase_ = Phase::idle;
  Incoming incoming_ = Incoming::head;
  Outgoing outgoing_ = Outgoing::head;
  Progress head_progress_ = Progress::more;
  ReadError error_ = ReadError::none;
  bool is_head_request_ = false;  // client: the request's method
  bool is_connect_request_ = false;
  bool is_reset_by_peer_ = false;
  std::string_view error_text_;

  Arena* arena_ = nullptr;                     // of the heads, from expect_* on
  RequestHead* request_ = nullptr;             // until it is done
  ResponseHead* response_ = nullptr;           // until it is done
  std::vector<ResponseHead> later_responses_;  // that came before expect_response() asked for them
  std::optional<HeaderList> trailers_;         // from the head on
  ByteQueue content_;

  ConstBytes direct_;  // of the write() that is being called
  ByteQueue kept_;     // goes before direct_
  std::unique_ptr<KeptFields> kept_trailers_;
};

}  // namespace sluice::http

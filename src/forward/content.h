// The content of a message on its way through sluice: where it comes from and where it goes, whatever version of HTTP
// carries it at either end (forward/http1_content.h). Each belongs to one message. One thread.
#pragma once

#include "base/bytes.h"
#include "http/head.h"
#include "http/reading.h"

#include <cstddef>
#include <cstdint>

namespace sluice::forward {

class ContentSource {
 public:
  enum class Status : uint8_t {
    blocked,  // nothing is here now: wait for a change
    no_room,  // something is here, and `room` was 0
    more,     // ask again
    done,     // that was all; trailers() are known
    ended,    // the sender is gone, and this was not all
    failed,   // what came is no HTTP
  };
  // Hands at most `room` bytes of content to `to`.
  [[nodiscard]] virtual Status read_content(size_t room, http::BodySink to) = 0;
  [[nodiscard]] virtual const http::HeaderList& trailers() const noexcept = 0;

  // Bytes of the connection that are content and nothing else, so that they may go by without being read here: what
  // splice may move. 0: none are.
  [[nodiscard]] virtual uint64_t passable_bytes() const noexcept = 0;
  // So many went by.
  virtual void pass_by(uint64_t count) noexcept = 0;

 protected:
  ~ContentSource() = default;
};

class ContentSink {
 public:
  // The receiver takes no more.
  [[nodiscard]] virtual bool has_failed() const noexcept = 0;
  // What it takes now; 0: flow control says wait.
  [[nodiscard]] virtual size_t writable_bytes() const noexcept = 0;
  virtual void write_content(ConstBytes content) = 0;
  // That was all.
  virtual void finish_content(const http::HeaderList& trailers) = 0;
  // There is no room: what is held back to be sent together is sent now.
  virtual void make_room() = 0;
  // Content goes onto the connection as it is, so that splice may put it there.
  [[nodiscard]] virtual bool is_passable() const noexcept = 0;

 protected:
  ~ContentSink() = default;
};

}  // namespace sluice::forward

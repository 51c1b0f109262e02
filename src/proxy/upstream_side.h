// The upstream's side of an exchange: a request that is written, a response that is read, whatever version of HTTP
// carries them. With HTTP/1 it has the connection to itself (proxy/http1_upstream_side.h). One thread.
#pragma once

#include "forward/content.h"
#include "http/head.h"
#include "proxy/client_side.h"
#include "transport/transport.h"

#include <cstdint>
#include <string_view>

namespace sluice::proxy {

class UpstreamSide {
 public:
  // Where the response's head goes: before the request's is written, and again after an informational one, with
  // another. `method` is the request's.
  virtual void expect_head(http::ResponseHead& head, std::string_view method) = 0;
  // `target` is what goes on the wire (http/hygiene: upstream_target).
  virtual void write_head(const http::RequestHead& request, std::string_view target) = 0;
  [[nodiscard]] virtual forward::ContentSink& request() noexcept = 0;
  // What was written goes out.
  virtual void flush() = 0;
  // Something that was written waits for the upstream.
  [[nodiscard]] virtual bool has_unsent() const noexcept = 0;
  // Of the request, so far; and of those, what the upstream has taken from the network.
  [[nodiscard]] virtual uint64_t bytes_sent() const noexcept = 0;
  [[nodiscard]] virtual uint64_t bytes_taken() const noexcept = 0;

  // Into the one that was expected last. What agrees to an upgrade is a 101, as HTTP/1 has it.
  [[nodiscard]] virtual HeadStatus read_head() = 0;
  // After that: content both ways is bytes.
  virtual void switch_to_bytes() noexcept = 0;
  [[nodiscard]] virtual forward::ContentSource& response() noexcept = 0;

  // --- once it has ended ---
  // By a reset, not in order.
  [[nodiscard]] virtual bool was_reset() const noexcept = 0;
  // What it sent could not be decrypted.
  [[nodiscard]] virtual bool has_read_failed() const noexcept = 0;
  // Nothing of a response has come, and the connection was one that had served others: it may have been closed before
  // the request was there.
  [[nodiscard]] virtual bool may_have_been_stale() const noexcept = 0;
  // Not a byte of the request can have reached the upstream.
  [[nodiscard]] virtual bool has_sent_nothing() const noexcept = 0;

  // The connection, where this exchange has it to itself: for splice and tunnels. Null: where it shares it.
  [[nodiscard]] virtual transport::Transport* connection() noexcept = 0;

 protected:
  ~UpstreamSide() = default;
};

}  // namespace sluice::proxy

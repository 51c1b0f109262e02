// The client's side of an exchange: a request that is read, a response that is written, whatever version of HTTP
// carries them. With HTTP/1 it has the connection to itself (proxy/http1_client_side.h). One thread.
#pragma once

#include "base/bytes.h"
#include "forward/content.h"
#include "http/head.h"
#include "http/message_rules.h"
#include "transport/transport.h"

#include <cstdint>
#include <string_view>

namespace sluice::proxy {

// What reading a head came to, on either side.
enum class HeadStatus : uint8_t {
  pending,  // wait for a change
  done,
  failed,  // it is no HTTP, or too large
  ended,   // the peer is gone before the head was complete
};

class ClientSide {
 public:
  // Into the same `head` until it is done.
  [[nodiscard]] virtual HeadStatus read_head(http::RequestHead& head) = 0;
  // What is wrong with the head or the content; nothing as long as they are right.
  [[nodiscard]] virtual http::Refusal refusal() const noexcept = 0;
  [[nodiscard]] virtual forward::ContentSource& request() noexcept = 0;

  // Of the content what has come and was not read yet, as far as it can be seen at once, and whether more will come.
  struct ContentAtHand {
    ConstBytes bytes;
    bool is_all = false;
  };
  [[nodiscard]] virtual ContentAtHand content_at_hand() = 0;

  // 100, unless content has come without it.
  virtual void write_continue() = 0;
  // Another 1xx, to a client that understands it.
  virtual void write_informational(const http::ResponseHead& response) = 0;
  // The final head, framed as the answer to `request` must be. Whether the client may come with another request
  // afterwards: as `may_keep` says, unless the end of the connection is the only way to end this response.
  [[nodiscard]] virtual bool write_head(http::ResponseHead& response, const http::RequestHead& request,
                                        bool may_keep) = 0;
  // Instead, the answer to an upgrade: a 101, or what says the same. From here on, content both ways is whatever
  // `protocol` makes of it, and ends with the connection, or the stream. What the version has no use for is taken out
  // of the head.
  virtual void write_switched(http::ResponseHead& response, std::string_view protocol) = 0;
  [[nodiscard]] virtual forward::ContentSink& response() noexcept = 0;
  // Something that was written waits for the client.
  [[nodiscard]] virtual bool has_unsent() const noexcept = 0;

  // It sends no more, and everything was read.
  [[nodiscard]] virtual bool has_left() = 0;
  // What it sent could not be decrypted, and the alert that says so was written.
  [[nodiscard]] virtual bool has_read_failed() const noexcept = 0;

  // What the exchange waits for has changed, elsewhere than at the client: whoever owns it is to advance it.
  virtual void wake() = 0;

  // The connection, where this exchange has it to itself: for splice and tunnels. Null: where it shares it.
  [[nodiscard]] virtual transport::Transport* connection() noexcept = 0;

 protected:
  ~ClientSide() = default;
};

}  // namespace sluice::proxy

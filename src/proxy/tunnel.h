// Bytes both ways between two connections, without looking at them: after 101 Switching Protocols.
// Copies at first; when both sides are plain and much is moving, splices (forward/splice_pump). Each
// direction ends on its own: the end of one side is passed on as FIN, the tunnel is over when both
// have ended. One thread.
#pragma once

#include "base/timer_wheel.h"
#include "forward/splice_pump.h"
#include "proxy/services.h"
#include "transport/transport.h"

#include <cstdint>
#include <optional>

namespace sluice::proxy {

class Tunnel {
 public:
  Tunnel(Services& services, transport::Transport& client, transport::Transport& upstream) noexcept;
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;
  ~Tunnel();

  enum class Status : uint8_t {
    open,    // wait for a change
    yield,   // advance() again in the next turn
    done,    // both sides ended in order
    failed,  // one side broke: end both at once
  };
  [[nodiscard]] Status advance();

  // Nothing goes to the upstream until release_client_bytes(), and then what was read of the client meanwhile first.
  void hold_client_bytes() noexcept { holds_client_bytes_ = true; }
  void release_client_bytes(ConstBytes first);

  [[nodiscard]] uint64_t bytes_to_upstream() const noexcept { return to_upstream_.bytes; }
  [[nodiscard]] uint64_t bytes_to_client() const noexcept { return to_client_.bytes; }

 private:
  struct Direction {
    transport::Transport& source;
    transport::Transport& sink;
    std::optional<forward::SplicePump> pump{};  // exactly while this direction is spliced
    uint64_t bytes = 0;
    bool ended = false;  // the source's end was passed on
  };

  Status advance(Direction& direction);
  Status advance_spliced(Direction& direction);
  void end(Direction& direction);
  void consider_splice();
  void refuse_splice();
  static void on_impatient(void* self);

  Services& services_;
  Direction to_upstream_;
  Direction to_client_;
  Timer patience_;                 // armed from the request until both directions are spliced, or not
  bool splice_requested_ = false;  // the streams were asked to become quiet
  bool splice_refused_ = false;    // this tunnel stays with copying
  bool holds_client_bytes_ = false;
};

}  // namespace sluice::proxy

#include "proxy/tunnel.h"

#include "base/limits.h"
#include "forward/copy.h"

#include <limits>

namespace sluice::proxy {

using forward::CopyStatus;
using forward::SpliceStatus;

Tunnel::Tunnel(Services& services, transport::Transport& client, transport::Transport& upstream) noexcept
    : services_(services),
      to_upstream_{.source = client, .sink = upstream},
      to_client_{.source = upstream, .sink = client},
      patience_(on_impatient, this) {
  services_.observer.counters.tunnels_active.add();
}

Tunnel::~Tunnel() { services_.observer.counters.tunnels_active.subtract(); }

void Tunnel::release_client_bytes(ConstBytes first) {
  holds_client_bytes_ = false;
  to_upstream_.bytes += first.size();
  to_upstream_.sink.write(first);
  to_upstream_.sink.flush();
}

Tunnel::Status Tunnel::advance() {
  consider_splice();
  bool yields = false;
  for (Direction* direction : {&to_upstream_, &to_client_}) {
    if (direction->ended || (holds_client_bytes_ && direction == &to_upstream_)) continue;
    switch (direction->pump ? advance_spliced(*direction) : advance(*direction)) {
      case Status::failed: return Status::failed;
      case Status::yield: yields = true; break;
      case Status::open:
      case Status::done: break;
    }
  }
  // The client's connection sees to its last bytes itself, the upstream's ends with the tunnel.
  if (to_upstream_.ended && to_client_.ended &&
      (to_upstream_.sink.has_sent_all() || to_upstream_.sink.has_send_failed()))
    return Status::done;
  return yields ? Status::yield : Status::open;
}

// Once much has moved, both directions change over together, when both streams have become quiet.
void Tunnel::consider_splice() {
  if (to_upstream_.pump || splice_refused_ || holds_client_bytes_) return;
  io::Stream& client = to_upstream_.source.stream();
  io::Stream& upstream = to_upstream_.sink.stream();
  if (to_upstream_.ended || to_client_.ended) {  // too late: what is left goes by copying
    if (splice_requested_) refuse_splice();
    return;
  }
  if (!splice_requested_) {
    if (to_upstream_.bytes + to_client_.bytes < limits::splice_threshold_bytes || to_upstream_.source.is_tls() ||
        to_upstream_.sink.is_tls())
      return;
    splice_requested_ = true;
    services_.loop.timers().arm(patience_, services_.loop.now() + limits::splice_patience);
    client.request_splice_mode();
    upstream.request_splice_mode();
  }
  if (!forward::SplicePump::is_ready(client, upstream) || !upstream.receive_queue().empty()) return;
  patience_.cancel();
  constexpr uint64_t kUnbounded = std::numeric_limits<uint64_t>::max();
  to_upstream_.pump.emplace(services_.pipes, client, upstream, kUnbounded);
  to_client_.pump.emplace(services_.pipes, upstream, client, kUnbounded);
  if (!to_upstream_.pump->start() || !to_client_.pump->start()) {  // no descriptors: copy on
    refuse_splice();
  }
}

void Tunnel::refuse_splice() {
  splice_refused_ = true;
  patience_.cancel();
  to_upstream_.pump.reset();
  to_client_.pump.reset();
  to_upstream_.source.stream().leave_splice_mode();
  to_upstream_.sink.stream().leave_splice_mode();
}

// A side that reads only when it is read (an echo) never becomes quiet while we wait for it to take the
// last copied bytes and do not read what it says. The streams wake the copying themselves.
void Tunnel::on_impatient(void* self) { static_cast<Tunnel*>(self)->refuse_splice(); }

Tunnel::Status Tunnel::advance(Direction& direction) {
  const forward::CopyResult copied = forward::copy_bytes(direction.source, direction.sink);
  direction.bytes += copied.bytes;
  direction.sink.flush();
  switch (copied.status) {
    case CopyStatus::blocked: return Status::open;
    case CopyStatus::yield: return Status::yield;
    case CopyStatus::done:
      if (direction.source.is_truncated()) return Status::failed;
      end(direction);
      return Status::done;
    default: return Status::failed;
  }
}

Tunnel::Status Tunnel::advance_spliced(Direction& direction) {
  const uint64_t before = direction.pump->bytes_taken();
  const SpliceStatus status = direction.pump->advance(forward::SplicePump::WatchSink::no);
  const uint64_t moved = direction.pump->bytes_taken() - before;
  direction.bytes += moved;
  services_.observer.counters.spliced_bytes.add(moved);
  switch (status) {
    case SpliceStatus::waiting: return Status::open;
    case SpliceStatus::yield: return Status::yield;
    case SpliceStatus::source_ended: end(direction); return Status::done;
    case SpliceStatus::done:
    case SpliceStatus::interrupted:
    case SpliceStatus::source_failed:
    case SpliceStatus::sink_failed: return Status::failed;
  }
  UNREACHABLE();
}

void Tunnel::end(Direction& direction) {
  direction.ended = true;
  direction.sink.finish_writing();
}

}  // namespace sluice::proxy

// A client's connection that is not HTTP, with its connection to a destination: bytes of a plain TCP listener,
// of a server behind terminated TLS, or of a TLS connection that passes through undecrypted
// (docs/life_of_a_request.md, "Connections without HTTP"). Owns no descriptor: whenever one of its two
// connections has changed, it is advanced. Lives in the shard's slab, from the step that knows the server to the
// end of the connection. One thread.
#pragma once

#include "observe/request_record.h"
#include "observe/tcp_metrics.h"
#include "proxy/borrowed_upstream.h"
#include "proxy/services.h"
#include "proxy/tunnel.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::proxy {

class ClientConnection;

// Of a tunnel that was asked for by CONNECT: what its record needs, its client's first bytes while they are held back,
// and what they are held against.
struct ConnectRequest {
  std::string authority;  // as received
  std::string host;
  std::string user_agent;
  std::string request_id;
  http::Version version;
  Instant started_at;
  snapshot::HostAgreement host_agreement;
  std::string held{};       // at most limits::client_hello_bytes_max and what came with them
  Duration detection_time;  // how long the rest of a beginning is waited for, where a mismatch is only noted
};

// What records say that an outbound request or connection has gone to that nobody has registered, where only registered
// destinations are reached (Istio's name).
[[nodiscard]] const snapshot::Cluster& black_hole_cluster();

class TcpProxy {
 public:
  TcpProxy(Services& services, ClientConnection& client) noexcept;
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;
  ~TcpProxy();  // ended: advance() said so, or cancel() or time_out() was called

  // What becomes of the client's connection.
  enum class Outcome : uint8_t {
    pending,       // wait for a change
    yield,         // advance() again in the next turn
    close_client,  // over; close it once what was written has gone
    abort_client,  // over; reset it: it must not take what it has for complete
  };

  // Instead of a choice: the upstream's connection of an exchange whose CONNECT was granted, to the cluster of these
  // names (upstream::ClusterTable::names_of()).
  void take_over(BorrowedUpstream& upstream, std::shared_ptr<const snapshot::Cluster> names,
                 std::unique_ptr<ConnectRequest> request);

  // Moves on as far as it can; the first call chooses the destination. The client's bytes stay with its
  // connection, and in the kernel, until there is somebody to take them.
  [[nodiscard]] Outcome advance();

  // The shard stops.
  void cancel();
  // Nothing has moved for as long as the destination allows, or it has lasted that long.
  void time_out();
  // How long it may be silent from now on, and last, as the destination's rule says.
  [[nodiscard]] Duration patience() const noexcept;
  // When that is over, and `has_moved` since.
  [[nodiscard]] bool may_time_out(bool has_moved) const noexcept;

  // The client's first bytes wait for the rest of what they begin, and patience() is for that.
  [[nodiscard]] bool has_held_enough() const noexcept;
  // They go on as they are.
  void let_go();

  // The cluster's timeout counts, not one of ours.
  [[nodiscard]] bool is_connecting() const noexcept { return state_ == State::connecting; }

 private:
  enum class State : uint8_t {
    routing,     // nothing has happened yet
    connecting,  // to the destination, perhaps to another endpoint than at first
    tunnelling,  // bytes both ways
    ended,       // the outcome is known, the record is written
  };

  // In the order of the way of a connection.
  Outcome choose_destination();
  Outcome on_borrowed(BorrowedUpstream::Status status);
  Outcome on_connected();
  void begin_tunnel();
  Outcome advance_tunnel();
  Outcome look_at_first_bytes();
  void stop_holding();

  // Ways in which it ends early.
  Outcome refuse(std::string_view details);
  Outcome on_client_lost();
  Outcome on_broken();

  Outcome end(Outcome outcome);
  void release_snapshot() noexcept;
  void count_bytes() noexcept;
  void write_record();
  void set_state(State next) noexcept;
  [[nodiscard]] bool has_client_left();
  [[nodiscard]] bool is_too_old() const noexcept { return services_.loop.now() >= end_of_life_; }
  static void on_upstream_change(void* self);

  Services& services_;
  ClientConnection& client_;
  AdoptedSnapshot* snapshot_ = nullptr;  // pinned until connected
  BorrowedUpstream upstream_;            // from connecting to the end
  std::optional<Tunnel> tunnel_;         // exactly while tunnelling
  // Null: none was chosen. The snapshot's, while that is pinned; then names_.
  const snapshot::Cluster* cluster_ = nullptr;
  std::shared_ptr<const snapshot::Cluster> names_;  // from connected on, what the record needs and no more
  observe::TcpMetrics::Series* series_ = nullptr;   // from connected on: where it counts

  Instant end_of_life_ = Instant::max();
  std::unique_ptr<ConnectRequest> connect_;  // exactly when there was one

  // For the record.
  uint64_t received_bytes_ = 0;  // from the client
  uint64_t sent_bytes_ = 0;
  std::string_view details_;
  observe::ResponseFlags flags_;

  uint32_t cluster_index_ = 0;  // of cluster_, while the snapshot is pinned
  bool awaits_rest_ = false;    // likewise, and some have come
  bool holds_bytes_ = false;    // those of the client, until they are seen to be meant for the host of its CONNECT
  State state_ = State::routing;
};

}  // namespace sluice::proxy

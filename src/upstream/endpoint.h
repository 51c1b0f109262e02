// One endpoint of a cluster as one shard sees it: its idle connections and how busy it is. Shared by
// the cluster tables of successive snapshots as long as the endpoint stays in the configuration, so a
// reload keeps its connections. One thread.
#pragma once

#include "base/address.h"
#include "base/list.h"
#include "upstream/connection.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace sluice::upstream {

// Shared: a borrower that outlives its snapshot (a TCP connection) keeps its endpoint, too.
class Endpoint : public std::enable_shared_from_this<Endpoint> {
 public:
  explicit Endpoint(const SocketAddress& address) noexcept : address_(address) {}
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  ~Endpoint();  // closes the idle connections

  [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }

  // Requests in flight, the measure of LEAST_REQUEST.
  uint32_t active_requests = 0;

  // The connection that was used last (it is the least likely to be stale) and was opened for `server_name` (empty
  // without TLS), or nullptr.
  [[nodiscard]] Connection* take_idle(std::string_view server_name) noexcept;
  // False at limits::idle_upstreams_per_endpoint_max: the caller closes the connection instead.
  [[nodiscard]] bool keep_idle(Connection& connection) noexcept;
  void forget_idle(Connection& connection) noexcept;

  // TLS sessions that the next connections can resume, each once: what the server has given to earlier ones.
  [[nodiscard]] std::unique_ptr<tls::ResumableSession> take_resumable() noexcept;
  void keep_resumable(std::unique_ptr<tls::ResumableSession> session);

 private:
  SocketAddress address_;
  List<Connection> idle_;
  uint32_t idle_count_ = 0;
  std::vector<std::unique_ptr<tls::ResumableSession>>
      resumable_;  // at most limits::resumable_sessions_max, newest last
};

}  // namespace sluice::upstream

// One endpoint of a cluster as one shard sees it: its idle connections and how busy it is. It is an address, or a name
// whose addresses are looked up for each new connection. Shared by the cluster tables of successive snapshots as long
// as the endpoint stays in the configuration, so a reload keeps its connections. One thread.
#pragma once

#include "base/address.h"
#include "base/limits.h"
#include "base/list.h"
#include "snapshot/connection_terms.h"
#include "snapshot/destination_load.h"
#include "snapshot/requested_target.h"
#include "upstream/connection.h"
#include "upstream/http2_connection.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::upstream {

// Who is in line for a connection of an endpoint whose destination has as many as it may. Embedded in its owner.
struct ConnectionWaiter : ListNode<ConnectionWaiter> {
  Connection::Borrower borrower;  // told when it is to try again, and when its time is over
  Instant until{};
  std::shared_ptr<snapshot::DestinationLoad> load;  // while in line: it is counted there
};

// When a connection without requests ends; Instant::max(): never.
[[nodiscard]] Instant idle_end(const snapshot::ConnectionTerms& terms, Instant opened_at, Instant now) noexcept;
// It serves no more requests.
[[nodiscard]] inline bool is_too_old(const snapshot::ConnectionTerms& terms, Instant opened_at, Instant now) noexcept {
  return terms.lifetime > Duration{} && now >= opened_at + terms.lifetime;
}

// Shared: a borrower that outlives its snapshot (a TCP connection) keeps its endpoint, too.
class Endpoint : public std::enable_shared_from_this<Endpoint>, public ListNode<Endpoint> {
 public:
  explicit Endpoint(const SocketAddress& address) noexcept : address_(address) {}
  // `guard` says which addresses the name may have.
  Endpoint(std::string_view name, uint16_t port, std::shared_ptr<const snapshot::AddressGuard> guard)
      : name_(name), guard_(std::move(guard)) {
    address_.port = port;
  }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  ~Endpoint();  // closes the connections that nobody uses: all that are left

  [[nodiscard]] bool is_named() const noexcept { return guard_ != nullptr; }
  // Of one that is named, only the port is known.
  [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }
  // Of one that is named.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const snapshot::AddressGuard& guard() const noexcept { return *guard_; }

  // Nobody has a connection to it, and none is kept.
  [[nodiscard]] bool is_unused() const noexcept { return active_requests == 0 && idle_.empty() && http2_.empty(); }

  uint32_t idle_max = limits::idle_upstreams_per_endpoint_max;  // connections that are kept without requests
  // Requests in flight, the measure of LEAST_REQUEST.
  uint32_t active_requests = 0;
  // Of the newest configuration: connections that are open keep to them too, but for their PINGs.
  snapshot::ConnectionTerms terms;
  snapshot::ConnectionBound bound;  // likewise; those that were opened without one do not count

  // One more connection to be opened is counted. False: the destination has as many as it may; only where somebody
  // would wait, and this shard has none to the endpoint that could become free, there may be that one (as in Envoy).
  [[nodiscard]] bool count_connection(bool would_wait) noexcept;
  // It is gone. `counted_in`: the load when it was counted.
  void uncount_connection(snapshot::DestinationLoad* counted_in) noexcept;
  // The line of those who wait for a connection. The first one is told when there may be one, and leaves by itself.
  void stand_in_line(ConnectionWaiter& waiter) noexcept;
  void leave_line(ConnectionWaiter& waiter) noexcept;
  [[nodiscard]] ConnectionWaiter* first_in_line() noexcept { return line_.empty() ? nullptr : &line_.front(); }
  [[nodiscard]] bool is_turn_of(const ConnectionWaiter* waiter) noexcept {
    return line_.empty() || &line_.front() == waiter;
  }
  // Other shards have a line, and this one has none: a connection that is not used is of more use there.
  [[nodiscard]] bool should_make_room() const noexcept;
  // Ends a connection that no request uses. False: there is none.
  bool drop_unused() noexcept;

  // The connection that was used last (it is the least likely to be stale) and was opened for `server_name` (empty
  // without TLS), or nullptr.
  [[nodiscard]] Connection* take_idle(std::string_view server_name) noexcept;
  [[nodiscard]] bool has_idle(std::string_view server_name) noexcept;
  // False at idle_max: the caller closes the connection instead.
  [[nodiscard]] bool keep_idle(Connection& connection) noexcept;
  void forget_idle(Connection& connection) noexcept;

  // A connection of HTTP/2 that was opened for `server_name` and has room for one more request beside fewer than
  // `streams_max`, or nullptr.
  [[nodiscard]] Http2Connection* find_http2(std::string_view server_name, uint32_t streams_max) noexcept;
  // How many requests one took at a time, when last one was opened.
  [[nodiscard]] uint32_t http2_capacity() const noexcept { return http2_capacity_; }
  void learn_http2_capacity(size_t capacity) noexcept { http2_capacity_ = static_cast<uint32_t>(capacity); }
  // Until it takes no more requests.
  void keep_http2(Http2Connection& connection) noexcept { http2_.push_back(connection); }
  // The upstream was offered HTTP/2 and has chosen HTTP/1.1: for limits::http1_choice_lifetime it is not asked again.
  void learn_http1(Instant now) noexcept;
  [[nodiscard]] bool prefers_http1(Instant now) const noexcept { return now < http1_until_; }

  // TLS sessions that the next connections can resume, each once: what the server has given to earlier ones.
  [[nodiscard]] std::unique_ptr<tls::ResumableSession> take_resumable() noexcept;
  void keep_resumable(std::unique_ptr<tls::ResumableSession> session);

 private:
  SocketAddress address_;
  std::string name_;
  std::shared_ptr<const snapshot::AddressGuard> guard_;  // exactly when it is named
  uint32_t connection_count_ = 0;                        // connecting, lent or idle
  List<ConnectionWaiter> line_;
  List<Connection> idle_;
  uint32_t idle_count_ = 0;
  List<Http2Connection> http2_;
  uint32_t http2_capacity_ = limits::http2_streams_max;
  Instant http1_until_{};
  std::vector<std::unique_ptr<tls::ResumableSession>>
      resumable_;  // at most limits::resumable_sessions_max, newest last
};

}  // namespace sluice::upstream

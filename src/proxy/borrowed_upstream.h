// The upstream connection that an exchange, a mirrored request or a TCP proxy works with, or its place on one of HTTP/2
// that others share: an endpoint of its cluster is chosen, a connection borrowed from the pool, joined or made, and
// when that cannot be opened, another endpoint is tried, up to limits::connect_attempts_max in all or as
// limit_attempts() says. Step 5 of the way of a request. Member of its owner; one thread.
#pragma once

#include "base/address.h"
#include "base/limits.h"
#include "proxy/services.h"
#include "upstream/connection.h"
#include "upstream/endpoint.h"
#include "upstream/http2_connection.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::proxy {

class ClientConnection;

class BorrowedUpstream {
 public:
  // `borrower` is told of every change while a connection is borrowed.
  BorrowedUpstream(Services& services, upstream::Connection::Borrower borrower) noexcept
      : services_(services), borrower_(borrower) {}
  BorrowedUpstream(const BorrowedUpstream&) = delete;
  BorrowedUpstream& operator=(const BorrowedUpstream&) = delete;
  ~BorrowedUpstream();  // released

  enum class Status : uint8_t {
    connecting,   // or in line for a connection; ask look_at_connect() when something has changed
    ready,        // open
    unavailable,  // nothing is borrowed: the cluster has no endpoint that can be used (UH)
    failed,       // nothing is borrowed: no connection could be opened (UF, URX)
    unresolved,   // nothing is borrowed: the name that was requested has no address (DF)
    forbidden,    // nothing is borrowed: it has only addresses that the cluster's guard refuses
    overflow,     // nothing is borrowed: the cluster has as much to do as it may have (UO)
  };
  enum class Wanted : uint8_t {
    any,
    fresh,  // one of HTTP/1 that nobody has used
    bytes,  // likewise, and for bytes without HTTP, whatever the cluster speaks
  };

  // How many endpoints are tried for one request, all calls of borrow() together, and whether one that cannot be
  // connected to is followed by another.
  void limit_attempts(uint32_t attempts_max, bool retries_connect) noexcept {
    attempts_max_ = attempts_max;
    retries_connect_ = retries_connect;
  }
  [[nodiscard]] uint32_t attempts() const noexcept { return attempts_; }
  [[nodiscard]] bool has_attempts_left() const noexcept { return attempts_ < attempts_max_; }
  // Counts this request among those that the cluster is sent once more, until it is over. False: there are as many as
  // may be.
  [[nodiscard]] bool count_retry();

  // Borrows a connection to the cluster (an index into Snapshot::clusters) of a snapshot that stays pinned until
  // the connection is released, or keep_endpoint(). `target` is what the client wants to reach, for clusters that leave
  // that to it; what it refers to lives as long. Where the cluster has TLS and names no server itself, its host is the
  // one that is asked for, and that the certificate must be for. Requires that none is borrowed.
  // `version`: the client's, which the cluster may ask for. `client` is whom a PROXY header names, where the cluster
  // wants one; it is looked at only now.
  [[nodiscard]] Status borrow(AdoptedSnapshot& snapshot, uint32_t cluster, const ClientConnection& client,
                              const snapshot::RequestedTarget& target, http::Version version, Wanted wanted);
  // While connecting. A connect that has failed is tried once more, elsewhere if possible.
  [[nodiscard]] Status look_at_connect(Wanted wanted);
  // `reusable`: nothing of the borrower's is left on it, so it goes into the pool; else it is ended. Idempotent.
  void release(bool reusable, io::Stream::Ending ending = io::Stream::Ending::orderly);

  // The connection of another one, which is ready and its borrower's alone, becomes this one's, as after
  // keep_endpoint().
  void take_over(BorrowedUpstream& other);
  // The snapshot may go before the connection does.
  void keep_endpoint();
  // TLS broke while it was lent: the record is to say why.
  void note_tls_error();
  // How long the upstream keeps the connection without a request, as its response says; of HTTP/2 it does not say.
  void learn_patience(const http::ResponseHead& response) noexcept {
    if (http2_ == nullptr) connection_->learn_patience(std::chrono::seconds(response.keep_alive_seconds));
  }
  // The next choice need not avoid the endpoint of the last one: its connection was to blame.
  void forgive_endpoint() noexcept { endpoint_ = nullptr; }

  // Once ready. Null: connection() is the borrower's alone.
  [[nodiscard]] upstream::Http2Request* http2() const noexcept { return http2_; }
  [[nodiscard]] upstream::Connection& connection() const noexcept {
    return http2_ != nullptr ? http2_->connection() : *connection_;
  }

  // --- for the record ---
  // Of the last endpoint that was tried; null: none was.
  [[nodiscard]] const SocketAddress* address() const noexcept { return address_.is_known() ? &address_ : nullptr; }
  // Known once a connection that was open is released, while requests are logged.
  [[nodiscard]] const SocketAddress* local_address() const noexcept {
    return local_address_.is_known() ? &local_address_ : nullptr;
  }
  // %UPSTREAM_TRANSPORT_FAILURE_REASON% of the last failure; empty: none.
  [[nodiscard]] std::string_view failure_reason() const noexcept { return failure_reason_; }

 private:
  Status open(Wanted wanted);
  [[nodiscard]] Status choose_endpoint();
  Status connect(Wanted wanted);
  Status await_connection();
  Status refuse();
  Status look_at_shared(Wanted wanted);
  Status on_connect_failed(int error, Wanted wanted);
  [[nodiscard]] bool take_load(const snapshot::Cluster& cluster) noexcept;
  [[nodiscard]] bool start_waiting() noexcept;
  void stop_waiting() noexcept;
  void give_back_load() noexcept;
  [[nodiscard]] bool is_ready() const noexcept;
  void leave_endpoint() noexcept;

  Services& services_;
  upstream::Connection::Borrower borrower_;
  AdoptedSnapshot* snapshot_ = nullptr;         // of the last borrow()
  upstream::Endpoint* endpoint_ = nullptr;      // the last one that was tried: of the snapshot, or kept_
  upstream::Connection* connection_ = nullptr;  // exactly while one is borrowed
  upstream::Http2Request* http2_ = nullptr;     // exactly while one has been joined
  upstream::ConnectionWaiter waiter_;           // in line exactly while there is none because of the cluster's bound
  std::shared_ptr<upstream::Endpoint> kept_;    // of one that a client has requested, and after keep_endpoint()
  SocketAddress address_;
  SocketAddress local_address_;
  std::unique_ptr<const std::string> proxy_header_;  // null: the cluster wants none
  snapshot::RequestedTarget target_;
  http::Version version_ = http::Version::http_1_1;
  std::string failure_reason_;
  snapshot::DestinationLoad* load_ = nullptr;  // while this is part of it: borrowed, of a cluster that has bounds
  bool is_waiting_ = false;                    // likewise, for the connection
  bool is_active_ = false;                     // the endpoint counts this among its requests
  std::shared_ptr<snapshot::DestinationLoad> retried_;  // among whose retries this counts
  uint32_t cluster_ = 0;
  uint32_t attempts_ = 0;
  uint32_t attempts_max_ = limits::connect_attempts_max;
  bool retries_connect_ = true;
};

}  // namespace sluice::proxy

// One connection to an endpoint: lent to one exchange at a time, idle in its endpoint's list in
// between, where it keeps receiving, so that an upstream's close is seen before the next request would
// run into it. Made by ConnectionPool; returns itself to it after the close. One thread.
#pragma once

#include "base/list.h"
#include "base/timer_wheel.h"
#include "http/http1_reader.h"
#include "io/loop.h"
#include "snapshot/destination_load.h"
#include "transport/transport.h"
#include "upstream/names.h"

#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sluice::upstream {

class ConnectionPool;
class Endpoint;

// What Connection::connect_error() says beside errno's values of connecting: these two are none of them (connect(2)).
inline constexpr int name_unresolved = ENODATA;   // the name of the endpoint has no address
inline constexpr int addresses_forbidden = EDOM;  // it has only such as its guard refuses

class Connection : public ListNode<Connection> {
 public:
  // Who is told of every change while the connection is lent.
  struct Borrower {
    void (*on_change)(void* owner) = nullptr;
    void* owner = nullptr;
  };

  Connection(ConnectionPool& pool, Endpoint& endpoint) noexcept;
  ~Connection();

  // What comes before all that a borrower says, as the cluster wants it.
  struct Opening {
    // The very first bytes (transport/proxy_header.h); empty: none. They name the client, so that the connection is for
    // one borrower and never for another.
    std::string_view proxy_header;
    std::shared_ptr<tls::ClientContext> context;  // null: plaintext
    std::string_view server_name;                 // SNI, and what the certificate must be for
    bool offers_http2 = false;                    // by ALPN, beside HTTP/1.1; false: no ALPN
  };

  // Begins to connect, counted by its endpoint (Endpoint::count_connection()), for `borrower`, who learns the outcome
  // by on_change: is_ready() or connect_error(). `timeout` is for looking up the endpoint's name and for the TLS
  // handshake, too.
  void connect(Duration timeout, const Opening& opening, Borrower borrower);
  // Lends an idle connection.
  void lend(Borrower borrower) noexcept;
  // The borrower of one that is ready lends it on, and hears nothing any more.
  void hand_to(Borrower borrower) noexcept { borrower_ = borrower; }
  // The upstream says how long it keeps the connection without a request: it is given up before that, so that no
  // request meets its end. Zero: it does not say.
  void learn_patience(Duration patience) noexcept;
  // The borrower is done, and the connection may serve another request: no bytes of this one are left. One that names
  // a client ends.
  void give_back() noexcept;
  // Ends the connection, idle or lent; the borrower hears nothing any more. In order, TLS is ended first.
  void discard(io::Stream::Ending ending = io::Stream::Ending::orderly) noexcept;
  // The same, in order, and what was written goes out first.
  void finish_and_discard() noexcept;

  [[nodiscard]] bool is_ready() const noexcept { return state_ == State::lent && connect_error_ == 0; }
  // errno of a connect that failed, ETIMEDOUT when its time was up, EPROTO when the TLS handshake failed, or one of the
  // two above; 0: none.
  [[nodiscard]] int connect_error() const noexcept { return connect_error_; }
  // Why the handshake failed; valid until discard().
  [[nodiscard]] std::string_view tls_error() const noexcept;
  // Open, with nothing that was received or not yet sent: what an idle connection must be. What belongs to TLS alone
  // (session tickets) is read on the way.
  [[nodiscard]] bool is_clean();
  // For which it was opened; empty without TLS.
  [[nodiscard]] std::string_view server_name() const noexcept { return server_name_; }
  // Since it is connected.
  [[nodiscard]] Instant opened_at() const noexcept { return opened_at_; }
  // It has told the endpoint who the client is.
  [[nodiscard]] bool names_client() const noexcept { return proxy_header_ != nullptr; }
  // It has served a request before, so it may have been closed by the upstream just now.
  [[nodiscard]] bool is_reused() const noexcept { return is_reused_; }
  // Since it was lent, not a byte can have reached the upstream; a send that the kernel has may have.
  [[nodiscard]] bool has_sent_nothing() const noexcept {
    return transport_.stream().bytes_sent() == sent_before_ && !transport_.stream().is_sending();
  }

  [[nodiscard]] transport::Transport& transport() noexcept { return transport_; }
  [[nodiscard]] http::Http1Reader& reader() noexcept { return reader_; }
  [[nodiscard]] Endpoint& endpoint() noexcept { return *endpoint_; }
  [[nodiscard]] const SocketAddress& local_address() noexcept;
  // That it is connected to, or was tried last; not known before, when the endpoint is named.
  [[nodiscard]] const SocketAddress& remote_address() const noexcept { return remote_address_; }
  // What it has carried since the last call, into the pool's counters; give_back() and the end do so, too.
  void count_bytes() noexcept;

 private:
  enum class State : uint8_t {
    resolving,  // the addresses of its endpoint's name are awaited; or it has failed, which is told soon
    connecting,
    handshaking,
    lent,
    idle,
    finishing,  // nobody's any more: what is left to be said goes out (close_notify, an alert, GOAWAY)
    closing,
  };

  static void on_stream_change(void* self);
  static void on_timeout(void* self);
  static void on_retire(void* self);

  static void on_handshake_ready(void* self);

  [[nodiscard]] bool may_serve_again() const noexcept;
  void forget_users() noexcept;
  void on_change();
  void resolve();
  void connect_to(std::span<const SocketAddress> found);
  void fail_soon(int error) noexcept;
  static void on_resolved(void* self, std::span<const SocketAddress> addresses);
  void on_connected();
  void on_handshake_bytes();
  void end_connecting(int error);
  void finish();
  void close(io::Stream::Ending ending) noexcept;
  [[nodiscard]] bool has_farewell(io::Stream::Ending ending) const noexcept;

  ConnectionPool& pool_;
  Endpoint* endpoint_;  // null once finishing or closing: the endpoint may be gone before the close is complete
  transport::Transport transport_;
  http::Http1Reader reader_;
  std::unique_ptr<const std::string> proxy_header_;        // null: none
  std::shared_ptr<snapshot::DestinationLoad> counted_in_;  // null: its destination has no bound
  std::shared_ptr<tls::ClientContext> tls_context_;        // until the handshake begins; null: plaintext
  std::string server_name_;
  std::unique_ptr<NameWaiter> name_waiter_;  // exactly while the answer is awaited
  Timer timer_;                              // resolving, connecting: the time it may take; idle: the time it is kept
  io::Task retire_task_;
  Borrower borrower_;  // set exactly while resolving, connecting, handshaking or lent
  SocketAddress local_address_;
  SocketAddress remote_address_;
  uint64_t sent_before_ = 0;
  uint64_t counted_received_ = 0;  // of the stream's totals, what the pool's counters have
  uint64_t counted_sent_ = 0;
  Instant opened_at_{};
  uint32_t lent_count_ = 0;
  uint32_t patience_ms_ = 0;  // how long it may be idle, as the upstream says; 0: it does not
  int connect_error_ = 0;
  State state_ = State::idle;
  bool offers_http2_ = false;
  bool is_reused_ = false;
};

}  // namespace sluice::upstream

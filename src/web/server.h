// A server that may block: one thread accepts, one thread per connection serves. For few and short
// connections (admin, status) and for the sample upstream; bounded in connections, so that nobody can
// start threads without end.
#pragma once

#include "base/result.h"
#include "web/connection.h"

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <thread>

namespace sluice::web {

struct ServerOptions {
  unsigned connections_max = 64;  // one more is closed at once
  ConnectionLimits connection;
};

class Server {
 public:
  // Answers one request; called by many threads at once.
  using Handler = std::function<void(Connection&, const http::RequestHead&)>;

  // Listens when it returns.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(const SocketAddress& address, const ServerOptions& options,
                                                             Handler handler);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  // stops

  // Where it listens: with the port that was given, or chosen when that was 0.
  [[nodiscard]] SocketAddress address() const noexcept { return listener_.local_address(); }

  // Ends every connection and joins the threads. Idempotent.
  void stop();

 private:
  struct Worker {
    explicit Worker(io::BlockingSocket socket, const ConnectionLimits& limits)
        : connection(std::move(socket), limits) {}
    Connection connection;
    std::atomic<bool> is_done{false};
    std::thread thread;
  };

  Server(io::BlockingSocket listener, const ServerOptions& options, Handler handler);

  void accept_connections();
  void start_worker(io::BlockingSocket socket);
  void serve(Worker& worker);
  void join_finished();

  io::BlockingSocket listener_;
  const ServerOptions options_;
  const Handler handler_;
  std::atomic<bool> is_stopping_{false};
  std::list<Worker> workers_;  // the acceptor's; a list, because threads hold references
  std::thread acceptor_;
};

}  // namespace sluice::web

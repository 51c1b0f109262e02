#include "web/server.h"

#include "base/log.h"

#include <system_error>
#include <utility>

namespace sluice::web {

namespace {

// How long a finished thread stays unjoined at most, and the wait when the process is out of descriptors.
constexpr Duration kAcceptWait = std::chrono::milliseconds(250);

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const SocketAddress& address, const ServerOptions& options,
                                              Handler handler) {
  Result<io::BlockingSocket> listener = io::BlockingSocket::listen(address);
  if (!listener) return std::unexpected(listener.error());
  std::unique_ptr<Server> server(new Server(std::move(*listener), options, std::move(handler)));
  server->acceptor_ = std::thread([&self = *server] { self.accept_connections(); });
  return server;
}

Server::Server(io::BlockingSocket listener, const ServerOptions& options, Handler handler)
    : listener_(std::move(listener)), options_(options), handler_(std::move(handler)) {}

Server::~Server() { stop(); }

void Server::stop() {
  if (is_stopping_.exchange(true)) return;
  listener_.shutdown();
  acceptor_.join();
  for (const Worker& worker : workers_) worker.connection.shutdown();
  for (Worker& worker : workers_) worker.thread.join();
  workers_.clear();
}

void Server::accept_connections() {
  while (!is_stopping_) {
    Result<std::optional<io::BlockingSocket>> accepted = listener_.accept(io::deadline_in(kAcceptWait));
    join_finished();
    if (!accepted) {
      if (is_stopping_) return;
      log::warning("listener {}: {}; trying again", listener_.local_address().to_string(), accepted.error().message);
      std::this_thread::sleep_for(kAcceptWait);
      continue;
    }
    if (*accepted && workers_.size() < options_.connections_max) start_worker(std::move(**accepted));
  }
}

void Server::start_worker(io::BlockingSocket socket) {
  Worker& worker = workers_.emplace_back(std::move(socket), options_.connection);
  try {
    worker.thread = std::thread([this, &worker] { serve(worker); });
  } catch (const std::system_error& error) {
    log::warning("listener {}: a connection was closed: no thread for it: {}; raise the limit of tasks (TasksMax=)",
                 listener_.local_address().to_string(), error.what());
    workers_.pop_back();
  }
}

void Server::serve(Worker& worker) {
  Connection& connection = worker.connection;
  while (!is_stopping_) {
    const http::RequestHead* request = connection.read_request();
    if (request == nullptr) break;
    handler_(connection, *request);
    if (!connection.finish_request()) break;
  }
  connection.close();
  worker.is_done = true;
}

void Server::join_finished() {
  std::erase_if(workers_, [](Worker& worker) {
    if (!worker.is_done) return false;
    worker.thread.join();
    return true;
  });
}

}  // namespace sluice::web

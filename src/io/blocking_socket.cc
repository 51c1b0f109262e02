#include "io/blocking_socket.h"

#include "base/check.h"
#include "base/limits.h"
#include "io/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace sluice::io {

namespace {

// For poll(2): rounded up, so that a wait never ends just before its deadline.
int milliseconds_until(Deadline deadline) {
  const auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(rest, 0, 60'000));
}

bool is_past(Deadline deadline) { return std::chrono::steady_clock::now() >= deadline; }

// False at the deadline. poll(2) says that the descriptor is ready on errors too: the call that follows tells.
bool wait_for(int fd, short events, Deadline deadline) {
  do {
    pollfd item{.fd = fd, .events = events, .revents = 0};
    if (poll(&item, 1, milliseconds_until(deadline)) > 0) return true;
  } while (!is_past(deadline));
  return false;
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

int new_socket(SocketAddress::Family family) {
  CHECK(family != SocketAddress::Family::unix_socket);  // nobody names one where these are used
  const int fd =
      socket(family == SocketAddress::Family::ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;  // what a listener accepts inherits it
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

std::string listen_failure(const SocketAddress& address, int error) {
  std::string message = "cannot listen on " + address.to_string() + ": " + errno_text(error);
  switch (error) {
    case EADDRINUSE:
      return message + "; another process has this port: stop it (ss -ltnp shows which), or choose another port";
    case EACCES: return message + "; ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or choose another port";
    case EADDRNOTAVAIL: return message + "; no interface of this machine has this address: choose another one";
    case EMFILE:
    case ENFILE: return message + "; raise the descriptor limit (LimitNOFILE= of the service, ulimit -n)";
    default: return message;
  }
}

}  // namespace

BlockingSocket::BlockingSocket(BlockingSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

BlockingSocket& BlockingSocket::operator=(BlockingSocket&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

BlockingSocket::~BlockingSocket() {
  if (fd_ >= 0) close(fd_);
}

Result<BlockingSocket> BlockingSocket::listen(const SocketAddress& address) {
  BlockingSocket listener(new_socket(address.family));
  if (!listener.is_open()) return failure(listen_failure(address, errno));
  const int on = 1;
  setsockopt(listener.fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage;
  const unsigned length = to_sockaddr(address, storage);
  if (bind(listener.fd_, reinterpret_cast<const sockaddr*>(&storage), length) != 0 ||
      ::listen(listener.fd_, limits::listen_backlog) != 0) {
    return failure(listen_failure(address, errno));
  }
  return listener;
}

Result<BlockingSocket> BlockingSocket::connect(const SocketAddress& address, Deadline deadline) {
  const auto connect_failure = [&address](int error) {
    return failure("cannot connect to " + address.to_string() + ": " + errno_text(error));
  };
  BlockingSocket connection(new_socket(address.family));
  if (!connection.is_open()) return connect_failure(errno);
  sockaddr_storage storage;
  const unsigned length = to_sockaddr(address, storage);
  if (::connect(connection.fd_, reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    if (errno != EINPROGRESS) return connect_failure(errno);
    if (!wait_for(connection.fd_, POLLOUT, deadline)) return connect_failure(ETIMEDOUT);
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection.fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return connect_failure(error);
  }
  return connection;
}

Result<std::optional<BlockingSocket>> BlockingSocket::accept(Deadline deadline) const {
  if (!wait_for(fd_, POLLIN, deadline)) return std::nullopt;
  const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) return BlockingSocket(fd);
  switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EINVAL:  // shut down
    case EBADF: return failure("cannot accept a connection: " + errno_text(errno));
    default: return std::nullopt;  // accept(2): errors of the new connection are to be treated like EAGAIN
  }
}

Result<size_t> BlockingSocket::read(MutableBytes room, Deadline deadline) const {
  while (true) {
    const ssize_t count = recv(fd_, room.data(), room.size(), 0);
    if (count >= 0) return static_cast<size_t>(count);
    if (!would_block(errno)) return failure("cannot read: " + errno_text(errno));
    if (!wait_for(fd_, POLLIN, deadline)) return failure("cannot read: the peer sent nothing in time");
  }
}

Status BlockingSocket::write_all(ConstBytes bytes, Deadline deadline) const {
  while (!bytes.empty()) {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(count));
      continue;
    }
    if (!would_block(errno)) return failure("cannot write: " + errno_text(errno));
    if (!wait_for(fd_, POLLOUT, deadline)) return failure("cannot write: the peer took nothing in time");
  }
  return {};
}

bool BlockingSocket::wait_until_closed(Deadline deadline) const { return wait_for(fd_, POLLRDHUP, deadline); }

void BlockingSocket::shutdown_write() const noexcept { shutdown_socket(fd_, ShutdownHow::write); }

void BlockingSocket::shutdown() const noexcept { shutdown_socket(fd_, ShutdownHow::both); }

SocketAddress BlockingSocket::local_address() const noexcept { return io::local_address(fd_); }

SocketAddress BlockingSocket::peer_address() const noexcept { return io::peer_address(fd_); }

bool wait_ready(std::span<Watch> watches, Deadline deadline) {
  std::vector<pollfd> items;
  items.reserve(watches.size());
  for (const Watch& watch : watches) {
    const int events = (watch.wants_read ? POLLIN : 0) | (watch.wants_write ? POLLOUT : 0);
    items.push_back({.fd = watch.fd, .events = static_cast<short>(events), .revents = 0});
  }
  const bool is_any_ready = poll(items.data(), items.size(), milliseconds_until(deadline)) > 0;
  for (size_t i = 0; i < watches.size(); ++i) {
    const int found = is_any_ready ? items[i].revents : 0;
    watches[i].is_readable = watches[i].wants_read && (found & (POLLIN | POLLERR | POLLHUP)) != 0;
    watches[i].is_writable = watches[i].wants_write && (found & (POLLOUT | POLLERR | POLLHUP)) != 0;
  }
  return is_any_ready;
}

}  // namespace sluice::io

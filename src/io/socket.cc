#include "io/socket.h"

#include "base/check.h"
#include "base/limits.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

namespace sluice::io {

namespace {

// The kernel's headers for these (linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h) and those of the C library
// exclude each other.
constexpr int kOriginalDestination = 80;   // SO_ORIGINAL_DST
constexpr int kOriginalDestination6 = 80;  // IP6T_SO_ORIGINAL_DST

// unix(7): an abstract name begins with a NUL and ends where the length says.
unsigned to_sockaddr_un(std::string_view name, sockaddr_un& address) noexcept {
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const bool is_abstract = name.starts_with('@');
  if (is_abstract) address.sun_path[0] = '\0';
  return static_cast<unsigned>(offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1));
}

}  // namespace

unsigned to_sockaddr(const SocketAddress& address, sockaddr_storage& storage) noexcept {
  std::memset(&storage, 0, sizeof storage);
  if (!address.is_ip()) return to_sockaddr_un(address.unix_name(), reinterpret_cast<sockaddr_un&>(storage));
  if (address.family == SocketAddress::Family::ipv4) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    std::memcpy(&in.sin_addr, address.ip.data(), 4);
    return sizeof in;
  }
  auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(address.port);
  std::memcpy(&in6.sin6_addr, address.ip.data(), 16);
  return sizeof in6;
}

SocketAddress from_sockaddr(const sockaddr_storage& storage) noexcept {
  SocketAddress address;
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    address.port = ntohs(in.sin_port);
    std::memcpy(address.ip.data(), &in.sin_addr, 4);
  } else if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
    address.port = ntohs(in6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
      std::memcpy(address.ip.data(), in6.sin6_addr.s6_addr + 12, 4);
    } else {
      address.family = SocketAddress::Family::ipv6;
      std::memcpy(address.ip.data(), &in6.sin6_addr, 16);
    }
  } else if (storage.ss_family == AF_UNIX) {
    address.family = SocketAddress::Family::unix_socket;
  }
  return address;
}

namespace {

int family_of(SocketAddress::Family family) noexcept {
  switch (family) {
    case SocketAddress::Family::ipv4: return AF_INET;
    case SocketAddress::Family::ipv6: return AF_INET6;
    case SocketAddress::Family::unix_socket: return AF_UNIX;
  }
  UNREACHABLE();
}

void set_option(int fd, int level, int option, int value) noexcept {
  setsockopt(fd, level, option, &value, sizeof value);
}

std::string listen_failure(const SocketAddress& address, int error) {
  std::string message = "cannot listen on " + address.to_string() + ": " + errno_text(error);
  if (!address.is_ip()) {
    switch (error) {
      case EADDRINUSE:
        return message +
               "; another process listens there (ss -lxp shows which), or the file is no socket: stop it, remove the "
               "file, or choose another name in the Gateway's bind";
      case EACCES: return message + "; sluice's user may not create files in that folder: grant it";
      case ENOENT: return message + "; its folder does not exist: create it (RuntimeDirectory= of the service does)";
      default: return message;
    }
  }
  switch (error) {
    case EADDRINUSE:
      return message +
             "; another process has this port: stop it (ss -ltnp shows which), or choose another port in the Gateway "
             "or in the Service's targetPort";
    case EACCES:
      return message +
             "; ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or map the port with the Service's targetPort";
    case EADDRNOTAVAIL: return message + "; no interface of this machine has this address: correct the server's bind";
    case EMFILE:
    case ENFILE: return message + "; raise the descriptor limit (LimitNOFILE= of the service, ulimit -n)";
    default: return message;
  }
}

}  // namespace

int open_stream_socket(SocketAddress::Family family) noexcept {
  const int fd = socket(family_of(family), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (family != SocketAddress::Family::unix_socket) set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  return fd;
}

namespace {

// False, with errno: it cannot take the clients that are asked for.
bool set_listener_options(int fd, const SocketAddress& address, ListenedClients clients) noexcept {
  if (!address.is_ip()) return true;
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  const bool is_ipv6 = address.family == SocketAddress::Family::ipv6;
  const bool takes_both = address.is_any() && clients == ListenedClients::direct;
  if (is_ipv6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, takes_both ? 0 : 1);
  if (clients != ListenedClients::transparent) return true;
  const int on = 1;
  return is_ipv6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on) == 0
                 : setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) == 0;
}

// Empty: it has no file.
std::string socket_file(const SocketAddress& address) {
  return address.unix_name().starts_with('/') ? std::string(address.unix_name()) : std::string();
}

// The file of a process that was killed stays, and bind(2) would refuse its name for ever.
void remove_abandoned_file(const SocketAddress& address, const sockaddr_storage& storage, unsigned length) {
  const std::string file = socket_file(address);
  struct stat found{};
  if (file.empty() || lstat(file.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return;
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return;
  const bool is_abandoned =
      connect(probe, reinterpret_cast<const sockaddr*>(&storage), length) != 0 && errno == ECONNREFUSED;
  close(probe);
  if (is_abandoned) unlink(file.c_str());
}

// 0, or errno.
int bind_to(int fd, const sockaddr_storage& address, unsigned length) noexcept {
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0 ? 0 : errno;
}

// A second in all.
constexpr int kAbandonedSocketLooks = 20;
constexpr unsigned kAbandonedSocketPauseMicroseconds = 50'000;

}  // namespace

Result<int> open_listener(const SocketAddress& address, ListenedClients clients) {
  const int fd = socket(family_of(address.family), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failure(listen_failure(address, errno));
  if (!set_listener_options(fd, address, clients)) {
    const int error = errno;
    close(fd);
    return failure("cannot listen transparently on " + address.to_string() + ": " + std::strerror(error) +
                   "; interceptionMode TPROXY needs CAP_NET_ADMIN: grant it, or use REDIRECT");
  }
  sockaddr_storage storage;
  const unsigned length = to_sockaddr(address, storage);
  int error = bind_to(fd, storage, length);
  // The kernel takes a moment to end the rings, and with them the sockets, of a process that was killed.
  for (int i = 0; error == EADDRINUSE && !address.is_ip() && i < kAbandonedSocketLooks; ++i) {
    remove_abandoned_file(address, storage, length);
    error = bind_to(fd, storage, length);
    if (error == EADDRINUSE) usleep(kAbandonedSocketPauseMicroseconds);
  }
  if (error == 0 && listen(fd, limits::listen_backlog) != 0) error = errno;
  if (error != 0) {
    close(fd);
    return failure(listen_failure(address, error));
  }
  // What clients say is acknowledged by the answer to it, from the first segment on; listen(2) would have reset that.
  if (address.is_ip()) set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 0);
  if (const std::string file = socket_file(address); !file.empty()) chmod(file.c_str(), 0666);
  return fd;
}

bool has_address(const SocketAddress& address) noexcept {
  SocketAddress any_port = address;
  any_port.port = 0;
  sockaddr_storage storage;
  const unsigned length = to_sockaddr(any_port, storage);
  const int probe = socket(family_of(address.family), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return errno != EAFNOSUPPORT;
  const int error = bind_to(probe, storage, length);
  close(probe);
  return error != EADDRNOTAVAIL;
}

// The source address to oneself is the destination (ip-route(8), table local); datagram sockets say it without sending.
bool leads_here(const SocketAddress& address) noexcept {
  const int probe = socket(family_of(address.family), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  sockaddr_storage storage;
  const unsigned length = to_sockaddr(address, storage);
  const bool has_route = connect(probe, reinterpret_cast<const sockaddr*>(&storage), length) == 0;
  const bool is_own = has_route && local_address(probe).ip == address.ip;
  close(probe);
  return is_own;
}

Result<int> share_listener(int fd) {
  const int shared = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (shared < 0) return failure("cannot share a listening socket: " + errno_text(errno));
  return shared;
}

SocketFile file_of_listener(const SocketAddress& address) noexcept {
  const std::string path = socket_file(address);
  struct stat found{};
  if (path.empty() || lstat(path.c_str(), &found) != 0) return {};
  return {.device = found.st_dev, .inode = found.st_ino};
}

void remove_listener_file(const SocketAddress& address, const SocketFile& file) noexcept {
  if (file != SocketFile() && file_of_listener(address) == file) unlink(socket_file(address).c_str());
}

SocketAddress original_destination(int fd) noexcept {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const bool is_known = getsockopt(fd, IPPROTO_IP, kOriginalDestination, &storage, &length) == 0 ||
                        getsockopt(fd, IPPROTO_IPV6, kOriginalDestination6, &storage, &length) == 0;
  return is_known ? from_sockaddr(storage) : local_address(fd);
}

SocketAddress local_address(int fd) noexcept {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  return from_sockaddr(storage);
}

SocketAddress peer_address(int fd) noexcept {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length);
  return from_sockaddr(storage);
}

void shutdown_socket(int fd, ShutdownHow how) noexcept {
  shutdown(fd, how == ShutdownHow::write ? SHUT_WR : SHUT_RDWR);
}

void acknowledge_now(int fd) noexcept { set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 1); }

uint64_t unacknowledged_bytes(int fd) noexcept {
  int count = 0;
  return ioctl(fd, SIOCOUTQ, &count) == 0 && count > 0 ? static_cast<uint64_t>(count) : 0;
}

void send_keepalives(int fd, const KeepaliveProbes& settings) noexcept {
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  for (const auto& [option, value] :
       {std::pair{TCP_KEEPCNT, settings.probes}, std::pair{TCP_KEEPIDLE, settings.idle_seconds},
        std::pair{TCP_KEEPINTVL, settings.interval_seconds}}) {
    if (value > 0) set_option(fd, IPPROTO_TCP, option, static_cast<int>(value));
  }
}

void reset_on_close(int fd) noexcept {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void close_descriptor(int fd) noexcept { close(fd); }

void set_nonblocking(int fd, bool nonblocking) noexcept {
  int is_on = nonblocking ? 1 : 0;
  ioctl(fd, FIONBIO, &is_on);  // one call, where fcntl(2) takes two
}

Pipe open_pipe() noexcept {
  int fds[2];
  if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) return {};
  Pipe pipe{.read_fd = fds[0], .write_fd = fds[1], .capacity = 0};
  // Refused with EPERM beyond /proc/sys/fs/pipe-max-size or the user's page quota: the default then.
  if (fcntl(fds[0], F_SETPIPE_SZ, static_cast<int>(limits::pipe_bytes)) < 0) fcntl(fds[0], F_SETPIPE_SZ, 64 * 1024);
  pipe.capacity = static_cast<size_t>(fcntl(fds[0], F_GETPIPE_SZ));
  return pipe;
}

long read_pipe(const Pipe& pipe, MutableBytes buffer) noexcept {
  const ssize_t size = read(pipe.read_fd, buffer.data(), buffer.size());
  return size < 0 ? -errno : size;
}

long splice_bytes(int from_fd, int to_fd, size_t max) noexcept {
  const ssize_t moved = splice(from_fd, nullptr, to_fd, nullptr, max, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  return moved < 0 ? -errno : moved;
}

}  // namespace sluice::io

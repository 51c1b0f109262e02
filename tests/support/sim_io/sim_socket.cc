// The functions of io/socket.h over the simulated kernel: takes the place of src/io/socket.cc.
#include "io/socket.h"

#include "sim_io/instruction_count.h"
#include "sim_io/kernel.h"
#include "sim_io/world.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace sluice::io {

namespace {

// The world runs until the end of the expression that calls it.
struct KernelCall {
  sim::WorldRuns world;
  sim::Kernel* operator->() const noexcept { return &sim::World::current().kernel(); }
};

KernelCall kernel() { return {}; }

}  // namespace

// The world has no Unix sockets.
unsigned to_sockaddr(const SocketAddress& address, sockaddr_storage& storage) noexcept {
  std::memset(&storage, 0, sizeof storage);
  if (address.family == SocketAddress::Family::ipv6) {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(address.port);
    std::memcpy(&in6.sin6_addr, address.ip.data(), 16);
    return sizeof in6;
  }
  auto& in = reinterpret_cast<sockaddr_in&>(storage);
  in.sin_family = AF_INET;
  in.sin_port = htons(address.port);
  std::memcpy(&in.sin_addr, address.ip.data(), 4);
  return sizeof in;
}

SocketAddress from_sockaddr(const sockaddr_storage& storage) noexcept {
  SocketAddress address;
  if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
    address.family = SocketAddress::Family::ipv6;
    address.port = ntohs(in6.sin6_port);
    std::memcpy(address.ip.data(), &in6.sin6_addr, 16);
    return address;
  }
  const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
  address.port = ntohs(in.sin_port);
  std::memcpy(address.ip.data(), &in.sin_addr, 4);
  return address;
}

int open_stream_socket(SocketAddress::Family) noexcept { return kernel()->open_socket(); }

Result<int> open_listener(const SocketAddress& address, ListenedClients) { return kernel()->open_listener(address); }

bool has_address(const SocketAddress&) noexcept { return true; }

bool leads_here(const SocketAddress&) noexcept { return false; }

// Unix sockets are the only ones that are shared.
Result<int> share_listener(int) { return failure("not in the simulated kernel"); }

SocketFile file_of_listener(const SocketAddress&) noexcept { return {}; }

void remove_listener_file(const SocketAddress&, const SocketFile&) noexcept {}

SocketAddress local_address(int fd) noexcept { return kernel()->socket(fd, "getsockname").local(); }

// The world has no firewall.
SocketAddress original_destination(int fd) noexcept { return local_address(fd); }

SocketAddress peer_address(int fd) noexcept { return kernel()->socket(fd, "getpeername").remote(); }

void shutdown_socket(int fd, ShutdownHow how) noexcept {
  const sim::WorldRuns world;
  sim::Endpoint& socket = kernel()->socket(fd, "shutdown");
  sim::World::current().trace("kernel: shutdown {} {}", fd, how == ShutdownHow::write ? "writing" : "both");
  if (how == ShutdownHow::write) {
    socket.shutdown_write();
  } else {
    socket.shutdown_both();
  }
}

uint64_t unacknowledged_bytes(int fd) noexcept { return kernel()->socket(fd, "ioctl").unsent_bytes(); }

void acknowledge_now(int fd) noexcept { kernel()->socket(fd, "setsockopt").acknowledge(); }

void reset_on_close(int fd) noexcept { kernel()->socket(fd, "setsockopt").reset_on_close = true; }

// Nobody's kernel is asked here whether it is alive.
void send_keepalives(int fd, const KeepaliveProbes&) noexcept { static_cast<void>(kernel()->socket(fd, "setsockopt")); }

void close_descriptor(int fd) noexcept { kernel()->close(fd); }

void set_nonblocking(int fd, bool nonblocking) noexcept { kernel()->set_nonblocking(fd, nonblocking); }

Pipe open_pipe() noexcept { return kernel()->open_pipe(); }

long read_pipe(const Pipe& pipe, MutableBytes buffer) noexcept { return kernel()->read_pipe(pipe.read_fd, buffer); }

long splice_bytes(int from_fd, int to_fd, size_t max) noexcept { return kernel()->splice(from_fd, to_fd, max); }

}  // namespace sluice::io

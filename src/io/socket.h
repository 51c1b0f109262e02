// The socket and pipe system calls of the data plane that do not go through the ring, because the ring
// would hand them to a worker thread (splice, shutdown) or because they cannot block. Part of the I/O
// seam: the simulator replaces this file and loop.cc.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>

struct sockaddr_storage;

namespace sluice::io {

// The kernel's form of an address; returns its length.
unsigned to_sockaddr(const SocketAddress& address, sockaddr_storage& storage) noexcept;
[[nodiscard]] SocketAddress from_sockaddr(const sockaddr_storage& storage) noexcept;

// A socket for an outgoing connection, TCP_NODELAY, close-on-exec, blocking (the ring waits, not the thread).
// Negative errno on failure.
[[nodiscard]] int open_stream_socket(SocketAddress::Family family) noexcept;

// A bound and listening socket, whose connections inherit TCP_NODELAY. Of an IP address with SO_REUSEPORT: each shard
// opens its own. Of a Unix socket there can be one, which shards share by share_listener(); its file, which everybody
// may connect to who can enter its folder, takes the place of one that a process left which has ended.
// `clients`: those that the firewall sends here have families of their own, so that the kernel can tell what they have
// connected to; other sockets of "::" take IPv4, too. Fails with the address, the cause and the remedy.
enum class ListenedClients : uint8_t {
  direct,       // those that connect to this address
  redirected,   // REDIRECT
  transparent,  // TPROXY: whatever they connect to (IP_TRANSPARENT, ip(7); needs CAP_NET_ADMIN)
};
[[nodiscard]] Result<int> open_listener(const SocketAddress& address,
                                        ListenedClients clients = ListenedClients::direct);
// Whether this machine has the IP address, or, of "0.0.0.0" and "::", the family at all.
[[nodiscard]] bool has_address(const SocketAddress& address) noexcept;
// Whether who connects to this IP address reaches this machine itself.
[[nodiscard]] bool leads_here(const SocketAddress& address) noexcept;
// Another descriptor of the same socket.
[[nodiscard]] Result<int> share_listener(int fd);
// The file of a Unix socket: which one it is, whatever it is called. Zero: it has none.
struct SocketFile {
  uint64_t device = 0;
  uint64_t inode = 0;
  friend bool operator==(const SocketFile&, const SocketFile&) = default;
};
// Of what open_listener() has just bound.
[[nodiscard]] SocketFile file_of_listener(const SocketAddress& address) noexcept;
// Removes it, unless another process has put its own in its place meanwhile.
void remove_listener_file(const SocketAddress& address, const SocketFile& file) noexcept;

[[nodiscard]] SocketAddress local_address(int fd) noexcept;
// What the peer has connected to before the firewall sent it here: from the connection tracking (SO_ORIGINAL_DST), else
// the local address, which it is with TPROXY, and without any of it.
[[nodiscard]] SocketAddress original_destination(int fd) noexcept;
// Not known: the peer is gone. The names of Unix sockets' peers are not read.
[[nodiscard]] SocketAddress peer_address(int fd) noexcept;

enum class ShutdownHow { write, both };
void shutdown_socket(int fd, ShutdownHow how) noexcept;
// Bytes that a send took and that the peer's kernel has not taken yet (SIOCOUTQ, tcp(7)).
[[nodiscard]] uint64_t unacknowledged_bytes(int fd) noexcept;
// Received bytes are acknowledged now, not with what is sent next.
void acknowledge_now(int fd) noexcept;
// SO_KEEPALIVE; 0: as the kernel is set (tcp(7)). Sockets of other families are left alone.
struct KeepaliveProbes {
  uint32_t probes = 0;
  uint32_t idle_seconds = 0;
  uint32_t interval_seconds = 0;
};
void send_keepalives(int fd, const KeepaliveProbes& settings) noexcept;
// close_descriptor() will send RST and drop what was unsent (SO_LINGER 0, socket(7)).
void reset_on_close(int fd) noexcept;
void close_descriptor(int fd) noexcept;

// Ring operations want blocking sockets, splice(2) wants non-blocking ones (docs/kernel_contract.md 14).
void set_nonblocking(int fd, bool nonblocking) noexcept;

struct Pipe {
  int read_fd = -1;
  int write_fd = -1;
  size_t capacity = 0;
};
// Non-blocking, close-on-exec, of limits::pipe_bytes or what the kernel grants. read_fd is -1 on failure.
[[nodiscard]] Pipe open_pipe() noexcept;

// read(2) from a pipe, never blocking: bytes, or negative errno.
[[nodiscard]] long read_pipe(const Pipe& pipe, MutableBytes buffer) noexcept;

// splice(2), never blocking: bytes moved, 0 at the end of the source, negative errno (-EAGAIN: the
// source is empty or the destination is full).
[[nodiscard]] long splice_bytes(int from_fd, int to_fd, size_t max) noexcept;

}  // namespace sluice::io

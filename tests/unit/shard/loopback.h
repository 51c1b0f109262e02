// For tests of shards: real threads with real rings, TCP over the loopback, the test as client and as
// upstream. Every wait has an end; no port is chosen here.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "io/blocking_socket.h"
#include "io/socket.h"
#include "route_tables.h"
#include "snapshot/snapshot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace sluice::test {

using namespace std::chrono_literals;

inline const SocketAddress any_port = *SocketAddress::parse("127.0.0.1:0");
inline constexpr auto patience = 10s;
inline constexpr std::string_view get_request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
inline constexpr std::string_view ok_response = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

// Whether it comes to that in time.
template <typename IsDone>
bool wait_until(IsDone is_done) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!is_done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

// One end of a connection, with what it has heard so far.
class Speaker {
 public:
  explicit Speaker(io::BlockingSocket socket) : socket_(std::move(socket)) {}

  void say(std::string_view text) const {
    const Status written = socket_.write_all(as_bytes(text), io::deadline_in(patience));
    EXPECT_TRUE(written.has_value()) << written.error().message;
  }
  // Listens until `text` has come; what follows it is kept.
  [[nodiscard]] bool hears(std::string_view text) {
    size_t at = std::string::npos;
    while ((at = heard_.find(text)) == std::string::npos) {
      if (!hear()) return false;
    }
    heard_.erase(0, at + text.size());
    return true;
  }
  enum class End { orderly, reset };
  // Listens until the other side ends.
  [[nodiscard]] End hears_end() {
    while (hear()) {
    }
    return had_failure_ ? End::reset : End::orderly;
  }
  [[nodiscard]] const std::string& heard() const noexcept { return heard_; }

 private:
  bool hear() {
    std::array<std::byte, 4096> room;
    const Result<size_t> count = socket_.read(room, io::deadline_in(patience));
    had_failure_ = !count.has_value();
    if (had_failure_ || *count == 0) return false;
    heard_ += as_text(ConstBytes(room).first(*count));
    return true;
  }

  io::BlockingSocket socket_;
  std::string heard_;
  bool had_failure_ = false;
};

inline Speaker call(const SocketAddress& address) {
  Result<io::BlockingSocket> socket = io::BlockingSocket::connect(address, io::deadline_in(patience));
  EXPECT_TRUE(socket.has_value()) << socket.error().message;
  return Speaker(socket ? std::move(*socket) : io::BlockingSocket());
}
inline bool is_refused(const SocketAddress& address) {
  return !io::BlockingSocket::connect(address, io::deadline_in(patience)).has_value();
}

class Upstream {
 public:
  [[nodiscard]] SocketAddress address() const { return listener_.local_address(); }
  // The next connection that the shard makes.
  [[nodiscard]] Speaker accept() const {
    Result<std::optional<io::BlockingSocket>> accepted = listener_.accept(io::deadline_in(patience));
    EXPECT_TRUE(accepted.has_value() && accepted->has_value()) << "the shard does not connect";
    return Speaker(accepted && *accepted ? std::move(**accepted) : io::BlockingSocket());
  }

 private:
  io::BlockingSocket listener_ = std::move(*io::BlockingSocket::listen(any_port));
};

// Everything goes to `upstream`; without one, every request is answered with 404.
inline std::unique_ptr<snapshot::Snapshot> snapshot_of(const std::vector<SocketAddress>& listeners,
                                                       const Upstream* upstream = nullptr) {
  auto made = std::make_unique<snapshot::Snapshot>();
  for (const SocketAddress& address : listeners) made->listeners.emplace_back().address = address;
  snapshot::RouteTable& table = made->route_tables.emplace_back();
  if (upstream == nullptr) return made;
  snapshot::Cluster& cluster = made->clusters.emplace_back();
  cluster.name = "outbound|80||one";
  cluster.connect_timeout = 5s;
  cluster.endpoints.push_back({.address = upstream->address()});
  table.hosts.add("*", 0);
  table.virtual_hosts.emplace_back().pattern = "*";
  table.virtual_hosts.back().route_list = test::add_route_list(*made, {{.route = {.destinations = {{.cluster = 0}}}}});
  return made;
}

// Bytes are carried to `upstream` as they are.
inline std::unique_ptr<snapshot::Snapshot> tcp_snapshot_of(const SocketAddress& listener, const Upstream& upstream) {
  auto made = snapshot_of({listener}, &upstream);
  made->listeners[0].is_tcp = true;
  made->route_tables[0].tcp_routes.push_back({.destinations = {{.cluster = 0}}, .total_weight = 1});
  return made;
}

// The listening sockets on `address`, an IPv4 one, by their inodes (proc(5), /proc/net/tcp). Asking the descriptors
// themselves would race with the shard that closes them.
inline std::vector<ino_t> listening_sockets(const SocketAddress& address) {
  uint32_t ip = 0;
  std::memcpy(&ip, address.ip.data(), sizeof ip);
  const std::string wanted = fmt::format("{:08X}:{:04X}", ip, address.port);
  constexpr std::string_view kListening = "0A";
  std::vector<ino_t> sockets;
  std::ifstream table("/proc/self/net/tcp");
  std::string line;
  std::getline(table, line);  // the names of the columns
  while (std::getline(table, line)) {
    std::istringstream columns(line);
    std::string number, local, remote, state, queues, timer, retransmits, user, timeout;
    ino_t inode = 0;
    columns >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> inode;
    if (local == wanted && state == kListening) sockets.push_back(inode);
  }
  return sockets;
}

// While it lives, the process may have no descriptor beyond that number.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t count) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lowered{.rlim_cur = count, .rlim_max = before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

  // The number that the next descriptor would have.
  [[nodiscard]] static rlim_t next_number() {
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return static_cast<rlim_t>(fd);
  }

 private:
  rlimit before_{};
};

}  // namespace sluice::test

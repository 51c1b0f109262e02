// TCP connections as pairs of byte pipes with finite buffers, and who listens where. What can be seen of
// a connection through its socket is as in Linux (net/ipv4/tcp.c): bytes that arrived before a reset can
// still be read; the error of a reset is told once, to the next receive or send, whichever comes first;
// closing a socket that has unread bytes resets the connection.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/durations.h"
#include "sim_io/byte_queue.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sluice::sim {

class World;
struct Listener;

// One side of a connection. The program under test has its side as a descriptor (kernel.h); the scripts
// of the test (actors) hold theirs directly.
class Endpoint {
 public:
  Endpoint(World& world, const SocketAddress& local);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // --- as the system calls, never blocking: bytes, 0 at the end, or a negative errno ---
  long read(MutableBytes room);
  long write(ConstBytes bytes);
  void shutdown_write();
  void shutdown_both();
  // FIN, or RST when bytes were not read or reset_on_close was set. Nobody is told of changes any more.
  void close();
  void reset();

  // On request; what the kernel acknowledges by itself is not simulated.
  void acknowledge() noexcept {
    if (peer_ != nullptr) peer_->was_acknowledged_ = true;
  }
  [[nodiscard]] bool was_acknowledged() const noexcept { return was_acknowledged_; }

  [[nodiscard]] bool is_readable() const noexcept;
  [[nodiscard]] bool is_writable() const noexcept;
  // Received and not read.
  [[nodiscard]] size_t readable_bytes() const noexcept { return received_.size(); }
  [[nodiscard]] bool is_connected() const noexcept { return peer_ != nullptr; }
  [[nodiscard]] bool is_closed() const noexcept { return closed_; }
  // The peer's FIN has arrived: it has said everything. read() gives 0 after a reset, too.
  [[nodiscard]] bool has_peer_finished() const noexcept { return fin_received_; }
  // A reset came or went: nothing moves any more.
  [[nodiscard]] bool is_dead() const noexcept { return dead_; }
  [[nodiscard]] const SocketAddress& local() const noexcept { return local_; }
  [[nodiscard]] const SocketAddress& remote() const noexcept { return remote_; }

  [[nodiscard]] std::string describe() const;

  // Called whenever reading or writing may have become possible.
  std::function<void()> on_change;
  bool reset_on_close = false;

  [[nodiscard]] size_t unsent_bytes() const noexcept { return unsent_.size(); }

 private:
  friend class Network;

  void change() {
    if (on_change) on_change();
  }
  [[nodiscard]] int take_error() noexcept;
  void move_later();
  void move();
  void send_reset();
  void on_reset();

  World& world_;
  SocketAddress local_;
  SocketAddress remote_;
  Endpoint* peer_ = nullptr;  // from the handshake on; lives as long as the network
  ByteQueue received_;
  ByteQueue unsent_;
  size_t received_max_;
  size_t unsent_max_;
  int error_ = 0;  // what a reset has left for the next receive or send to tell
  bool move_pending_ = false;
  bool fin_wanted_ = false;  // no more writing; FIN follows what is unsent
  bool fin_sent_ = false;
  bool fin_received_ = false;
  bool receive_shut_ = false;
  bool was_acknowledged_ = false;
  bool closed_ = false;
  bool dead_ = false;
};

// A listening socket of the program under test.
struct Listener {
  SocketAddress address;
  std::deque<Endpoint*> backlog;  // connected, not yet accepted
  std::function<void()> on_change;
};

class Network {
 public:
  explicit Network(World& world) noexcept : world_(world) {}

  // --- where the program connects to: a script answers ---
  struct Answer {
    int error = 0;     // errno that connect(2) tells; 0: connected
    Duration delay{};  // until then; negative: never
  };
  struct Server {
    std::function<Answer()> answer;
    std::function<void(Endpoint&)> on_connection;
  };
  // Nobody there: ECONNREFUSED.
  void serve(const SocketAddress& address, Server server) { servers_[address] = std::move(server); }

  // --- where the program listens: a script connects ---
  // The script's side, connected at once; the program sees it in its backlog some time later. Nullptr:
  // nobody listens.
  Endpoint* connect(const SocketAddress& address);

  // --- for the kernel ---
  Endpoint& new_endpoint();
  void listen(Listener& listener) { listeners_[listener.address] = &listener; }
  void stop_listening(Listener& listener);
  // Connects the program's endpoint; `done` is told an errno or 0.
  void connect(Endpoint& endpoint, const SocketAddress& address, std::function<void(int)> done);

 private:
  static void join(Endpoint& a, Endpoint& b);
  [[nodiscard]] SocketAddress new_address();

  World& world_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;  // all there ever were: their buffers are empty once closed
  std::map<SocketAddress, Server> servers_;
  std::map<SocketAddress, Listener*> listeners_;
  uint32_t addresses_given_ = 0;
};

}  // namespace sluice::sim

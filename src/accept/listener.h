// A listening socket of one shard: multishot accept, and admission: when the shard has all the
// connections it may have, new ones wait in the kernel's backlog. A multishot accept takes a whole
// backlog before anybody can stop it; where the limit is near, connections are accepted one by one.
// One owner, the thread of its loop.
#pragma once

#include "base/address.h"
#include "io/loop.h"
#include "io/op.h"

namespace sluice::accept {

class Listener {
 public:
  // on_accepted owns the descriptor from then on. on_closed: the listener is done and may be freed.
  struct Events {
    void (*on_accepted)(void* owner, Listener& listener, int fd);
    void (*on_closed)(void* owner, Listener& listener);
    void* owner;
  };

  // `fd`: bound and listening; owned from now on.
  Listener(io::Loop& loop, int fd, const SocketAddress& address, Events events) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();  // closed

  // Accepting starts, and goes on until pause(); `count` may change.
  void start(io::AcceptCount count);
  void pause() noexcept;
  // No more connections; on_closed follows, in this turn or a later one.
  void close();

  [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }

 private:
  static void on_accept(void* self, const io::Completion& completion);
  static void on_retry(void* self);
  static void on_task(void* self);

  void arm();

  io::Loop& loop_;
  io::Op op_;
  io::Task task_;  // reports the close
  Timer retry_;    // armed exactly while accepting rests because the process is out of descriptors
  SocketAddress address_;
  Events events_;
  int fd_;
  io::AcceptCount count_ = io::AcceptCount::many;
  bool accepting_ = false;
  bool closing_ = false;
};

}  // namespace sluice::accept

// The floor under what a proxy on this ring code can cost: it forwards bytes, reads nothing of them, and opens one
// connection to the upstream for each of a client. No HTTP, no routes, no pool, no limits.
//
//   floor LISTEN:PORT UPSTREAM:PORT
#include "base/address.h"
#include "io/loop.h"
#include "io/op.h"
#include "io/socket.h"
#include "io/stream.h"

#include <fmt/format.h>

#include <span>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

// Deletes itself.
class Pair {
 public:
  Pair(io::Loop& loop, int fd, const SocketAddress& upstream)
      : client_(loop, on_change, this), upstream_(loop, on_change, this), retire_task_(on_retire, this) {
    client_.adopt(fd);
    upstream_.connect(upstream);
  }

 private:
  static void on_change(void* self) { static_cast<Pair*>(self)->advance(); }
  static void on_retire(void* self) { delete static_cast<Pair*>(self); }

  void advance() {
    if (client_.is_closed() && upstream_.is_closed()) {
      if (!retire_task_.is_linked()) client_.loop().retire(retire_task_);
      return;
    }
    if (upstream_.is_connecting()) return;
    const bool ends =
        !client_.is_open() || !upstream_.is_open() || !forward(client_, upstream_) || !forward(upstream_, client_);
    if (!ends) return;
    terminate(client_);
    terminate(upstream_);
  }

  static void terminate(io::Stream& stream) {
    if (!stream.is_terminating() && !stream.is_closed()) stream.terminate();
  }

  // False: the connection is at its end.
  static bool forward(io::Stream& from, io::Stream& to) {
    for (ConstBytes bytes = from.received(); !bytes.empty() && to.writable_bytes() > 0; bytes = from.received()) {
      to.write(bytes);
      from.consume(bytes.size());
    }
    to.flush();
    return !from.is_at_end() && to.send_error() == 0;
  }

  io::Stream client_;
  io::Stream upstream_;
  io::Task retire_task_;
};

struct Floor {
  io::Loop& loop;
  SocketAddress upstream;
};

void on_accept(void* self, const io::Completion& completion) {
  const auto& floor = *static_cast<Floor*>(self);
  if (completion.result >= 0) new Pair(floor.loop, completion.result, floor.upstream);
}

int run(std::span<char*> arguments) {
  const auto address = arguments.size() == 3 ? SocketAddress::parse(arguments[1]) : std::nullopt;
  const auto upstream = arguments.size() == 3 ? SocketAddress::parse(arguments[2]) : std::nullopt;
  if (!address || !upstream) {
    fmt::print(stderr, "usage: floor LISTEN:PORT UPSTREAM:PORT\n");
    return 2;
  }
  auto loop = io::Loop::create();
  auto listener = io::open_listener(*address);
  if (!loop || !listener) {
    fmt::print(stderr, "floor: {}\n", (!loop ? loop.error() : listener.error()).message);
    return 1;
  }
  Floor floor{.loop = **loop, .upstream = *upstream};
  io::Op accepting(on_accept, &floor);
  for (;;) {
    if (accepting.is_idle()) floor.loop.accept(accepting, *listener, io::AcceptCount::many);
    floor.loop.turn(1s);
  }
}

}  // namespace

}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::run({argv, static_cast<size_t>(argc)}); }

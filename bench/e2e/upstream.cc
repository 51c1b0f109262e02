// The upstream of what nginx cannot do as one: it takes bodies to their last byte before it answers (uploads), and
// echoes WebSocket messages. HTTP/1.1 with keep-alive and Content-Length.
//
//   upstream ADDRESS:PORT
#include "client.h"
#include "websocket.h"

#include "io/op.h"
#include "io/socket.h"
#include "io/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace sluice::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nhello, world\n";
constexpr size_t kHeadBytesMax = 64 * 1024;

// Deletes itself.
class Served {
 public:
  Served(io::Loop& loop, int fd) : stream_(loop, on_change, this), retire_task_(on_retire, this) { stream_.adopt(fd); }

 private:
  enum class State : uint8_t { head, body, messages };

  static void on_change(void* self) { static_cast<Served*>(self)->advance(); }
  static void on_retire(void* self) { delete static_cast<Served*>(self); }

  void advance() {
    if (stream_.is_closed()) {
      if (!retire_task_.is_linked()) stream_.loop().retire(retire_task_);
      return;
    }
    if (stream_.is_terminating()) return;
    for (ConstBytes bytes = stream_.received(); !bytes.empty(); bytes = stream_.received()) {
      const size_t size = bytes.size();
      if (!take(bytes)) return stream_.terminate();
      stream_.consume(size);
    }
    stream_.flush();
    if (stream_.is_at_end()) stream_.terminate();
  }

  bool take(ConstBytes bytes) {
    if (state_ == State::body) {
      const size_t size = std::min(bytes.size(), body_left_);
      take_body(size);
      bytes = bytes.subspan(size);
    }
    if (bytes.empty()) return true;
    gathered_.append(as_text(bytes));
    if (state_ == State::messages) {
      echo();
      return true;
    }
    const size_t end = gathered_.find("\r\n\r\n");
    if (end == std::string::npos) return gathered_.size() <= kHeadBytesMax;
    std::string head = gathered_.substr(0, end + 2);
    const size_t surplus = gathered_.size() - end - 4;
    gathered_.clear();
    std::ranges::transform(head, head.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return take_head(head) && (surplus == 0 || take(bytes.last(surplus)));
  }

  bool take_head(std::string_view head) {
    constexpr std::string_view kLength = "\r\ncontent-length: ";
    if (head.find("\r\nupgrade: websocket") != std::string_view::npos) {
      state_ = State::messages;
      write(
          fmt::format("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      "Sec-WebSocket-Accept: {}\r\n\r\n",
                      kWebSocketAccept));
      return true;
    }
    if (head.find("\r\ntransfer-encoding:") != std::string_view::npos) return false;
    body_left_ = 0;
    const size_t length = head.find(kLength);
    if (length != std::string_view::npos && !read_number(head.substr(length + kLength.size()), body_left_))
      return false;
    state_ = State::body;
    take_body(0);
    return true;
  }

  void take_body(size_t size) {
    body_left_ -= size;
    if (body_left_ > 0) return;
    state_ = State::head;
    write(kAnswer);
  }

  void echo() {
    size_t size = 0;
    for (std::string payload = take_client_frame(gathered_, size); size > 0;
         payload = take_client_frame(gathered_, size)) {
      write(server_frame(payload));
      gathered_.erase(0, size);
    }
  }

  void write(std::string_view text) { stream_.write(as_bytes(text)); }

  io::Stream stream_;
  io::Task retire_task_;
  std::string gathered_;  // a head or a frame that is not complete
  size_t body_left_ = 0;
  State state_ = State::head;
};

void on_accept(void* loop, const io::Completion& completion) {
  if (completion.result >= 0) new Served(*static_cast<io::Loop*>(loop), completion.result);
}

int run(std::span<char*> arguments) {
  const auto address = arguments.size() == 2 ? SocketAddress::parse(arguments[1]) : std::nullopt;
  if (!address) {
    fmt::print(stderr, "usage: upstream ADDRESS:PORT\n");
    return 2;
  }
  auto loop = io::Loop::create();
  auto listener = io::open_listener(*address);
  if (!loop || !listener) {
    fmt::print(stderr, "upstream: {}\n", (!loop ? loop.error() : listener.error()).message);
    return 1;
  }
  io::Op accepting(on_accept, loop->get());
  for (;;) {
    if (accepting.is_idle()) (*loop)->accept(accepting, *listener, io::AcceptCount::many);
    (*loop)->turn(1s);
  }
}

}  // namespace

}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::run({argv, static_cast<size_t>(argc)}); }

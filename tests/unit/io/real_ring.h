// For tests of io/ on the real kernel: a small ring, TCP connections over the loopback, an operation whose
// completions are recorded. Depth 8, so that "queue full" happens.
#pragma once

#include "base/bytes.h"
#include "io/loop.h"
#include "io/op.h"
#include "io/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::test {

using namespace std::chrono_literals;

inline std::unique_ptr<io::Loop> small_loop(unsigned completion_entries = 64) {
  auto loop = io::Loop::create({.ring_entries = 8, .completion_entries = completion_entries});
  if (!loop) {
    ADD_FAILURE() << loop.error().message;
    return nullptr;
  }
  return std::move(*loop);
}

// Turns until `is_done()`, for at most five seconds. Returns whether it came to that.
template <typename IsDone>
bool turn_until(io::Loop& loop, IsDone is_done) {
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  while (!is_done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    loop.turn(10ms);
  }
  return true;
}

inline void turn_for(io::Loop& loop, std::chrono::milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < end) loop.turn(1ms);
}

// A descriptor that is closed unless somebody else takes it.
class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) noexcept : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~OwnedFd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

inline OwnedFd loopback_listener(SocketAddress& address) {
  const auto fd = io::open_listener(*SocketAddress::parse("127.0.0.1:0"));
  if (!fd) {
    ADD_FAILURE() << fd.error().message;
    return OwnedFd();
  }
  address = io::local_address(*fd);
  return OwnedFd(*fd);
}

inline OwnedFd connect_to(const SocketAddress& address) {
  OwnedFd fd(io::open_stream_socket(SocketAddress::Family::ipv4));
  sockaddr_storage storage;
  const unsigned length = io::to_sockaddr(address, storage);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0) << errno;
  return fd;
}

// `ours` is for the loop, `theirs` for the test to write to and read from.
struct TcpPair {
  OwnedFd ours;
  OwnedFd theirs;

  TcpPair() {
    SocketAddress address;
    const OwnedFd listener = loopback_listener(address);
    theirs = connect_to(address);
    ours = OwnedFd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_GE(ours.get(), 0);
  }
};

inline void say(int fd, std::string_view text) {
  EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

// Everything that is there now.
inline std::string hear(int fd) {
  std::string text(1 << 20, '\0');
  const ssize_t count = recv(fd, text.data(), text.size(), MSG_DONTWAIT);
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return text;
}

inline bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

// An operation of the test, with what its completions said.
struct RecordedOp {
  io::Op op{on_completion, this};
  std::vector<io::Completion> completions;

  static void on_completion(void* self, const io::Completion& completion) {
    static_cast<RecordedOp*>(self)->completions.push_back(completion);
  }
  [[nodiscard]] bool is_idle() const { return op.is_idle(); }
  [[nodiscard]] int last_result() const { return completions.empty() ? INT32_MIN : completions.back().result; }
  void release_buffers(io::Loop& loop) {
    for (io::Completion& completion : completions) {
      if (std::exchange(completion.has_buffer, false)) loop.receive_buffers().release(completion.buffer);
    }
  }
};

}  // namespace sluice::test

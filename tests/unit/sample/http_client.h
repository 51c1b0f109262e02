// A raw client for the tests of this folder.
#pragma once

#include "io/blocking_socket.h"
#include "web/server.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sluice::sample {

class HttpClient {
 public:
  explicit HttpClient(const web::Server& server)
      : socket_(*io::BlockingSocket::connect(server.address(), io::deadline_in(std::chrono::seconds(5)))) {}

  void send(std::string_view text) const {
    const auto status = socket_.write_all(as_bytes(text), io::deadline_in(std::chrono::seconds(20)));
    ASSERT_TRUE(status.has_value()) << status.error().message;
  }

  // Until `size_max` bytes are there, or the end.
  std::string read(size_t size_max = SIZE_MAX) const {
    std::string all;
    std::byte room[65536];
    while (all.size() < size_max) {
      const auto count = socket_.read(MutableBytes(room).first(std::min(sizeof room, size_max - all.size())),
                                      io::deadline_in(std::chrono::seconds(20)));
      if (!count) return all + "<" + count.error().message + ">";
      if (*count == 0) break;
      all += as_text(ConstBytes(room).first(*count));
    }
    return all;
  }

  std::string read_head() const {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      const std::string next = read(1);
      if (next.size() != 1) return head + next;
      head += next;
    }
    return head;
  }

 private:
  io::BlockingSocket socket_;
};

}  // namespace sluice::sample

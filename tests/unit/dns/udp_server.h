// A name server on the loopback address that answers as a test says.
#pragma once

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>
#include <thread>
#include <utility>

namespace sluice::dns {

class UdpServer {
 public:
  // `reply_to` gets a query and gives its answer; an empty one is not sent.
  explicit UdpServer(std::function<std::string(const std::string&)> reply_to)
      : reply_to_(std::move(reply_to)), fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    socklen_t length = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  ~UdpServer() {
    thread_.request_stop();
    thread_.join();
    close(fd_);
  }

  uint16_t port() const { return port_; }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd item{.fd = fd_, .events = POLLIN, .revents = 0};
      if (poll(&item, 1, 20) <= 0) continue;
      std::array<char, 512> query;
      sockaddr_in client{};
      socklen_t length = sizeof client;
      const ssize_t size = recvfrom(fd_, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&client), &length);
      if (size < 17) continue;
      const std::string reply = reply_to_({query.data(), static_cast<size_t>(size)});
      if (!reply.empty())
        sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&client), length);
    }
  }

  std::function<std::string(const std::string&)> reply_to_;
  int fd_;
  uint16_t port_ = 0;
  std::jthread thread_;
};

}  // namespace sluice::dns

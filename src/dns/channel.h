// A c-ares channel and the waiting for what it was asked. Each look-up has one of its own, so that a changed
// resolv.conf is seen and no socket stays open. One thread; its address must not change.
#pragma once

#include "io/blocking_socket.h"

#include <ares.h>

#include <string>
#include <vector>

namespace sluice::dns {

class Channel {
 public:
  // `servers`: "ADDR[:PORT],..."; empty: those of /etc/resolv.conf.
  explicit Channel(const std::string& servers);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() { close(); }

  [[nodiscard]] int error() const noexcept { return error_; }  // of opening it
  [[nodiscard]] ares_channel get() const noexcept { return channel_; }

  // Sends, receives, repeats and gives up what is due, once, at the deadline at the latest.
  void process(io::Deadline deadline);

  // Calls back for everything that has not ended, with ARES_EDESTRUCTION.
  void close() noexcept;

 private:
  void watch(int fd, bool readable, bool writable);

  ares_channel channel_ = nullptr;
  int error_ = ARES_SUCCESS;
  std::vector<io::Watch> watches_;
};

}  // namespace sluice::dns

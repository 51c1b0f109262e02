// A c-ares channel and the waiting for what it was asked. It reads resolv.conf once, when it is made, and opens its
// sockets as it needs them: nobody keeps one for long, so that a change is seen and an answer cannot be guessed
// (RFC 5452 9.2). One thread; its address must not change.
#pragma once

#include "io/blocking_socket.h"

#include <ares.h>

#include <span>
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

  // The same in parts, for a thread that waits for more than this: what to wait for, until when at most, and what to do
  // then, whatever has become ready.
  void add_watches(std::vector<io::Watch>& watches) const {
    watches.insert(watches.end(), watches_.begin(), watches_.end());
  }
  [[nodiscard]] io::Deadline next_deadline(io::Deadline latest) const;
  void process_ready(std::span<const io::Watch> watches);

  // Calls back for everything that has not ended, with ARES_EDESTRUCTION.
  void close() noexcept;

 private:
  void watch(int fd, bool readable, bool writable);

  ares_channel channel_ = nullptr;
  int error_ = ARES_SUCCESS;
  std::vector<io::Watch> watches_;
};

}  // namespace sluice::dns

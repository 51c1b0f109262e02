#include "dns/channel.h"

#include <algorithm>
#include <utility>

namespace sluice::dns {

namespace {

constexpr int kQueryTimeoutMs = 1500;
constexpr int kQueryTries = 3;

}  // namespace

Channel::Channel(const std::string& servers) {
  ares_options options{};
  options.flags = ARES_FLAG_NOSEARCH;
  options.timeout = kQueryTimeoutMs;
  options.tries = kQueryTries;
  options.sock_state_cb = [](void* owner, ares_socket_t fd, int readable, int writable) {
    static_cast<Channel*>(owner)->watch(fd, readable != 0, writable != 0);
  };
  options.sock_state_cb_data = this;
  const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  error_ = ares_init_options(&channel_, &options, mask);
  if (error_ == ARES_SUCCESS && !servers.empty()) error_ = ares_set_servers_ports_csv(channel_, servers.c_str());
}

void Channel::close() noexcept {
  if (channel_ != nullptr) ares_destroy(std::exchange(channel_, nullptr));
}

void Channel::watch(int fd, bool readable, bool writable) {
  std::erase_if(watches_, [fd](const io::Watch& watch) { return watch.fd == fd; });
  if (readable || writable) watches_.push_back({.fd = fd, .wants_read = readable, .wants_write = writable});
}

void Channel::process(io::Deadline deadline) {
  std::vector<io::Watch> watches = watches_;
  io::wait_ready(watches, next_deadline(std::min(deadline, io::deadline_in(std::chrono::seconds(1)))));
  process_ready(watches);
}

io::Deadline Channel::next_deadline(io::Deadline latest) const {
  timeval next{};
  if (ares_timeout(channel_, nullptr, &next) == nullptr) return latest;
  return std::min(latest, io::deadline_in(std::chrono::seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec)));
}

// `watches` are a copy: processing changes watches_.
void Channel::process_ready(std::span<const io::Watch> watches) {
  for (const io::Watch& watch : watches) {
    if (!watch.is_readable && !watch.is_writable) continue;
    ares_process_fd(channel_, watch.is_readable ? watch.fd : ARES_SOCKET_BAD,
                    watch.is_writable ? watch.fd : ARES_SOCKET_BAD);
  }
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // retries and timeouts
}

}  // namespace sluice::dns

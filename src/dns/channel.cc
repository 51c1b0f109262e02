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
  timeval limit{.tv_sec = 1, .tv_usec = 0};
  timeval next{};
  ares_timeout(channel_, &limit, &next);
  const auto wait = std::chrono::seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec);
  std::vector<io::Watch> watches = watches_;  // processing changes watches_
  if (!io::wait_ready(watches, std::min(deadline, io::deadline_in(wait)))) {
    return ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // retries and timeouts
  }
  for (const io::Watch& watch : watches) {
    ares_process_fd(channel_, watch.is_readable ? watch.fd : ARES_SOCKET_BAD,
                    watch.is_writable ? watch.fd : ARES_SOCKET_BAD);
  }
}

}  // namespace sluice::dns

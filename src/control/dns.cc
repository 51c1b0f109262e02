#include "control/dns.h"

#include "base/limits.h"
#include "io/blocking_socket.h"
#include "io/socket.h"

#include <ares.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace sluice::control {

namespace {

constexpr int kQueryTimeoutMs = 1500;
constexpr int kQueryTries = 3;
constexpr Duration kLookAround = std::chrono::milliseconds(50);

// One round of lookups: a channel of its own, so that a changed resolv.conf is seen and no socket stays open.
class Round {
 public:
  Round(std::span<const std::string> names, const std::string& servers) : names_(names) {
    error_ = open_channel(servers);
  }
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;
  ~Round() { close_channel(); }

  std::map<std::string, DnsAnswer> run(io::Deadline deadline, const std::function<bool()>& is_wanted_elsewhere) {
    if (error_ == ARES_SUCCESS) {
      while (answers_.size() < names_.size() && std::chrono::steady_clock::now() < deadline && !is_given_up_) {
        start_lookups();
        if (outstanding_count_ > 0) wait_and_process(std::min(deadline, io::deadline_in(kLookAround)));
        is_given_up_ = is_wanted_elsewhere();
      }
      close_channel();  // calls back for every lookup that has not ended
    }
    if (is_given_up_) return std::move(answers_);
    for (const std::string& name : names_) {
      if (!answers_.contains(name)) fail(name, error_ == ARES_SUCCESS ? ARES_ETIMEOUT : error_);
    }
    return std::move(answers_);
  }

 private:
  struct Lookup {
    Round* round;
    std::string name;
  };

  int open_channel(const std::string& servers) {
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH;
    options.timeout = kQueryTimeoutMs;
    options.tries = kQueryTries;
    options.sock_state_cb = [](void* owner, ares_socket_t fd, int readable, int writable) {
      static_cast<Round*>(owner)->watch(fd, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = this;
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    if (const int error = ares_init_options(&channel_, &options, mask); error != ARES_SUCCESS) return error;
    return servers.empty() ? ARES_SUCCESS : ares_set_servers_ports_csv(channel_, servers.c_str());
  }

  void close_channel() {
    if (channel_ != nullptr) ares_destroy(std::exchange(channel_, nullptr));
  }

  void start_lookups() {
    while (next_ < names_.size() && outstanding_count_ < limits::dns_lookups_max) {
      ares_addrinfo_hints hints{};
      hints.ai_flags = ARES_AI_NOSORT;
      hints.ai_family = AF_UNSPEC;
      ++outstanding_count_;
      // Owned by the callback, which comes exactly once (and may come before the call returns).
      auto* lookup = new Lookup{this, names_[next_++]};
      ares_getaddrinfo(channel_, lookup->name.c_str(), nullptr, &hints, on_answer, lookup);
    }
  }

  static void on_answer(void* owner, int status, int /*timeouts*/, ares_addrinfo* found) {
    const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(owner));
    Round& round = *lookup->round;
    --round.outstanding_count_;
    if (status == ARES_SUCCESS && found != nullptr) {
      round.take(lookup->name, *found);
    } else if (status != ARES_EDESTRUCTION) {
      round.fail(lookup->name, status);
    }  // else run() knows why it closed the channel
    ares_freeaddrinfo(found);
  }

  void take(const std::string& name, const ares_addrinfo& found) {
    DnsAnswer answer;
    answer.ttl = limits::dns_ttl_max;
    for (const ares_addrinfo_node* node = found.nodes; node != nullptr; node = node->ai_next) {
      if (answer.addresses.size() == limits::dns_addresses_max) break;
      sockaddr_storage storage{};
      std::memcpy(&storage, node->ai_addr, std::min<size_t>(node->ai_addrlen, sizeof storage));
      SocketAddress address = io::from_sockaddr(storage);
      address.port = 0;
      answer.addresses.push_back(address);
      answer.ttl = std::min<Duration>(answer.ttl, std::chrono::seconds(std::max(0, node->ai_ttl)));
    }
    if (answer.addresses.empty()) return fail(name, ARES_ENODATA);
    std::ranges::sort(answer.addresses);
    const auto repeated = std::ranges::unique(answer.addresses);
    answer.addresses.erase(repeated.begin(), repeated.end());
    answers_[name] = std::move(answer);
  }

  void fail(const std::string& name, int status) { answers_[name].error = ares_strerror(status); }

  void watch(int fd, bool readable, bool writable) {
    std::erase_if(watches_, [fd](const io::Watch& watch) { return watch.fd == fd; });
    if (readable || writable) watches_.push_back({.fd = fd, .wants_read = readable, .wants_write = writable});
  }

  void wait_and_process(io::Deadline deadline) {
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

  std::span<const std::string> names_;
  ares_channel channel_ = nullptr;
  int error_ = ARES_SUCCESS;  // of opening the channel
  size_t next_ = 0;           // of names_
  size_t outstanding_count_ = 0;
  bool is_given_up_ = false;  // what has no answer has not failed
  std::vector<io::Watch> watches_;
  std::map<std::string, DnsAnswer> answers_;
};

}  // namespace

std::map<std::string, DnsAnswer> look_up(std::span<const std::string> names, const std::string& servers,
                                         Duration time_max, const std::function<bool()>& is_wanted_elsewhere) {
  return Round(names, servers).run(io::deadline_in(time_max), is_wanted_elsewhere);
}

}  // namespace sluice::control

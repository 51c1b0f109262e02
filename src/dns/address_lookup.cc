#include "dns/address_lookup.h"

#include "base/limits.h"
#include "dns/address_answer.h"
#include "dns/channel.h"

#include <ares.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace sluice::dns {

namespace {

constexpr Duration kLookAround = std::chrono::milliseconds(50);

class Round {
 public:
  Round(std::span<const std::string> names, const std::string& servers) : names_(names), channel_(servers) {}

  std::map<std::string, AddressAnswer> run(io::Deadline deadline, const std::function<bool()>& is_wanted_elsewhere) {
    if (channel_.error() == ARES_SUCCESS) {
      while (answers_.size() < names_.size() && std::chrono::steady_clock::now() < deadline && !is_given_up_) {
        start_lookups();
        if (outstanding_count_ > 0) channel_.process(std::min(deadline, io::deadline_in(kLookAround)));
        is_given_up_ = is_wanted_elsewhere();
      }
      channel_.close();  // calls back for every lookup that has not ended
    }
    if (is_given_up_) return std::move(answers_);
    for (const std::string& name : names_) {
      if (!answers_.contains(name)) fail(name, channel_.error() == ARES_SUCCESS ? ARES_ETIMEOUT : channel_.error());
    }
    return std::move(answers_);
  }

 private:
  struct Lookup {
    Round* round;
    std::string name;
  };

  void start_lookups() {
    while (next_ < names_.size() && outstanding_count_ < limits::dns_lookups_max) {
      ares_addrinfo_hints hints{};
      hints.ai_flags = ARES_AI_NOSORT;
      hints.ai_family = AF_UNSPEC;
      ++outstanding_count_;
      // Owned by the callback, which comes exactly once (and may come before the call returns).
      auto* lookup = new Lookup{this, names_[next_++]};
      ares_getaddrinfo(channel_.get(), lookup->name.c_str(), nullptr, &hints, on_answer, lookup);
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
    auto [addresses, ttl] = read_addresses(found, limits::dns_addresses_max);
    if (addresses.empty()) return fail(name, ARES_ENODATA);
    std::ranges::sort(addresses);
    answers_[name] = {.addresses = std::move(addresses), .ttl = ttl, .error = {}};
  }

  void fail(const std::string& name, int status) { answers_[name].error = ares_strerror(status); }

  std::span<const std::string> names_;
  std::map<std::string, AddressAnswer> answers_;
  size_t next_ = 0;  // of names_
  size_t outstanding_count_ = 0;
  bool is_given_up_ = false;  // what has no answer has not failed
  Channel channel_;           // the last: it calls back when it ends
};

}  // namespace

std::map<std::string, AddressAnswer> look_up_addresses(std::span<const std::string> names, const std::string& servers,
                                                       Duration time_max,
                                                       const std::function<bool()>& is_wanted_elsewhere) {
  return Round(names, servers).run(io::deadline_in(time_max), is_wanted_elsewhere);
}

}  // namespace sluice::dns

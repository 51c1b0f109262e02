// A change of a TXT record, on a thread of its own: an executable of the user's may take minutes, and other
// certificates do not wait for it. Manager thread.
#pragma once

#include "base/durations.h"
#include "base/result.h"
#include "config/managed_certificates.h"
#include "dns/message.h"

#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace sluice::renewal {

class TxtChange {
 public:
  // As `issuer` says. It begins when the one that is under way has ended, if there is one: what two executables change
  // may be one file. `stop`: of the process.
  TxtChange(const config::AcmeIssuer& issuer, dns::Change change, std::string fqdn, std::string value,
            const std::stop_token& stop);

  // Nothing: it has not ended, and is looked at again after `look_pause`. Not called again after it has ended.
  static constexpr Duration look_pause = std::chrono::milliseconds(50);
  [[nodiscard]] std::optional<Status> outcome();

 private:
  std::promise<Status> outcome_;  // of the thread
  std::future<Status> future_ = outcome_.get_future();
  std::jthread thread_;  // the end of it gives the change up, within limits::dns_hook_grace
  std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace sluice::renewal

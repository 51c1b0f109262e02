#include "renewal/txt_change.h"

#include "dns/hook.h"
#include "dns/update.h"

#include <condition_variable>
#include <mutex>
#include <utility>
#include <variant>

namespace sluice::renewal {

namespace {

// Of all changes of the process. False: it is not wanted any more.
class Turn {
 public:
  [[nodiscard]] bool take(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!freed_.wait(lock, stop, [this] { return !is_taken_; }) || stop.stop_requested()) return false;
    is_taken_ = true;
    return true;
  }
  void give_back() {
    {
      const std::lock_guard lock(mutex_);
      is_taken_ = false;
    }
    freed_.notify_all();  // some do not want it any more
  }

 private:
  std::mutex mutex_;  // of is_taken_
  std::condition_variable_any freed_;
  bool is_taken_ = false;
};

Status change_record(const config::AcmeIssuer& issuer, dns::Change change, const std::string& fqdn,
                     const std::string& value, const std::stop_token& stop) {
  if (issuer.skips_dns_records) return {};
  if (const auto* hook = std::get_if<config::DnsHook>(&issuer.dns_01))
    return dns::run_hook({.command = hook->command, .time_max = hook->timeout}, change, fqdn, value, stop);
  if (const auto* update = std::get_if<config::DnsUpdate>(&issuer.dns_01)) {
    Result<dns::Nameserver> nameserver = dns::read_nameserver(update->nameserver);
    if (!nameserver) return std::unexpected(nameserver.error());
    Result<dns::TsigKey> key = dns::read_tsig_key(update->key_name, update->algorithm, update->secret.text);
    if (!key) return std::unexpected(key.error());
    return dns::update_txt({.nameserver = std::move(*nameserver), .key = std::move(*key)}, change, fqdn, value, stop);
  }
  return failure("dns-01 needs spec.acme.dns01 in the Issuer: a hook, or the server for RFC 2136 updates");
}

}  // namespace

TxtChange::TxtChange(const config::AcmeIssuer& issuer, dns::Change change, std::string fqdn, std::string value,
                     const std::stop_token& stop)
    : thread_(
          [this, issuer, change, fqdn = std::move(fqdn), value = std::move(value)](const std::stop_token& given_up) {
            static Turn turn;
            if (!turn.take(given_up)) return outcome_.set_value(failure("it was given up"));
            Status status = change_record(issuer, change, fqdn, value, given_up);
            turn.give_back();
            outcome_.set_value(std::move(status));
          }),
      on_stop_(stop, [this] { thread_.request_stop(); }) {}

std::optional<Status> TxtChange::outcome() {
  if (future_.wait_for(Duration{}) != std::future_status::ready) return std::nullopt;
  return future_.get();
}

}  // namespace sluice::renewal

#include "renewal/record.h"

#include "base/wipe.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

namespace sluice::renewal {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kStates[] = {"Pending", "Ready", "Error", "Revoked"};

int64_t to_seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// Reads the members of an object and of those inside of it. One that is absent has its default: other versions have
// fewer. The first that is wrong is kept in `status`; what is returned from then on is of no use.
class Members {
 public:
  Members(const Json& object, Status& status, std::string prefix = {})
      : object_(object), status_(status), prefix_(std::move(prefix)) {}

  std::string text(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_string()) return complain(name), std::string();
    return value->get<std::string>();
  }
  std::vector<std::string> texts(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_array() || !std::ranges::all_of(*value, &Json::is_string))
      return complain(name), std::vector<std::string>();
    return value->get<std::vector<std::string>>();
  }
  bool flag(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_boolean()) return complain(name), false;
    return value->get<bool>();
  }
  int64_t number(const char* name, int64_t max) {
    const Json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_number_integer()) return complain(name), 0;
    const auto number = value->get<int64_t>();
    if (number < 0 || number > max) return complain(name), 0;
    return number;
  }
  // Seconds that fit into nanoseconds: years 1970 to 2261.
  std::chrono::seconds seconds(const char* name) { return std::chrono::seconds(number(name, 9'200'000'000)); }
  WallTime time(const char* name) { return WallTime(seconds(name)); }
  // Nothing: it is not there.
  std::optional<Members> object(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_object()) return complain(name), std::nullopt;
    return Members(*value, status_, prefix_ + name + ".");
  }
  std::vector<Members> objects(const char* name) {
    std::vector<Members> all;
    const Json* value = find(name);
    if (value == nullptr) return all;
    if (!value->is_array() || !std::ranges::all_of(*value, &Json::is_object)) return complain(name), all;
    for (const Json& each : *value) all.emplace_back(each, status_, prefix_ + name + ".");
    return all;
  }
  void complain(const char* name) {
    if (status_) status_ = failure("has no usable " + prefix_ + name);
  }

 private:
  const Json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  const Json& object_;
  Status& status_;
  std::string prefix_;  // "order."
};

Json to_object(const PendingOrder& order) {
  return {{"url", order.url},
          {"accountUrl", order.account_url},
          {"key", order.key_pem},
          {"digest", order.digest},
          {"replaces", order.replaces}};
}

PendingOrder read_order(Members members) {
  PendingOrder order;
  order.url = members.text("url");
  order.account_url = members.text("accountUrl");
  order.key_pem = members.text("key");
  order.digest = members.text("digest");
  order.replaces = members.text("replaces");
  return order;
}

Json to_object(const Issued& issued) {
  return {{"digest", issued.digest},
          {"serial", issued.serial},
          {"issuer", issued.issuer},
          {"certificateId", issued.certificate_id},
          {"issued", to_seconds(issued.issued)},
          {"notBefore", to_seconds(issued.not_before)},
          {"notAfter", to_seconds(issued.not_after)},
          {"isRevoked", issued.is_revoked}};
}

Issued read_issued(Members members) {
  Issued issued{.digest = members.text("digest"),
                .serial = members.text("serial"),
                .issuer = members.text("issuer"),
                .certificate_id = members.text("certificateId"),
                .issued = members.time("issued"),
                .not_before = members.time("notBefore"),
                .not_after = members.time("notAfter"),
                .is_revoked = members.flag("isRevoked")};
  if (issued.not_after <= issued.not_before) members.complain("notAfter");
  return issued;
}

Json to_object(const PendingRevocation& revoking) {
  return {{"certificate", revoking.certificate_pem},
          {"serial", revoking.serial},
          {"issuer", revoking.issuer},
          {"document", revoking.document},
          {"reason", revoking.reason},
          {"isAfterRenewal", revoking.is_after_renewal}};
}

PendingRevocation read_revoking(Members members) {
  return {.certificate_pem = members.text("certificate"),
          .serial = members.text("serial"),
          .issuer = members.text("issuer"),
          .document = members.text("document"),
          .reason = members.text("reason"),
          .is_after_renewal = members.flag("isAfterRenewal")};
}

Json to_object(const Backoff& backoff) {
  return {{"failures", backoff.failures},
          {"failedAt", to_seconds(backoff.failed_at)},
          {"interval", std::chrono::duration_cast<std::chrono::seconds>(backoff.interval).count()}};
}

Backoff read_backoff(Members members) {
  const Backoff backoff{
      .failures = static_cast<uint32_t>(members.number("failures", std::numeric_limits<uint32_t>::max())),
      .failed_at = members.time("failedAt"),
      .interval = members.seconds("interval")};
  if (backoff.interval > WallTime::max() - backoff.failed_at) members.complain("interval");
  return backoff;
}

std::optional<State> read_state(std::string_view text) {
  for (size_t i = 0; i < std::size(kStates); ++i) {
    if (kStates[i] == text) return static_cast<State>(i);
  }
  return std::nullopt;
}

SuggestedWindow read_window(Members members) {
  const SuggestedWindow window{.start = members.time("start"), .end = members.time("end")};
  if (window.end < window.start) members.complain("end");
  return window;
}

}  // namespace

PendingOrder::~PendingOrder() { wipe(key_pem); }

std::string_view text_of(State state) noexcept { return kStates[static_cast<size_t>(state)]; }

Issued issued_of(const certs::CertificateFacts& facts, std::string digest, std::string issuer, WallTime issued) {
  return {.digest = std::move(digest),
          .serial = facts.serial,
          .issuer = std::move(issuer),
          .certificate_id = facts.certificate_id,
          .issued = issued,
          .not_before = facts.not_before,
          .not_after = facts.not_after,
          .is_revoked = false};
}

std::string to_json(const Record& record) {
  Json json = {{"secret", record.secret},
               {"issuer", record.issuer},
               {"commonName", record.common_name},
               {"dnsNames", record.dns_names},
               {"state", text_of(record.state)},
               {"message", record.message},
               {"renewal", to_seconds(record.renewal)},
               {"backoff", to_object(record.backoff)},
               {"wish", record.wish},
               {"askForWindow", to_seconds(record.ask_for_window)},
               {"isRenewWanted", record.is_renew_wanted},
               {"isRenewDone", record.is_renew_done},
               {"revocations", record.revocations},
               {"failedOrders", Json::array()},
               {"dnsRecords", Json::array()}};
  for (const FailedOrder& failed : record.failed_orders)
    json["failedOrders"].push_back({{"names", failed.names}, {"time", to_seconds(failed.time)}});
  for (const DnsRecord& dns : record.dns_records)
    json["dnsRecords"].push_back({{"name", dns.name}, {"value", dns.value}, {"issuer", dns.issuer}});
  if (record.issued) json["issued"] = to_object(*record.issued);
  if (record.order) json["order"] = to_object(*record.order);
  if (record.revoking) json["revoking"] = to_object(*record.revoking);
  if (record.suggested)
    json["suggested"] = {{"start", to_seconds(record.suggested->start)}, {"end", to_seconds(record.suggested->end)}};
  return json.dump(1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

Result<Record> read_record(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return failure("is no JSON object");
  Status status;
  Members members(json, status);
  Record record;
  if (const std::optional<State> state = read_state(members.text("state"))) {
    record.state = *state;
  } else {
    members.complain("state");
  }
  record.secret = members.text("secret");
  record.issuer = members.text("issuer");
  record.common_name = members.text("commonName");
  record.dns_names = members.texts("dnsNames");
  record.message = members.text("message");
  record.renewal = members.time("renewal");
  record.wish = members.text("wish");
  record.ask_for_window = members.time("askForWindow");
  record.is_renew_wanted = members.flag("isRenewWanted");
  record.is_renew_done = members.flag("isRenewDone");
  record.revocations = members.texts("revocations");
  for (Members& failed : members.objects("failedOrders"))
    record.failed_orders.push_back({.names = failed.texts("names"), .time = failed.time("time")});
  for (Members& dns : members.objects("dnsRecords"))
    record.dns_records.push_back({.name = dns.text("name"), .value = dns.text("value"), .issuer = dns.text("issuer")});
  if (const auto backoff = members.object("backoff")) record.backoff = read_backoff(*backoff);
  if (const auto issued = members.object("issued")) record.issued = read_issued(*issued);
  if (const auto order = members.object("order")) record.order = read_order(*order);
  if (const auto revoking = members.object("revoking")) record.revoking = read_revoking(*revoking);
  if (const auto suggested = members.object("suggested")) record.suggested = read_window(*suggested);
  if (!status) return std::unexpected(status.error());
  return record;
}

}  // namespace sluice::renewal

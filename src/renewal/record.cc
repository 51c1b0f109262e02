#include "renewal/record.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>

namespace sluice::renewal {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kStates[] = {"Pending", "Ready", "Error", "Revoked"};

int64_t to_seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// Members of one object; the first one that is wrong is kept.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}

  std::string text(const char* name) {
    const Json* value = find(name);
    if (value == nullptr || !value->is_string()) return complain(name), std::string();
    return value->get<std::string>();
  }
  std::vector<std::string> texts(const char* name) {
    const Json* value = find(name);
    if (value == nullptr || !value->is_array() || !std::ranges::all_of(*value, &Json::is_string))
      return complain(name), std::vector<std::string>();
    return value->get<std::vector<std::string>>();
  }
  bool flag(const char* name) {
    const Json* value = find(name);
    if (value == nullptr || !value->is_boolean()) return complain(name), false;
    return value->get<bool>();
  }
  int64_t number(const char* name) {
    const Json* value = find(name);
    if (value == nullptr || !value->is_number_integer()) return complain(name), 0;
    return value->get<int64_t>();
  }
  // Seconds that fit into nanoseconds: years 1970 to 2261.
  std::chrono::seconds seconds(const char* name) {
    const int64_t value = number(name);
    if (value < 0 || value > 9'200'000'000) return complain(name), std::chrono::seconds();
    return std::chrono::seconds(value);
  }
  WallTime time(const char* name) { return WallTime(seconds(name)); }
  // Null: it is not there.
  const Json* object(const char* name) {
    const Json* value = find(name);
    if (value == nullptr) return nullptr;
    if (!value->is_object()) complain(name);
    return value->is_object() ? value : nullptr;
  }
  void adopt(const Status& status) {
    if (status_.has_value() && !status) status_ = status;
  }
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  const Json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  void complain(const char* name) {
    if (status_) status_ = failure(std::string("has no usable ") + name);
  }

  const Json& object_;
  Status status_;
};

Json to_object(const PendingOrder& order) {
  return {{"url", order.url},       {"accountUrl", order.account_url}, {"key", order.key_pem},
          {"digest", order.digest}, {"replaces", order.replaces},      {"begun", to_seconds(order.begun)}};
}

Result<PendingOrder> read_order(const Json& object) {
  Members members(object);
  PendingOrder order;
  order.url = members.text("url");
  order.account_url = members.text("accountUrl");
  order.key_pem = members.text("key");
  order.digest = members.text("digest");
  order.replaces = members.text("replaces");
  order.begun = members.time("begun");
  if (!members.status()) return std::unexpected(members.status().error());
  return order;
}

Json to_object(const Issued& issued) {
  return {{"digest", issued.digest},
          {"serial", issued.serial},
          {"issuer", issued.issuer},
          {"certificateId", issued.certificate_id},
          {"issued", to_seconds(issued.issued)},
          {"notBefore", to_seconds(issued.not_before)},
          {"notAfter", to_seconds(issued.not_after)}};
}

Result<Issued> read_issued(const Json& object) {
  Members members(object);
  Issued issued{.digest = members.text("digest"),
                .serial = members.text("serial"),
                .issuer = members.text("issuer"),
                .certificate_id = members.text("certificateId"),
                .issued = members.time("issued"),
                .not_before = members.time("notBefore"),
                .not_after = members.time("notAfter")};
  if (!members.status()) return std::unexpected(members.status().error());
  if (issued.not_after <= issued.not_before) return failure("has no usable notAfter");
  return issued;
}

Json to_object(const Backoff& backoff) {
  return {{"failures", backoff.failures},
          {"failedAt", to_seconds(backoff.failed_at)},
          {"interval", std::chrono::duration_cast<std::chrono::seconds>(backoff.interval).count()}};
}

Result<Backoff> read_backoff(const Json& object) {
  Members members(object);
  Backoff backoff{.failures = static_cast<uint32_t>(members.seconds("failures").count() & 0xffff'ffff),
                  .failed_at = members.time("failedAt"),
                  .interval = members.seconds("interval")};
  if (!members.status()) return std::unexpected(members.status().error());
  return backoff;
}

std::optional<State> read_state(std::string_view text) {
  for (size_t i = 0; i < std::size(kStates); ++i) {
    if (kStates[i] == text) return static_cast<State>(i);
  }
  return std::nullopt;
}

// Reads an object that may be missing into `to`.
template <typename Value, typename To>
void read_optional(Members& members, const char* name, Result<Value> (*read)(const Json&), To& to) {
  const Json* object = members.object(name);
  if (object == nullptr) return;
  Result<Value> value = read(*object);
  if (value) {
    to = std::move(*value);
  } else {
    members.adopt(failure(std::string(name) + " " + value.error().message));
  }
}

Result<SuggestedWindow> read_window(const Json& object) {
  Members members(object);
  const SuggestedWindow window{.start = members.time("start"), .end = members.time("end")};
  if (!members.status()) return std::unexpected(members.status().error());
  if (window.end < window.start) return failure("ends before it starts");
  return window;
}

}  // namespace

PendingOrder::~PendingOrder() { explicit_bzero(key_pem.data(), key_pem.size()); }

std::string_view text_of(State state) noexcept { return kStates[static_cast<size_t>(state)]; }

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
               {"isRenewDone", record.is_renew_done}};
  if (record.issued) json["issued"] = to_object(*record.issued);
  if (record.order) json["order"] = to_object(*record.order);
  if (record.suggested)
    json["suggested"] = {{"start", to_seconds(record.suggested->start)}, {"end", to_seconds(record.suggested->end)}};
  return json.dump(1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

Result<Record> read_record(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return failure("is no JSON object");
  Members members(json);
  Record record;
  const std::optional<State> state = read_state(members.text("state"));
  if (!state) return failure("has no usable state");
  record.state = *state;
  record.secret = members.text("secret");
  record.issuer = members.text("issuer");
  record.common_name = members.text("commonName");
  record.dns_names = members.texts("dnsNames");
  record.message = members.text("message");
  record.renewal = members.time("renewal");
  record.wish = members.text("wish");
  record.ask_for_window = members.time("askForWindow");
  record.is_renew_done = members.flag("isRenewDone");
  read_optional(members, "backoff", read_backoff, record.backoff);
  read_optional(members, "issued", read_issued, record.issued);
  read_optional(members, "order", read_order, record.order);
  read_optional(members, "suggested", read_window, record.suggested);
  if (!members.status()) return std::unexpected(members.status().error());
  return record;
}

}  // namespace sluice::renewal

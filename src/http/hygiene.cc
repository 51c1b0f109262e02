#include "http/hygiene.h"

#include "base/limits.h"
#include "http/chars.h"
#include "http/known_field.h"
#include "http/path.h"
#include "http/websocket.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>

namespace sluice::http {

namespace {

// The fields that Connection names (RFC 9110 7.6.1): they end here. Which it may name is left to the
// sender, but for host, without which the request would go elsewhere.
class NominatedFields {
 public:
  explicit NominatedFields(const HeaderList& headers) noexcept {
    for (const auto& [name, value] : headers) {
      if (known_field(name) == KnownField::connection)
        for_each_element(value, [this](std::string_view option) { add(option); });
    }
  }

  [[nodiscard]] bool contain(std::string_view lower_name) const noexcept {
    return std::any_of(names_.begin(), names_.begin() + count_,
                       [lower_name](std::string_view name) { return equals_ignoring_case(name, lower_name); });
  }

 private:
  // Options that name no field, or one that goes anyway, are the usual ones: not worth a comparison later.
  // The codec has refused heads with more options than fit.
  void add(std::string_view option) noexcept {
    for (const std::string_view usual : {"keep-alive", "close", "upgrade", "te", "host"}) {
      if (equals_ignoring_case(option, usual)) return;
    }
    if (count_ < names_.size()) names_[count_++] = option;
  }

  std::array<std::string_view, limits::connection_options_max> names_;
  uint32_t count_ = 0;
};

bool accepts_trailers(std::string_view te) noexcept {
  bool accepts = false;
  for_each_element(
      te, [&accepts](std::string_view coding) { accepts = accepts || equals_ignoring_case(coding, "trailers"); });
  return accepts;
}

// Removes what is about the connection alone, and what `is_removed` says; `te` stays in its one harmless form.
template <typename IsRemoved>
void remove_request_fields(HeaderList& headers, IsRemoved is_removed) noexcept {
  const NominatedFields nominated(headers);
  bool has_te = false;
  headers.filter([&](HeaderField& field) {
    const KnownField known = known_field(field.name);
    if (known == KnownField::te && !has_te && accepts_trailers(field.value)) {
      field.value = "trailers";
      return has_te = true;
    }
    return !is_hop_by_hop(known) && !is_removed(known) && !nominated.contain(field.name);
  });
}

// --- Values ----------------------------------------------------------------------------------------

// Without std::string: this runs per request.
std::string_view write_ip(const SocketAddress& address, char (&text)[INET6_ADDRSTRLEN]) noexcept {
  if (address.family == SocketAddress::Family::ipv6) {
    inet_ntop(AF_INET6, address.ip.data(), text, sizeof text);
    return text;
  }
  size_t size = 0;
  for (size_t i = 0; i < 4; ++i) {
    const unsigned byte = address.ip[i];
    if (i > 0) text[size++] = '.';
    if (byte >= 100) text[size++] = static_cast<char>('0' + byte / 100);
    if (byte >= 10) text[size++] = static_cast<char>('0' + byte / 10 % 10);
    text[size++] = static_cast<char>('0' + byte % 10);
  }
  return {text, size};
}

struct Joined {
  std::string_view text;
  bool is_complete;  // false: the arena is full
};

// Every field of this kind and `last`, without empty ones, joined by "," as Envoy does.
Joined join_fields(const HeaderList& headers, KnownField kind, std::string_view last) noexcept {
  size_t size = 0;
  for (const auto& [name, value] : headers) {
    if (known_field(name) == kind && !value.empty()) size += value.size() + 1;
  }
  size += last.empty() ? 0 : last.size() + 1;
  if (size == 0) return {{}, true};
  auto* text = static_cast<char*>(headers.arena().allocate(size, 1));
  if (text == nullptr) return {{}, false};
  char* end = text;
  const auto append = [&end](std::string_view value) {
    end = std::ranges::copy(value, end).out;
    *end++ = ',';
  };
  for (const auto& [name, value] : headers) {
    if (known_field(name) == kind && !value.empty()) append(value);
  }
  if (!last.empty()) append(last);
  return {{text, size - 1}, true};
}

// The entry of `forwarded_for` with `skipped` entries behind it; empty ones count. Without port, brackets and zone, as
// Envoy reads them.
std::optional<SocketAddress> entry_from_right(std::string_view forwarded_for, uint32_t skipped) noexcept {
  for (; skipped > 0; --skipped) {
    const size_t comma = forwarded_for.rfind(',');
    if (comma == std::string_view::npos) return std::nullopt;
    forwarded_for = forwarded_for.substr(0, comma);
  }
  return SocketAddress::from_ip(trim(forwarded_for.substr(forwarded_for.rfind(',') + 1)), 0);  // npos + 1 is 0
}

// `forwarded_for` ends with the peer, if that has an IP: the entry that nobody has to be trusted for.
SocketAddress trusted_client(std::string_view forwarded_for, const ForwardingFacts& facts) noexcept {
  if (facts.trusted_proxies == 0) return facts.peer;
  return entry_from_right(forwarded_for, facts.trusted_proxies - (facts.peer.is_ip() ? 0 : 1)).value_or(facts.peer);
}

// What trusted proxies say of the scheme, if it is one; else whether the client's connection to us is TLS.
bool is_https(const HeaderList& headers, const ForwardingFacts& facts) noexcept {
  if (facts.trusted_proxies == 0 || headers.count("x-forwarded-proto") != 1) return facts.is_tls;
  const std::string_view scheme = *headers.find("x-forwarded-proto");
  return scheme == "https" || (scheme != "http" && facts.is_tls);
}

// Empty: it has no IP. The peer stands at the end of `forwarded_for` already. .data() is nullptr when the arena is
// full.
std::string_view write_client(const SocketAddress& client, const SocketAddress& peer, std::string_view forwarded_for,
                              std::string_view peer_text, Arena& arena) noexcept {
  if (!client.is_ip()) return "";
  if (client == peer) return forwarded_for.substr(forwarded_for.size() - peer_text.size());
  char text[INET6_ADDRSTRLEN];
  return arena.copy(write_ip(client, text));
}

// RFC 9562 5.4: version 4, variant 10. .data() is nullptr when the arena is full.
std::string_view write_request_id(const uint64_t (&random)[2], Arena& arena) noexcept {
  constexpr size_t size = 36;
  constexpr std::string_view digits = "0123456789abcdef";
  auto* text = static_cast<char*>(arena.allocate(size, 1));
  if (text == nullptr) return {};
  const uint64_t high = (random[0] & ~uint64_t{0xf000}) | 0x4000;
  const uint64_t low = (random[1] & ~(uint64_t{3} << 62)) | (uint64_t{1} << 63);
  size_t at = 0;
  for (const uint64_t half : {high, low}) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      if (at == 8 || at == 13 || at == 18 || at == 23) text[at++] = '-';
      text[at++] = digits[(half >> shift) & 15];
    }
  }
  return {text, size};
}

std::string_view copy_number(int64_t number, Arena& arena) noexcept {
  char text[20];
  return arena.copy({text, static_cast<size_t>(std::to_chars(text, text + sizeof text, number).ptr - text)});
}

// RFC 8441 5: with HTTP/2 there is none. False: the head is full.
bool add_websocket_key(RequestHead& head, const uint64_t (&random)[2]) noexcept {
  if (head.version != Version::http_2 || !head.wants_upgrade || !is_websocket(head.upgrade)) return true;
  const std::string_view key = head.headers.arena().copy(WebSocketKey(random).text());
  return key.data() != nullptr && head.headers.set("sec-websocket-key", key);
}

}  // namespace

// --- Requests --------------------------------------------------------------------------------------

Prepared prepare_request(RequestHead& head, const ForwardingFacts& facts) noexcept {
  HeaderList& headers = head.headers;
  Arena& arena = headers.arena();
  if (!head.path.empty()) {
    const PathResult result = normalize_path(head.path, arena, facts.path_normalization);
    if (result != PathResult::ok) return result == PathResult::bad ? Prepared::bad_path : Prepared::too_large;
  }

  char peer_text[INET6_ADDRSTRLEN];
  const std::string_view peer = facts.peer.is_ip() ? write_ip(facts.peer, peer_text) : std::string_view();
  const Joined forwarded_for = join_fields(headers, KnownField::x_forwarded_for, peer);
  if (!forwarded_for.is_complete) return Prepared::too_large;
  head.client = trusted_client(forwarded_for.text, facts);
  head.is_https = is_https(headers, facts);
  const std::string_view client_address = write_client(*head.client, facts.peer, forwarded_for.text, peer, arena);
  const Joined client_certificates =
      facts.keeps_client_certificates
          ? join_fields(headers, KnownField::x_forwarded_client_cert, facts.client_certificate)
          : Joined{facts.client_certificate, true};
  const std::string_view id = write_request_id(facts.request_id, arena);
  if (client_address.data() == nullptr || !client_certificates.is_complete || id.data() == nullptr)
    return Prepared::too_large;

  remove_request_fields(headers, is_set_by_the_edge);
  const bool is_complete =
      (headers.find("host") || headers.add("host", head.authority)) &&
      (forwarded_for.text.empty() || headers.add("x-forwarded-for", forwarded_for.text)) &&
      headers.add("x-forwarded-proto", head.is_https ? "https" : "http") && headers.add("x-request-id", id) &&
      (client_address.empty() || headers.add("x-envoy-external-address", client_address)) &&
      headers.add("x-envoy-attempt-count", "1") &&
      (client_certificates.text.empty() || headers.add("x-forwarded-client-cert", client_certificates.text)) &&
      add_websocket_key(head, facts.request_id);
  if (!is_complete) return Prepared::too_large;
  head.request_id = id;
  return Prepared::ok;
}

Prepared prepare_outbound_request(RequestHead& head, const SocketAddress& peer, bool is_tls) noexcept {
  remove_request_fields(head.headers, [](KnownField known) { return known == KnownField::proxy_authorization; });
  head.client = peer;
  head.is_https = is_tls;
  head.request_id = head.headers.find("x-request-id").value_or(std::string_view());
  return head.headers.find("host") || head.headers.add("host", head.authority) ? Prepared::ok : Prepared::too_large;
}

std::string_view request_id(const RequestHead& head) noexcept { return head.request_id; }

std::string_view upstream_target(const RequestHead& head) noexcept {
  if (head.path.empty()) return head.method == "CONNECT" ? head.target : std::string_view("*");
  const char* target_end = head.target.data() + head.target.size();
  const bool is_part_of_target =
      std::less_equal<>{}(head.target.data(), head.path.data()) && std::less<>{}(head.path.data(), target_end);
  if (is_part_of_target) return {head.path.data(), static_cast<size_t>(target_end - head.path.data())};
  if (!head.has_query) return head.path;

  const size_t size = head.path.size() + 1 + head.query.size();
  auto* text = static_cast<char*>(head.headers.arena().allocate(size, 1));
  if (text == nullptr) return {};
  char* end = std::ranges::copy(head.path, text).out;
  *end++ = '?';
  std::ranges::copy(head.query, end);
  return {text, size};
}

std::string_view https_location(const RequestHead& head) noexcept {
  if (head.host.empty()) return {};
  constexpr std::string_view scheme = "https://";
  const std::string_view target = head.path.empty() ? std::string_view("/") : upstream_target(head);
  if (target.empty()) return {};
  const size_t size = scheme.size() + head.authority.size() + target.size();
  auto* text = static_cast<char*>(head.headers.arena().allocate(size, 1));
  if (text == nullptr) return {};
  char* end = text;
  for (const std::string_view part : {scheme, head.authority, target}) end = std::ranges::copy(part, end).out;
  return {text, size};
}

// --- Responses -------------------------------------------------------------------------------------

namespace {

// False: the head is full.
bool add_date(HeaderList& headers, WallTime wall) noexcept {
  const std::string_view date = headers.arena().copy(http_date(wall));
  return date.data() != nullptr && headers.add("date", date);
}

}  // namespace

bool prepare_outbound_response(ResponseHead& head, WallTime wall) noexcept {
  const NominatedFields nominated(head.headers);
  bool has_date = false;
  head.headers.filter([&](const HeaderField& field) {
    const KnownField known = known_field(field.name);
    if (known == KnownField::date) return has_date = true;
    return !is_hop_by_hop(known) && !nominated.contain(field.name);
  });
  return has_date || add_date(head.headers, wall);
}

bool prepare_response(ResponseHead& head, Duration upstream_time, WallTime wall) noexcept {
  HeaderList& headers = head.headers;
  Arena& arena = headers.arena();
  const NominatedFields nominated(headers);
  bool has_date = false;
  headers.filter([&](const HeaderField& field) {
    const KnownField known = known_field(field.name);
    if (known == KnownField::date) return has_date = true;
    if (known == KnownField::x_envoy) {
      const std::string_view name = field.name.substr(std::string_view("x-envoy-").size());
      if (name == "upstream-service-time" || name == "decorator-operation" || name.starts_with("peer-metadata"))
        return false;
    }
    return !is_hop_by_hop(known) && known != KnownField::server && !nominated.contain(field.name);
  });

  const std::string_view milliseconds = copy_number(std::max<int64_t>(to_milliseconds(upstream_time), 0), arena);
  if (milliseconds.data() == nullptr) return false;
  return headers.add("server", "istio-envoy") && headers.add("x-envoy-upstream-service-time", milliseconds) &&
         (has_date || add_date(headers, wall));
}

std::string_view http_date(WallTime wall) noexcept {
  // A cache of a pure function: nothing observable is shared.
  thread_local std::chrono::sys_seconds cached_second = std::chrono::sys_seconds::min();
  thread_local char text[] = "Thu, 01 Jan 1970 00:00:00 GMT";
  constexpr size_t size = sizeof text - 1;

  const auto second = std::chrono::floor<std::chrono::seconds>(wall);
  if (second == cached_second) return {text, size};
  cached_second = second;

  constexpr std::string_view weekdays = "SunMonTueWedThuFriSat";
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(second - day);
  const auto put_digits = [](size_t at, unsigned number, size_t count) {
    for (size_t i = count; i > 0; --i, number /= 10) text[at + i - 1] = static_cast<char>('0' + number % 10);
  };
  std::ranges::copy(weekdays.substr(3 * std::chrono::weekday(day).c_encoding(), 3), text);
  put_digits(5, static_cast<unsigned>(date.day()), 2);
  std::ranges::copy(months.substr(3 * (static_cast<unsigned>(date.month()) - 1), 3), text + 8);
  put_digits(12, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  put_digits(17, static_cast<unsigned>(time.hours().count()), 2);
  put_digits(20, static_cast<unsigned>(time.minutes().count()), 2);
  put_digits(23, static_cast<unsigned>(time.seconds().count()), 2);
  return {text, size};
}

}  // namespace sluice::http

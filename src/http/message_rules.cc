#include "http/message_rules.h"

#include "base/limits.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/known_field.h"

#include <algorithm>
#include <cstdint>

namespace sluice::http {

namespace {

// What the access log says, for the codec that has read the head.
struct Detail {
  std::string_view of_http1;
  std::string_view of_http2;
};
#define DETAIL(name) (Detail{"http1." name, "http2." name})

Refusal refuse(ReadError error, Version version, const Detail& detail) noexcept {
  return {error, version == Version::http_2 ? detail.of_http2 : detail.of_http1};
}

Refusal malformed(Version version, const Detail& detail) noexcept {
  return refuse(ReadError::malformed, version, detail);
}

enum class TransferCoding : uint8_t { none, chunked, unknown, malformed };

// What the fields that matter here say together.
struct FieldFacts {
  std::string_view host;
  std::string_view content_length;
  std::string_view upgrade;
  unsigned host_count = 0;
  unsigned content_length_count = 0;
  unsigned upgrade_count = 0;
  unsigned connection_option_count = 0;
  uint32_t keep_alive_seconds = 0;
  TransferCoding coding = TransferCoding::none;
  bool has_close = false;
  bool has_keep_alive = false;
  bool has_upgrade_option = false;
  bool expects_continue = false;
};

void note_connection_options(std::string_view value, FieldFacts& facts) noexcept {
  for_each_element(value, [&facts](std::string_view option) {
    ++facts.connection_option_count;
    if (equals_ignoring_case(option, "close")) facts.has_close = true;
    if (equals_ignoring_case(option, "keep-alive")) facts.has_keep_alive = true;
    if (equals_ignoring_case(option, "upgrade")) facts.has_upgrade_option = true;
  });
}

// RFC 9112 6.1: exactly one "chunked", and nothing else that we could undo. Several fields are one list.
void note_transfer_coding(std::string_view value, FieldFacts& facts) noexcept {
  bool is_chunked_last = facts.coding == TransferCoding::chunked;
  bool is_malformed = facts.coding == TransferCoding::malformed;
  bool has_other = facts.coding == TransferCoding::unknown;
  unsigned element_count = 0;
  for_each_element(value, [&](std::string_view coding) {
    ++element_count;
    const std::string_view name = coding.substr(0, coding.find_first_of(" \t;"));
    if (is_chunked_last || !is_token(name)) is_malformed = true;  // nothing may follow chunked
    is_chunked_last = equals_ignoring_case(coding, "chunked");
    if (!is_chunked_last) has_other = true;
  });
  if (is_malformed || element_count == 0) {
    facts.coding = TransferCoding::malformed;
  } else {
    facts.coding = has_other ? TransferCoding::unknown : TransferCoding::chunked;
  }
}

// "timeout=5, max=100". What is no number, or a very large one, says nothing.
uint32_t read_keep_alive_seconds(std::string_view value) noexcept {
  uint32_t seconds = 0;
  for_each_element(value, [&seconds](std::string_view parameter) {
    constexpr std::string_view name = "timeout=";
    if (!equals_ignoring_case(parameter.substr(0, name.size()), name)) return;
    const std::string_view digits = parameter.substr(name.size());
    if (digits.empty() || digits.size() > 6 || !std::ranges::all_of(digits, is_digit)) return;
    seconds = 0;
    for (const char digit : digits) seconds = seconds * 10 + static_cast<uint32_t>(digit - '0');
  });
  return seconds;
}

FieldFacts collect(const HeaderList& headers) noexcept {
  FieldFacts facts;
  for (const auto& [name, value] : headers) {
    switch (known_field(name)) {
      case KnownField::host:
        ++facts.host_count;
        facts.host = value;
        break;
      case KnownField::content_length:
        ++facts.content_length_count;
        facts.content_length = value;
        break;
      case KnownField::upgrade:
        ++facts.upgrade_count;
        facts.upgrade = value;
        break;
      case KnownField::connection: note_connection_options(value, facts); break;
      case KnownField::keep_alive: facts.keep_alive_seconds = read_keep_alive_seconds(value); break;
      case KnownField::transfer_encoding: note_transfer_coding(value, facts); break;
      case KnownField::expect:
        if (equals_ignoring_case(value, "100-continue")) facts.expects_continue = true;
        break;
      default: break;
    }
  }
  return facts;
}

// 1*DIGIT (RFC 9110 8.6), at most what a file offset can count.
bool parse_content_length(std::string_view digits, uint64_t& length) noexcept {
  constexpr uint64_t most = INT64_MAX;
  if (digits.empty()) return false;
  length = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return false;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (length > (most - digit) / 10) return false;
    length = length * 10 + digit;
  }
  return true;
}

// RFC 9112 6.3 points 3 to 5: what the framing fields say, before method and status are looked at.
struct Framing {
  Refusal refusal{};
  bool is_chunked = false;
  bool has_length = false;
  uint64_t length = 0;
};

Framing read_framing(const FieldFacts& facts, Version version) noexcept {
  Framing framing;
  if (facts.coding != TransferCoding::none) {
    if (version == Version::http_1_0) return {malformed(version, DETAIL("transfer_encoding_in_1_0"))};
    if (facts.content_length_count > 0) return {malformed(version, DETAIL("content_length_with_transfer_encoding"))};
    if (facts.coding == TransferCoding::malformed) return {malformed(version, DETAIL("invalid_transfer_encoding"))};
    if (facts.coding == TransferCoding::unknown)
      return {refuse(ReadError::not_implemented, version, DETAIL("unknown_transfer_coding"))};
    framing.is_chunked = true;
  }
  if (facts.content_length_count > 1) return {malformed(version, DETAIL("repeated_content_length"))};
  if (facts.content_length_count == 1) {
    if (!parse_content_length(facts.content_length, framing.length))
      return {malformed(version, DETAIL("invalid_content_length"))};
    framing.has_length = true;
  }
  return framing;
}

// RFC 9112 9.3.
bool persists(const FieldFacts& facts, Version version) noexcept {
  return !facts.has_close && (version != Version::http_1_0 || facts.has_keep_alive);
}

// --- Requests --------------------------------------------------------------------------------------

void split_path(RequestHead& head, std::string_view path_and_query) noexcept {
  const size_t mark = path_and_query.find('?');
  head.path = path_and_query.substr(0, mark);
  head.has_query = mark != std::string_view::npos;
  head.query = head.has_query ? path_and_query.substr(mark + 1) : std::string_view("");
}

// RFC 9112 3.2.2. To a gateway the scheme says nothing: what counts is the connection it came by.
Refusal read_absolute_form(RequestHead& head) noexcept {
  const size_t colon = head.target.find("://");
  if (colon == std::string_view::npos) return malformed(head.version, DETAIL("invalid_target"));
  head.scheme = head.target.substr(0, colon);
  if (!equals_ignoring_case(head.scheme, "http") && !equals_ignoring_case(head.scheme, "https"))
    return malformed(head.version, DETAIL("unknown_scheme"));
  const std::string_view rest = head.target.substr(colon + 3);
  const size_t end = rest.find_first_of("/?");
  head.authority = rest.substr(0, end);
  if (head.authority.empty()) return malformed(head.version, DETAIL("target_without_host"));
  if (end != std::string_view::npos) {
    split_path(head, rest.substr(end));
    if (head.path.empty()) head.path = "/";
  } else {
    head.path = head.method == "OPTIONS" ? "" : "/";  // RFC 9112 3.2.4: OPTIONS without path means "*"
  }
  return {};
}

// RFC 9112 3.2: the four forms, each only with the methods that it is for.
Refusal read_target(RequestHead& head, bool is_connect) noexcept {
  if (head.target.empty() || !consists_of(head.target, char_class::target))
    return malformed(head.version, DETAIL("invalid_target"));
  if (is_connect) {
    head.authority = head.target;
    return {};
  }
  if (head.target.front() == '/') {
    split_path(head, head.target);
    return {};
  }
  if (head.target == "*") {
    return head.method == "OPTIONS" ? Refusal{} : malformed(head.version, DETAIL("asterisk_without_options"));
  }
  // RFC 9113 8.3.1: :path has no other form.
  if (head.version == Version::http_2) return malformed(head.version, DETAIL("invalid_target"));
  return read_absolute_form(head);
}

// RFC 9112 3.2: one valid Host, and only one answer to where the request goes.
Refusal read_host(RequestHead& head, const FieldFacts& facts, bool is_connect) noexcept {
  if (facts.host_count > 1) return malformed(head.version, DETAIL("repeated_host"));
  if (facts.host_count == 0 && head.version != Version::http_1_0)
    return malformed(head.version, DETAIL("missing_host"));
  std::optional<Authority> parsed = parse_authority(facts.host);
  if (!parsed) return malformed(head.version, DETAIL("invalid_host"));
  if (head.authority.empty()) {
    head.authority = facts.host;
  } else {
    if (!is_connect && facts.host_count == 1 && !is_same_authority(head.authority, facts.host)) {
      return malformed(head.version, DETAIL("host_differs_from_target"));
    }
    parsed = parse_authority(head.authority);
    if (!parsed) return malformed(head.version, DETAIL("invalid_target"));
  }
  for (const char digit : parsed->port) head.port = static_cast<uint16_t>(head.port * 10 + (digit - '0'));
  if (is_connect && (parsed->host.empty() || head.port == 0))
    return malformed(head.version, DETAIL("connect_without_port"));
  head.host = lookup_host(parsed->host, head.headers.arena());
  if (head.host.data() == nullptr) return refuse(ReadError::head_too_large, head.version, DETAIL("head_too_large"));
  return {};
}

// RFC 9110 7.8.
void read_upgrade(RequestHead& head, const FieldFacts& facts) noexcept {
  if (facts.upgrade_count != 1 || facts.upgrade.empty()) return;
  head.upgrade = facts.upgrade;
  head.wants_upgrade = facts.has_upgrade_option && head.version == Version::http_1_1 && !head.has_content() &&
                       head.method != "CONNECT" && may_upgrade_to(facts.upgrade);
  if (head.wants_upgrade) head.framing = BodyFraming::none;
}

}  // namespace

Refusal understand_request(RequestHead& head) noexcept {
  const FieldFacts facts = collect(head.headers);
  const bool is_connect = head.method == "CONNECT";
  if (const Refusal refusal = read_target(head, is_connect); refusal.is_refused()) return refusal;
  if (const Refusal refusal = read_host(head, facts, is_connect); refusal.is_refused()) return refusal;
  if (facts.connection_option_count > limits::connection_options_max)
    return malformed(head.version, DETAIL("too_many_connection_options"));

  const Framing framing = read_framing(facts, head.version);
  if (framing.refusal.is_refused()) return framing.refusal;
  if (is_connect) {
    head.framing = BodyFraming::none;
    // RFC 9110 9.3.6: what follows is the tunnel's; content before it would be read differently elsewhere.
    if (framing.is_chunked || framing.length > 0) return malformed(head.version, DETAIL("connect_with_content"));
  } else if (framing.is_chunked) {
    head.framing = BodyFraming::chunked;
  } else if (framing.has_length) {
    head.framing = BodyFraming::content_length;
    head.content_length = framing.length;
  }

  head.keep_alive = persists(facts, head.version);
  head.expects_continue = facts.expects_continue && head.version != Version::http_1_0 && head.has_content();
  read_upgrade(head, facts);
  return {};
}

Refusal understand_response(ResponseHead& head, bool is_head, bool is_connect) noexcept {
  if (head.status < 100) return malformed(head.version, DETAIL("invalid_status"));
  if (!consists_of(head.reason, char_class::value)) return malformed(head.version, DETAIL("invalid_reason"));
  const FieldFacts facts = collect(head.headers);
  if (facts.connection_option_count > limits::connection_options_max)
    return malformed(head.version, DETAIL("too_many_connection_options"));
  const Framing framing = read_framing(facts, head.version);
  if (framing.refusal.is_refused()) return framing.refusal;

  const bool is_http2 = head.version == Version::http_2;
  head.keep_alive = persists(facts, head.version);
  head.keep_alive_seconds = is_http2 ? 0 : facts.keep_alive_seconds;
  head.has_content_length = framing.has_length;
  head.content_length = framing.length;
  const bool is_tunnel = head.status == 101 || (is_connect && head.status / 100 == 2);
  const bool may_announce = is_head || head.status == 304;
  const bool has_no_content = is_tunnel || may_announce || head.status / 100 == 1 || head.status == 204;
  if (has_no_content) {
    head.framing = BodyFraming::none;
    // A 1xx or 204 must not announce content (RFC 9110 8.6); if it sends some all the same, that must not
    // be read as the next response.
    const bool announces = framing.is_chunked || framing.length > 0;
    if (!is_http2 && (is_tunnel || (announces && !may_announce))) head.keep_alive = false;
  } else if (framing.is_chunked) {
    head.framing = BodyFraming::chunked;
  } else if (framing.has_length || (is_http2 && head.framing == BodyFraming::none)) {
    head.framing = BodyFraming::content_length;
  } else if (!is_http2) {
    head.framing = BodyFraming::until_close;
    head.keep_alive = false;
  }
  return {};
}

bool may_upgrade_to(std::string_view protocols) noexcept {
  bool may = !protocols.empty();
  for_each_element(protocols, [&may](std::string_view protocol) {
    const size_t slash = protocol.find('/');
    const std::string_view name = protocol.substr(0, slash);
    const bool has_version = slash == std::string_view::npos || is_token(protocol.substr(slash + 1));
    for (const std::string_view http : {"http", "h2", "h2c", "h3"}) may = may && !equals_ignoring_case(name, http);
    may = may && is_token(name) && has_version;
  });
  return may;
}

bool may_tell_length(const ResponseHead& head, std::string_view method) noexcept {
  return head.has_content_length && ((method == "HEAD" && head.status != 204) || head.status == 304);
}

TrailerRule trailer_rule(std::string_view name, bool is_request) noexcept {
  const KnownField field = known_field(name);
  if (is_hop_by_hop(field) || field == KnownField::host) return TrailerRule::refuse;
  return is_request && is_set_by_the_edge(field) ? TrailerRule::leave_out : TrailerRule::keep;
}

std::string_view known_method(std::string_view text) noexcept {
  for (int i = 0; i <= HTTP_QUERY; ++i) {
    const auto method = static_cast<llhttp_method_t>(i);
    if (is_http_method(method) && text == llhttp_method_name(method)) return llhttp_method_name(method);
  }
  return {};
}

bool begins_known_method(std::string_view text) noexcept {
  for (int i = 0; i <= HTTP_QUERY; ++i) {
    const auto method = static_cast<llhttp_method_t>(i);
    if (is_http_method(method) && std::string_view(llhttp_method_name(method)).starts_with(text)) return true;
  }
  return false;
}

}  // namespace sluice::http

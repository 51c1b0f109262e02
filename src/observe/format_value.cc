#include "observe/format_value.h"

#include "base/check.h"
#include "observe/address_text.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <ctime>
#include <limits>

namespace sluice::observe {

namespace {

using snapshot::FieldReference;
using snapshot::FormatPart;
using snapshot::Operator;
using snapshot::TimePart;
using Kind = FormatValue::Kind;

static_assert(format_room_bytes >= snapshot::time_text_bytes_max && format_room_bytes >= response_flags_text_max &&
              format_room_bytes >= address_text_max);

FormatValue as(Kind kind, std::string_view text) noexcept {
  return text.empty() ? FormatValue{} : FormatValue{kind, text};
}

FormatValue number(uint64_t value, FormatRoom room) noexcept {
  const char* end = std::to_chars(room.data(), room.data() + room.size(), value).ptr;
  return {Kind::number, {room.data(), static_cast<size_t>(end - room.data())}};
}

FormatValue with_port(const SocketAddress* address, FormatRoom room) noexcept {
  if (address == nullptr) return {};
  const char* end = write_address(*address, room.data());
  return {Kind::word, {room.data(), static_cast<size_t>(end - room.data())}};
}

FormatValue without_port(const SocketAddress& address, FormatRoom room) noexcept {
  const char* end = write_ip(address, room.data());
  return {Kind::word, {room.data(), static_cast<size_t>(end - room.data())}};
}

// --- Times -----------------------------------------------------------------------------------------

// Of the second that was asked for last: most are of the same.
const tm& utc_of(time_t second) noexcept {
  thread_local time_t cached_second = std::numeric_limits<time_t>::min();
  thread_local tm cached{};
  if (second != cached_second) {
    gmtime_r(&second, &cached);
    cached_second = second;
  }
  return cached;
}

char* write_digits(uint64_t value, unsigned count, char* at) noexcept {
  for (unsigned i = count; i > 0; --i, value /= 10) at[i - 1] = static_cast<char>('0' + value % 10);
  return at + count;
}

FormatValue custom_time(const std::vector<TimePart>& parts, WallTime time, FormatRoom room) noexcept {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto fraction = static_cast<uint64_t>((time - second).count());  // nanoseconds
  const time_t epoch = std::chrono::system_clock::to_time_t(second);
  const tm& utc = utc_of(epoch);
  char* at = room.data();
  char* const end = at + room.size();
  for (const TimePart& part : parts) {
    switch (part.conversion) {
      case 0: at = std::ranges::copy(part.literal, at).out; break;
      case 'f': {
        uint64_t value = fraction;
        for (unsigned i = part.digits; i < 9; ++i) value /= 10;
        at = write_digits(value, part.digits, at);
        break;
      }
      case 's': at = std::to_chars(at, end, epoch).ptr; break;
      case 'z': at = std::ranges::copy(std::string_view("+0000"), at).out; break;
      case 'Z': at = std::ranges::copy(std::string_view("UTC"), at).out; break;
      default: {
        const char conversion[] = {'%', part.conversion, '\0'};
        at += std::strftime(at, static_cast<size_t>(end - at), conversion, &utc);
      }
    }
  }
  return as(Kind::text, {room.data(), static_cast<size_t>(at - room.data())});
}

FormatValue time_value(const FormatPart& part, WallTime time, FormatRoom room) noexcept {
  if (!part.time.empty()) return custom_time(part.time, time, room);
  const char* end = write_time(time, room.data());
  return as(Kind::word, {room.data(), static_cast<size_t>(end - room.data())});
}

// --- REQ and RESP ----------------------------------------------------------------------------------

FormatValue field_value(const FieldReference& reference, const http::HeaderList* fields, const RequestRecord& record,
                        FormatRoom room) noexcept {
  switch (reference.kind) {
    case FieldReference::Kind::none: return {};
    case FieldReference::Kind::field:
      if (fields == nullptr) return {};
      return as(Kind::text, fields->find(reference.name).value_or(std::string_view{}));
    case FieldReference::Kind::method: return as(Kind::text, record.method);
    case FieldReference::Kind::path: return as(Kind::text, record.path);
    case FieldReference::Kind::authority: return as(Kind::text, record.authority);
    case FieldReference::Kind::scheme: return as(Kind::text, record.is_tcp ? "" : record.is_https ? "https" : "http");
    case FieldReference::Kind::status: return record.status == 0 ? FormatValue{} : number(record.status, room);
  }
  UNREACHABLE();
}

FormatValue field_value(const FormatPart& part, const http::HeaderList* fields, const RequestRecord& record,
                        FormatRoom room) noexcept {
  FormatValue value = field_value(part.field, fields, record, room);
  if (value.kind == Kind::absent) value = field_value(part.alternative, fields, record, room);
  if (part.bytes_max != 0) value.text = value.text.substr(0, part.bytes_max);
  return value;
}

// --- The client's TLS ------------------------------------------------------------------------------

using PeerCertificate = ClientTls::PeerCertificate;

FormatValue tls_value(const RequestRecord& record, Kind kind, const std::string ClientTls::* text) noexcept {
  return record.client_tls == nullptr ? FormatValue{} : as(kind, record.client_tls->*text);
}

const PeerCertificate* peer_of(const RequestRecord& record) noexcept {
  return record.client_tls != nullptr && record.client_tls->peer ? &*record.client_tls->peer : nullptr;
}

FormatValue peer_value(const RequestRecord& record, Kind kind, const std::string PeerCertificate::* text) noexcept {
  const PeerCertificate* peer = peer_of(record);
  return peer == nullptr ? FormatValue{} : as(kind, peer->*text);
}

FormatValue peer_time(const FormatPart& part, const RequestRecord& record, WallTime PeerCertificate::* time,
                      FormatRoom room) noexcept {
  const PeerCertificate* peer = peer_of(record);
  return peer == nullptr ? FormatValue{} : time_value(part, peer->*time, room);
}

}  // namespace

// The part up to the second is made once per second and thread.
char* write_time(WallTime time, char* at) noexcept {
  constexpr size_t kSecondBytes = 19;
  thread_local int64_t cached_second = -1;
  thread_local char cached[32];

  const int64_t milliseconds = std::max<int64_t>(0, to_milliseconds(time.time_since_epoch()));
  const time_t second = milliseconds / 1000;
  if (second != cached_second) {
    tm utc{};
    gmtime_r(&second, &utc);
    if (std::strftime(cached, sizeof cached, "%Y-%m-%dT%H:%M:%S", &utc) != kSecondBytes) {
      *at = '-';
      return at + 1;
    }
    cached_second = second;
  }
  std::memcpy(at, cached, kSecondBytes);
  at += kSecondBytes;
  *at++ = '.';
  at = write_digits(static_cast<uint64_t>(milliseconds % 1000), 3, at);
  *at++ = 'Z';
  return at;
}

FormatValue value_of(const FormatPart& part, const RequestRecord& record, FormatRoom room) noexcept {
  switch (part.op) {
    case Operator::literal:
    case Operator::hostname: return as(Kind::text, part.text);
    case Operator::request_field: return field_value(part, record.request_fields, record, room);
    case Operator::response_field: return field_value(part, record.response_fields, record, room);
    case Operator::start_time: return time_value(part, record.start, room);
    case Operator::protocol: return as(Kind::word, record.is_tcp ? "" : protocol_text(record.version));
    case Operator::response_code: return number(record.status, room);
    case Operator::response_code_details: return as(Kind::word, record.details);
    case Operator::response_flags:
      return as(Kind::word, write_flags(record.flags, room.first<response_flags_text_max>()));
    case Operator::grpc_status:
      return record.grpc_status ? as(Kind::word, camel_name(*record.grpc_status)) : FormatValue{};
    case Operator::grpc_status_number:
      return record.grpc_status ? as(Kind::number, to_text(*record.grpc_status)) : FormatValue{};
    case Operator::connection_termination_details: return as(Kind::word, record.connection_termination_details);
    case Operator::bytes_received: return number(record.bytes_received, room);
    case Operator::bytes_sent: return number(record.bytes_sent, room);
    case Operator::duration:
      return number(static_cast<uint64_t>(std::max<int64_t>(0, to_milliseconds(record.duration))), room);
    case Operator::route_name: return as(Kind::word, record.route_name);
    case Operator::requested_server_name: return as(Kind::word, record.requested_server_name);
    case Operator::upstream_host: return with_port(record.upstream_host, room);
    case Operator::upstream_cluster:
      return as(Kind::word, record.cluster == nullptr ? "" : std::string_view(record.cluster->name));
    case Operator::upstream_local_address: return with_port(record.upstream_local, room);
    case Operator::upstream_transport_failure_reason: return as(Kind::text, record.upstream_failure_reason);
    case Operator::downstream_remote_address: return with_port(&record.downstream_remote, room);
    case Operator::downstream_remote_ip: return without_port(record.downstream_remote, room);
    case Operator::downstream_remote_port: return number(record.downstream_remote.port, room);
    case Operator::downstream_local_address: return with_port(&record.downstream_local, room);
    case Operator::downstream_local_ip: return without_port(record.downstream_local, room);
    case Operator::downstream_local_port: return number(record.downstream_local.port, room);
    case Operator::downstream_local_subject: return tls_value(record, Kind::text, &ClientTls::local_subject);
    case Operator::downstream_local_uri_san: return tls_value(record, Kind::text, &ClientTls::local_uri_sans);
    case Operator::downstream_local_dns_san: return tls_value(record, Kind::text, &ClientTls::local_dns_sans);
    case Operator::downstream_tls_version: return tls_value(record, Kind::word, &ClientTls::version);
    case Operator::downstream_tls_cipher: return tls_value(record, Kind::word, &ClientTls::cipher);
    case Operator::downstream_tls_session_id: return {};  // sessions are resumed by tickets, which are no IDs
    case Operator::downstream_peer_subject: return peer_value(record, Kind::text, &PeerCertificate::subject);
    case Operator::downstream_peer_issuer: return peer_value(record, Kind::text, &PeerCertificate::issuer);
    case Operator::downstream_peer_serial: return peer_value(record, Kind::word, &PeerCertificate::serial);
    case Operator::downstream_peer_fingerprint_256:
      return peer_value(record, Kind::word, &PeerCertificate::fingerprint_256);
    case Operator::downstream_peer_fingerprint_1:
      return peer_value(record, Kind::word, &PeerCertificate::fingerprint_1);
    case Operator::downstream_peer_uri_san: return peer_value(record, Kind::text, &PeerCertificate::uri_sans);
    case Operator::downstream_peer_dns_san: return peer_value(record, Kind::text, &PeerCertificate::dns_sans);
    case Operator::downstream_peer_ip_san: return peer_value(record, Kind::text, &PeerCertificate::ip_sans);
    case Operator::downstream_peer_email_san: return peer_value(record, Kind::text, &PeerCertificate::email_sans);
    case Operator::downstream_peer_cert: return peer_value(record, Kind::word, &PeerCertificate::url_encoded_pem);
    case Operator::downstream_peer_cert_v_start: return peer_time(part, record, &PeerCertificate::not_before, room);
    case Operator::downstream_peer_cert_v_end: return peer_time(part, record, &PeerCertificate::not_after, room);
  }
  UNREACHABLE();
}

}  // namespace sluice::observe

// The fields that have a meaning for a proxy, told apart by length and one fixed-size comparison: a
// request asks this about each of its fields several times.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace sluice::http {

enum class KnownField : uint8_t {
  other,
  connection,
  content_length,
  date,
  expect,
  host,
  http2_settings,
  keep_alive,
  proxy_authorization,
  proxy_connection,
  server,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  x_envoy,  // every x-envoy-*
  x_forwarded_client_cert,
  x_forwarded_for,
  x_forwarded_proto,
  x_request_id,
};

// `name` is lower case.
[[nodiscard]] inline KnownField known_field(std::string_view name) noexcept {
  const auto is = [name]<size_t size>(const char(&text)[size]) noexcept {
    return std::memcmp(name.data(), text, size - 1) == 0;
  };
  switch (name.size()) {
    case 2:
      if (is("te")) return KnownField::te;
      break;
    case 4:
      if (is("host")) return KnownField::host;
      if (is("date")) return KnownField::date;
      break;
    case 6:
      if (is("expect")) return KnownField::expect;
      if (is("server")) return KnownField::server;
      break;
    case 7:
      if (is("trailer")) return KnownField::trailer;
      if (is("upgrade")) return KnownField::upgrade;
      break;
    case 10:
      if (is("connection")) return KnownField::connection;
      if (is("keep-alive")) return KnownField::keep_alive;
      break;
    case 12:
      if (is("x-request-id")) return KnownField::x_request_id;
      break;
    case 14:
      if (is("content-length")) return KnownField::content_length;
      if (is("http2-settings")) return KnownField::http2_settings;
      break;
    case 15:
      if (is("x-forwarded-for")) return KnownField::x_forwarded_for;
      break;
    case 16:
      if (is("proxy-connection")) return KnownField::proxy_connection;
      break;
    case 17:
      if (is("transfer-encoding")) return KnownField::transfer_encoding;
      if (is("x-forwarded-proto")) return KnownField::x_forwarded_proto;
      break;
    case 19:
      if (is("proxy-authorization")) return KnownField::proxy_authorization;
      break;
    case 23:
      if (is("x-forwarded-client-cert")) return KnownField::x_forwarded_client_cert;
      break;
    default: break;
  }
  return name.size() > 8 && is("x-envoy-") ? KnownField::x_envoy : KnownField::other;
}

// Fields about one connection, not about the message (RFC 9110 7.6.1), and those that frame it: the
// writers make their own.
[[nodiscard]] constexpr bool is_hop_by_hop(KnownField field) noexcept {
  switch (field) {
    case KnownField::connection:
    case KnownField::content_length:
    case KnownField::expect:
    case KnownField::http2_settings:
    case KnownField::keep_alive:
    case KnownField::proxy_connection:
    case KnownField::te:
    case KnownField::trailer:
    case KnownField::transfer_encoding:
    case KnownField::upgrade: return true;
    default: return false;
  }
}

// Request fields by which the inside tells what it knows of the client: nothing from outside may set
// them.
[[nodiscard]] constexpr bool is_set_by_the_edge(KnownField field) noexcept {
  switch (field) {
    case KnownField::x_envoy:
    case KnownField::x_forwarded_client_cert:
    case KnownField::x_forwarded_for:
    case KnownField::x_forwarded_proto:
    case KnownField::x_request_id: return true;
    default: return false;
  }
}

}  // namespace sluice::http

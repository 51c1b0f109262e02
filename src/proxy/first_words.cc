#include "proxy/first_words.h"

#include "base/arena.h"
#include "base/limits.h"
#include "http/http1_reader.h"
#include "http/message_rules.h"

namespace sluice::proxy {

namespace {

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t preface_told_at = 4;  // no method begins so

// Whether this is a method and a space. Whatever cannot become one is not waited for: its client may wait for an
// answer.
FirstWords look_for_method(std::string_view text) {
  // Servers skip blank lines before a request (RFC 9112 2.2).
  const size_t begin = text.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return FirstWords::need_more;
  text = text.substr(begin);
  const std::string_view beginning = text.substr(0, http2_preface.size());
  if (http2_preface.starts_with(beginning))
    return beginning.size() < preface_told_at ? FirstWords::need_more : FirstWords::http;
  const size_t end = text.find(' ');
  if (end == std::string_view::npos) return http::begins_known_method(text) ? FirstWords::need_more : FirstWords::other;
  return http::known_method(text.substr(0, end)).empty() ? FirstWords::other : FirstWords::http;
}

// RTSP, SIP and ICAP have methods of HTTP's names: the version at the end of the line tells.
FirstWords look_for_request_line(std::string_view text) {
  const FirstWords method = look_for_method(text);
  if (method != FirstWords::http) return method;
  text = text.substr(text.find_first_not_of("\r\n"));
  if (text.starts_with("PRI ")) return FirstWords::http;
  const std::string_view line = text.substr(0, text.find('\n'));
  if (line.size() == text.size())
    return text.size() > limits::target_bytes_max ? FirstWords::http : FirstWords::need_more;
  return line.contains(" HTTP/") ? FirstWords::http : FirstWords::other;
}

TunnelHost compare(std::string_view said, std::string_view host) {
  return said.empty() || said == host ? TunnelHost::same : TunnelHost::other;
}

TunnelHost compare_request(ConstBytes bytes, std::string_view host) {
  if (as_text(bytes).starts_with("PRI ")) return TunnelHost::same;  // the host of HTTP/2 is compressed
  Arena arena(limits::exchange_arena_bytes_max);
  http::RequestHead head(arena);
  http::Http1Reader reader(http::Http1Reader::Role::requests);
  reader.begin_request(head);
  switch (reader.read_head(bytes).progress) {
    case http::Progress::done: return compare(head.host, host);
    case http::Progress::failed: return TunnelHost::other;
    case http::Progress::more: break;
  }
  return bytes.size() >= limits::client_hello_bytes_max ? TunnelHost::other : TunnelHost::need_more;
}

TunnelHost look_for_host(ConstBytes bytes, std::string_view host) {
  if (bytes.empty()) return TunnelHost::need_more;
  tls::ClientHello hello;
  switch (tls::read_client_hello(bytes, hello)) {
    case tls::HelloStatus::complete: return compare(hello.server_name, host);
    case tls::HelloStatus::need_more: return TunnelHost::need_more;
    case tls::HelloStatus::malformed: return TunnelHost::other;
    case tls::HelloStatus::not_tls: break;
  }
  switch (look_for_method(as_text(bytes))) {
    case FirstWords::need_more: return TunnelHost::need_more;
    case FirstWords::http: return compare_request(bytes, host);
    case FirstWords::client_hello:
    case FirstWords::other: break;
  }
  return TunnelHost::same;
}

}  // namespace

FirstWords first_words(ConstBytes bytes, tls::ClientHello& hello) {
  if (bytes.empty()) return FirstWords::need_more;
  switch (tls::read_client_hello(bytes, hello)) {
    case tls::HelloStatus::complete: return FirstWords::client_hello;
    case tls::HelloStatus::need_more: return FirstWords::need_more;
    case tls::HelloStatus::malformed: return FirstWords::other;
    case tls::HelloStatus::not_tls: break;
  }
  return look_for_request_line(as_text(bytes));
}

TunnelHost tunnel_host(ConstBytes first, bool is_all, std::string_view host) {
  if (first.empty() && is_all) return TunnelHost::same;
  const TunnelHost seen = look_for_host(first, host);
  return seen == TunnelHost::need_more && is_all ? TunnelHost::other : seen;
}

}  // namespace sluice::proxy

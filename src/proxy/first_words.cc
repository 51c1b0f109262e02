#include "proxy/first_words.h"

#include "base/arena.h"
#include "base/limits.h"
#include "http/http1_reader.h"
#include "http/message_rules.h"

namespace sluice::proxy {

namespace {

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// A method that we know, and a space: no other protocol begins so. What is refused of a method that nobody knows would
// not be HTTP for us either. Whatever cannot become one is not waited for: its client may wait for an answer.
FirstWords look_for_method(std::string_view text) {
  const std::string_view beginning = text.substr(0, http2_preface.size());
  if (http2_preface.starts_with(beginning)) return beginning.size() < 4 ? FirstWords::need_more : FirstWords::http;
  const size_t end = text.find(' ');
  if (end == std::string_view::npos) return http::begins_known_method(text) ? FirstWords::need_more : FirstWords::other;
  return http::known_method(text.substr(0, end)).empty() ? FirstWords::other : FirstWords::http;
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

}  // namespace

FirstWords first_words(ConstBytes bytes, tls::ClientHello& hello) {
  if (bytes.empty()) return FirstWords::need_more;
  switch (tls::read_client_hello(bytes, hello)) {
    case tls::HelloStatus::complete: return FirstWords::client_hello;
    case tls::HelloStatus::need_more: return FirstWords::need_more;
    case tls::HelloStatus::malformed: return FirstWords::other;
    case tls::HelloStatus::not_tls: break;
  }
  return look_for_method(as_text(bytes));
}

TunnelHost tunnel_host(ConstBytes bytes, std::string_view host) {
  tls::ClientHello hello;
  switch (first_words(bytes, hello)) {
    case FirstWords::need_more: return TunnelHost::need_more;
    case FirstWords::client_hello: return compare(hello.server_name, host);
    case FirstWords::http: return compare_request(bytes, host);
    case FirstWords::other: break;
  }
  return hello.status == tls::HelloStatus::malformed ? TunnelHost::other : TunnelHost::same;
}

}  // namespace sluice::proxy

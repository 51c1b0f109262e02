// A request in any bytes: how it is cut into pieces does not matter, and what sluice would send upstream for it, over
// either version of HTTP, is read as the same request: by another parser over HTTP/2.
#include "base/check.h"
#include "http/http1_writer.h"
#include "http/hygiene.h"
#include "support/http2_ends.h"
#include "support/http_reading.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

using namespace sluice;
using test::HttpReading;

namespace {

// Which of two faults is met first may depend on the cut; that the message is refused may not.
bool are_alike(const HttpReading& a, const HttpReading& b) {
  if (a.error != http::ReadError::none && b.error != http::ReadError::none) return true;
  return a == b;
}

struct Request {
  explicit Request(std::string_view text) : reader(http::Http1Reader::Role::requests), arena(1 << 20), head(arena) {
    reader.begin_request(head);
    reading = test::read_message(reader, head, text, test::in_one_piece());
  }

  http::Http1Reader reader;
  Arena arena;
  http::RequestHead head;
  HttpReading reading;
};

std::string serialised(Request& request) {
  test::TextSink out;
  const http::MessageFraming framing{.body = request.head.framing,
                                     .content_length = request.head.content_length,
                                     .upgrade = request.head.wants_upgrade ? request.head.upgrade : std::string_view()};
  http::write_request_head(out.sink(), request.head.method, http::upstream_target(request.head), request.head.headers,
                           framing);
  const ConstBytes body = as_bytes(request.reading.body);
  if (framing.body == http::BodyFraming::chunked) {
    if (!body.empty()) http::write_chunk(out.sink(), body);
    http::write_last_chunk(out.sink(), &request.reader.trailers());
  } else {
    out.sink().append(body);
  }
  return out.text();
}

void check_that_upstream_reads_the_same(std::string_view text, const http::ForwardingFacts& facts) {
  Request request(text);
  if (http::prepare_request(request.head, facts) != http::Prepared::ok) return;
  Request again(serialised(request));
  switch (again.reading.error) {
    case http::ReadError::head_too_large:  // what was added, or encoded in the path, can exceed a bound
    case http::ReadError::target_too_long:
    case http::ReadError::too_many_headers: return;
    default: break;
  }
  CHECK(again.reading.is_accepted);
  CHECK(again.reading.rest.empty());
  CHECK(again.reading.body == request.reading.body);
  CHECK(again.reading.trailers == request.reading.trailers);
  CHECK(again.head.method == request.head.method);
  CHECK(again.head.path == request.head.path);
  CHECK(again.head.query == request.head.query && again.head.has_query == request.head.has_query);
  CHECK(again.head.host == request.head.host);
  CHECK(again.head.framing == request.head.framing);
  CHECK(again.head.wants_upgrade == request.head.wants_upgrade);
  const std::string path(again.head.path);
  CHECK(http::prepare_request(again.head, facts) == http::Prepared::ok);
  CHECK(again.head.path == path);
}

void check_that_upstream_of_http2_reads_the_same(std::string_view text, const http::ForwardingFacts& facts) {
  Request request(text);
  if (request.head.method == "CONNECT" || request.head.authority.empty()) return;  // not forwarded as they are
  if (http::prepare_request(request.head, facts) != http::Prepared::ok) return;
  const std::string_view target = http::upstream_target(request.head);
  const bool has_content = request.head.has_content();
  test::Http2Pair pair;
  test::Http2End::Message& sent = pair.client.add_message();
  sent.stream.expect_response(sent.response);
  sent.stream.send_request(request.head.method, "https", request.head.authority, target, request.head.headers,
                           {.body = request.head.framing, .content_length = request.head.content_length}, !has_content);
  if (has_content) {
    sent.stream.write(as_bytes(request.reading.body));
    sent.stream.finish(&request.reader.trailers());
  }
  pair.run();
  CHECK(!pair.client_broke && !pair.server_broke);
  CHECK(!pair.server.messages.empty());
  test::Http2End::Message& again = pair.server.last();
  switch (again.stream.error()) {
    case http::ReadError::head_too_large:
    case http::ReadError::target_too_long:
    case http::ReadError::too_many_headers: return;
    default: break;
  }
  CHECK(again.stream.head_progress() == http::Progress::done && !again.stream.is_lost());
  std::string body;
  while (!again.stream.content().empty()) {
    body += again.read();
    pair.run();
  }
  CHECK(again.stream.is_content_done());
  CHECK(body == request.reading.body);
  CHECK(test::fields_text(again.stream.trailers()) == request.reading.trailers);
  CHECK(again.request.method == request.head.method);
  CHECK(again.request.path == request.head.path);
  CHECK(again.request.query == request.head.query && again.request.has_query == request.head.has_query);
  CHECK(again.request.host == request.head.host);
  CHECK(!again.request.wants_upgrade);
  CHECK(has_content == again.request.has_content() || request.reading.body.empty());
  for (const auto& [name, value] : again.request.headers) {
    if (name != "content-length" && name != "cookie" && name != "host")
      CHECK(request.head.headers.find(name).has_value());
  }
  CHECK(again.request.headers.find("x-forwarded-for") == request.head.headers.find("x-forwarded-for"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const HttpReading whole = test::read_request(text);
  CHECK(are_alike(whole, test::read_request(text, test::byte_by_byte())));
  CHECK(are_alike(whole, test::read_request(text, test::at_random(size))));
  if (!whole.is_accepted) return 0;
  const SocketAddress peer{.ip = {192, 0, 2, 1}, .port = 1};
  check_that_upstream_reads_the_same(text, {.peer = peer, .is_tls = true});
  check_that_upstream_of_http2_reads_the_same(text, {.peer = peer, .is_tls = true});
  check_that_upstream_reads_the_same(
      text, {.peer = peer, .client_certificate = "Hash=1", .keeps_client_certificates = true, .trusted_proxies = 2});
  return 0;
}

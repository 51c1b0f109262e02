// A response in any bytes to a GET, HEAD or CONNECT (by the first byte): how it is cut into pieces does not
// matter, and what sluice would send to the client for it is read as the same response.
#include "base/check.h"
#include "http/http1_writer.h"
#include "http/hygiene.h"
#include "support/http_reading.h"

#include <cstddef>
#include <cstdint>
#include <string>

using namespace sluice;
using test::HttpReading;

namespace {

bool are_alike(const HttpReading& a, const HttpReading& b) {
  if (a.error != http::ReadError::none && b.error != http::ReadError::none) return true;
  return a == b;
}

struct Response {
  Response(std::string_view text, std::string_view method)
      : reader(http::Http1Reader::Role::responses), arena(1 << 20), head(arena) {
    reader.begin_response(head, method);
    reading = test::read_message(reader, head, text, test::in_one_piece());
  }

  http::Http1Reader reader;
  Arena arena;
  http::ResponseHead head;
  HttpReading reading;
};

std::string serialised(const Response& response) {
  test::TextSink out;
  const http::MessageFraming framing{.body = response.head.framing,
                                     .content_length = response.head.content_length,
                                     .show_content_length = response.head.has_content_length,
                                     .close = !response.head.keep_alive};
  http::write_response_head(out.sink(), response.head.status, response.head.reason, response.head.headers, framing);
  const ConstBytes body = as_bytes(response.reading.body);
  if (framing.body == http::BodyFraming::chunked) {
    if (!body.empty()) http::write_chunk(out.sink(), body);
    http::write_last_chunk(out.sink(), &response.reader.trailers());
  } else {
    out.sink().append(body);
  }
  return out.text();
}

void check_that_the_client_reads_the_same(std::string_view text, std::string_view method) {
  Response response(text, method);
  if (!http::prepare_response(response.head, {}, {})) return;
  Response again(serialised(response), method);
  if (again.reading.error == http::ReadError::head_too_large ||
      again.reading.error == http::ReadError::too_many_headers)
    return;
  CHECK(again.reading.is_accepted);
  CHECK(again.reading.rest.empty());
  CHECK(again.reading.body == response.reading.body);
  CHECK(again.reading.trailers == response.reading.trailers);
  CHECK(again.head.status == response.head.status);
  CHECK(again.head.framing == response.head.framing);
  CHECK(again.head.keep_alive == response.head.keep_alive);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  constexpr std::string_view methods[] = {"GET", "HEAD", "CONNECT"};
  const std::string_view method = methods[bytes[0] % 3];
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const HttpReading whole = test::read_response(text, method);
  CHECK(are_alike(whole, test::read_response(text, method, test::byte_by_byte())));
  CHECK(are_alike(whole, test::read_response(text, method, test::at_random(size))));
  if (whole.is_accepted) check_that_the_client_reads_the_same(text, method);
  return 0;
}

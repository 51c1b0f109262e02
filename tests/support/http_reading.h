// Reads one HTTP/1 message from bytes that arrive in pieces and says what was understood, as text: unit
// tests compare it with what they expect, fuzz targets compare two ways of cutting.
#pragma once

#include "base/byte_sink.h"
#include "base/limits.h"
#include "http/http1_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::test {

using namespace std::string_view_literals;

// How many bytes the next piece has; at least 1.
using Cut = std::function<size_t()>;

inline Cut in_one_piece() {
  return [] { return SIZE_MAX; };
}
inline Cut byte_by_byte() {
  return [] { return size_t{1}; };
}
inline Cut at_random(uint64_t seed) {
  return [seed]() mutable {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return static_cast<size_t>(1 + (seed >> 33) % 17);
  };
}

struct HttpReading {
  bool is_accepted = false;    // the message is complete
  bool is_incomplete = false;  // not an error: nothing but the end of the input is missing
  http::ReadError error = http::ReadError::none;
  std::string error_text;
  std::string head;     // every member of the head, one a line
  std::string summary;  // the head in one line, for tables
  std::string body;
  std::string trailers;  // "name: value" lines
  std::string rest;      // what was left in the input

  friend bool operator==(const HttpReading&, const HttpReading&) = default;
  friend std::ostream& operator<<(std::ostream& out, const HttpReading& reading) {
    return out << fmt::format("accepted {} incomplete {} error {} {}\n{}\nbody: {}\ntrailers: {}\nrest: {}\n",
                              reading.is_accepted, reading.is_incomplete, static_cast<int>(reading.error),
                              reading.error_text, reading.head, reading.body, reading.trailers, reading.rest);
  }
};

inline std::string fields_text(const http::HeaderList& fields) {
  std::string text;
  for (const auto& [name, value] : fields) text += fmt::format("{}: {}\n", name, value);
  return text;
}

inline std::string framing_text(http::BodyFraming framing, uint64_t content_length) {
  switch (framing) {
    case http::BodyFraming::none: return "none";
    case http::BodyFraming::content_length: return fmt::format("length={}", content_length);
    case http::BodyFraming::chunked: return "chunked";
    case http::BodyFraming::until_close: return "until_close";
  }
  return "?";
}

inline std::string_view version_text(http::Version version) {
  return version == http::Version::http_1_0 ? "1.0" : version == http::Version::http_1_1 ? "1.1" : "2";
}

inline void describe(const http::RequestHead& head, HttpReading& reading) {
  reading.summary = fmt::format("{} {} host={} {} {}{}{}{}", head.method, head.target, head.host,
                                version_text(head.version), framing_text(head.framing, head.content_length),
                                head.keep_alive ? " keep-alive" : "", head.expects_continue ? " continue" : "",
                                head.wants_upgrade ? fmt::format(" upgrade={}", head.upgrade) : "");
  reading.head = fmt::format("{}\npath {}\nquery {} {}\nauthority {}\n{}", reading.summary, head.path, head.has_query,
                             head.query, head.authority, fields_text(head.headers));
}

inline void describe(const http::ResponseHead& head, HttpReading& reading) {
  reading.summary = fmt::format("{} {} {} {}{}", head.status, head.reason, version_text(head.version),
                                framing_text(head.framing, head.content_length), head.keep_alive ? " keep-alive" : "");
  reading.head = fmt::format("{}\nlength {} {}\n{}", reading.summary, head.has_content_length, head.content_length,
                             fields_text(head.headers));
}

inline void append_body(void* body, ConstBytes content) { static_cast<std::string*>(body)->append(as_text(content)); }

// Feeds `input`, then the end of the input if the message is not complete.
template <typename Head>
HttpReading read_message(http::Http1Reader& reader, const Head& head, std::string_view input, const Cut& next_piece) {
  HttpReading reading;
  bool has_head = false;
  bool is_done = false;
  size_t at = 0;
  while (at < input.size() && !is_done && reader.error() == http::ReadError::none) {
    // A copy of exactly this size: the address sanitizer sees whoever reads beyond it.
    const std::string_view piece = input.substr(at, std::max<size_t>(next_piece(), 1));
    const std::vector<char> copy(piece.begin(), piece.end());
    ConstBytes bytes = as_bytes({copy.data(), copy.size()});
    while (!bytes.empty() && !is_done && reader.error() == http::ReadError::none) {
      const http::ReadStep step =
          has_head ? reader.read_body(bytes, {append_body, &reading.body}) : reader.read_head(bytes);
      at += step.consumed;
      bytes = bytes.subspan(step.consumed);
      if (step.progress == http::Progress::more && !bytes.empty())
        reading.error_text = "more, but not everything was consumed";
      if (step.progress == http::Progress::done && !has_head) {
        has_head = true;
        describe(head, reading);
        is_done = reader.is_body_done();
      } else if (step.progress == http::Progress::done) {
        is_done = true;
      }
    }
  }
  if (reader.error() == http::ReadError::none && !is_done) {
    const bool had_begun = has_head || reader.is_inside_head();
    is_done = reader.end_of_input() && had_begun;
    reading.is_incomplete = !is_done;
  }
  reading.error = reader.error();
  if (reading.error != http::ReadError::none) {
    HttpReading refused;
    refused.is_incomplete = reading.is_incomplete;
    refused.error = reading.error;
    refused.error_text = reader.error_text();
    return refused;
  }
  reading.is_accepted = is_done;
  if (is_done) reading.trailers = fields_text(reader.trailers());
  reading.rest = input.substr(at);
  return reading;
}

inline HttpReading read_request(std::string_view input, const Cut& next_piece = in_one_piece()) {
  Arena arena(limits::exchange_arena_bytes_max);
  http::RequestHead head(arena);
  http::Http1Reader reader(http::Http1Reader::Role::requests);
  reader.begin_request(head);
  return read_message(reader, head, input, next_piece);
}

inline HttpReading read_response(std::string_view input, std::string_view method = "GET",
                                 const Cut& next_piece = in_one_piece()) {
  Arena arena(limits::exchange_arena_bytes_max);
  http::ResponseHead head(arena);
  http::Http1Reader reader(http::Http1Reader::Role::responses);
  reader.begin_response(head, method);
  return read_message(reader, head, input, next_piece);
}

// Where writers write to.
class TextSink {
 public:
  [[nodiscard]] ByteSink sink() {
    return {[](void* owner, size_t at_least) {
              auto& self = *static_cast<TextSink*>(owner);
              self.room_.assign(at_least, '\0');  // exactly this much: overruns are seen
              return MutableBytes(reinterpret_cast<std::byte*>(self.room_.data()), self.room_.size());
            },
            [](void* owner, size_t used) {
              auto& self = *static_cast<TextSink*>(owner);
              self.text_.append(self.room_.data(), used);
            },
            this};
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::vector<char> room_;
  std::string text_;
};

}  // namespace sluice::test

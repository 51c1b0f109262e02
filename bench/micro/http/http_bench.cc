// What HTTP costs per request: reading heads, hygiene, routing, writing heads; a request of HTTP/2 to
// an upstream. Each benchmark reports
// time, calls of malloc and a checksum of what it made.
#include "fixed_sink.h"
#include "report.h"
#include "require.h"

#include "base/limits.h"
#include "base/random.h"
#include "http/http1_reader.h"
#include "http/http1_writer.h"
#include "http/http2_session.h"
#include "http/http2_stream.h"
#include "http/hygiene.h"
#include "route/choose_route.h"
#include "support/http2_ends.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {
namespace {

using bench::FixedSink;
using bench::Report;
using bench::require;

constexpr std::string_view request_text =
    "GET /api/v1/orders/4711?expand=items&limit=20 HTTP/1.1\r\n"
    "Host: shop.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Cookie: session=4f2a9c0e1b7d4e6f8a9b0c1d2e3f4a5b; theme=dark\r\n"
    "Referer: https://shop.example.com/orders\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: no-cache\r\n"
    "X-Forwarded-For: 203.0.113.9\r\n\r\n";

constexpr std::string_view small_request_text = "GET / HTTP/1.1\r\nHost: a.example.com\r\nUser-Agent: wrk\r\n\r\n";

constexpr std::string_view response_text =
    "HTTP/1.1 200 OK\r\n"
    "Server: nginx/1.22.1\r\n"
    "Date: Wed, 25 Nov 2026 10:15:04 GMT\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: 1234\r\n"
    "Connection: keep-alive\r\n"
    "ETag: \"6563b1a7-4d2\"\r\n"
    "Cache-Control: max-age=60, must-revalidate\r\n"
    "Vary: Accept-Encoding\r\n"
    "Strict-Transport-Security: max-age=31536000\r\n\r\n";

void read_request(benchmark::State& state, std::string_view text, size_t piece) {
  http::Http1Reader reader(http::Http1Reader::Role::requests);
  Arena arena(limits::exchange_arena_bytes_max);
  (void)arena.allocate(1);  // the first block, which every exchange keeps
  Report report(state);
  for (auto _ : state) {
    arena.reset();
    http::RequestHead head(arena);
    reader.begin_request(head);
    for (size_t at = 0; at < text.size(); at += piece) {
      require(reader.read_head(as_bytes(text.substr(at, piece))).progress != http::Progress::failed);
    }
    benchmark::DoNotOptimize(head);
    report.checksum += head.headers.size() + head.path.size();
  }
}
BENCHMARK_CAPTURE(read_request, small, small_request_text, SIZE_MAX);
BENCHMARK_CAPTURE(read_request, of_11_fields, request_text, SIZE_MAX);
BENCHMARK_CAPTURE(read_request, of_11_fields_in_two_pieces, request_text, request_text.size() / 2 + 1);

void read_response(benchmark::State& state) {
  http::Http1Reader reader(http::Http1Reader::Role::responses);
  Arena arena(limits::exchange_arena_bytes_max);
  (void)arena.allocate(1);
  Report report(state);
  for (auto _ : state) {
    arena.reset();
    http::ResponseHead head(arena);
    reader.begin_response(head, "GET");
    require(reader.read_head(as_bytes(response_text)).progress == http::Progress::done);
    reader.pass_by(reader.passable_bytes());
    benchmark::DoNotOptimize(head);
    report.checksum += head.headers.size() + head.content_length;
  }
}
BENCHMARK(read_response);

void read_chunks(benchmark::State& state) {
  std::string text;
  for (int i = 0; i < 16; ++i) text += fmt::format("1000\r\n{}\r\n", std::string(4096, 'x'));
  text += "0\r\n\r\n";
  http::Http1Reader reader(http::Http1Reader::Role::requests);
  Arena arena(limits::exchange_arena_bytes_max);
  (void)arena.allocate(1);
  Report report(state);
  for (auto _ : state) {
    arena.reset();
    http::RequestHead head(arena);
    reader.begin_request(head);
    require(reader.read_head(as_bytes("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")).progress ==
            http::Progress::done);
    const http::BodySink sink{[](void* owner, ConstBytes content) { *static_cast<uint64_t*>(owner) += content.size(); },
                              &report.checksum};
    require(reader.read_body(as_bytes(text), sink).progress == http::Progress::done);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(read_chunks);

// --- Heads that are prepared and written ------------------------------------------------------------

// The fields as read, put back before each iteration.
template <typename Head>
class Original {
 public:
  explicit Original(const Head& head) : fields_(head.headers.begin(), head.headers.end()), head_(head) {}

  [[nodiscard]] Head in(Arena& arena) const {
    Head head = head_;
    head.headers = http::HeaderList(arena);
    for (const auto& [name, value] : fields_) (void)head.headers.add(name, value);
    return head;
  }

 private:
  std::vector<http::HeaderField> fields_;
  Head head_;
};

http::RequestHead read_once(Arena& arena, std::string_view text) {
  http::Http1Reader reader(http::Http1Reader::Role::requests);
  http::RequestHead head(arena);
  reader.begin_request(head);
  (void)reader.read_head(as_bytes(text));
  return head;
}

http::ResponseHead read_response_once(Arena& arena) {
  http::Http1Reader reader(http::Http1Reader::Role::responses);
  http::ResponseHead head(arena);
  reader.begin_response(head, "GET");
  (void)reader.read_head(as_bytes(response_text));
  return head;
}

// Includes the copy of the list, which `copy_fields` shows alone.
void prepare_request(benchmark::State& state) {
  Arena source(limits::exchange_arena_bytes_max);
  const Original original(read_once(source, request_text));
  const http::ForwardingFacts facts{.peer = {.ip = {192, 0, 2, 123}}, .is_tls = true, .request_id = {1, 2}};
  Arena arena(limits::exchange_arena_bytes_max);
  (void)arena.allocate(1);
  Report report(state);
  for (auto _ : state) {
    arena.reset();
    http::RequestHead head = original.in(arena);
    require(http::prepare_request(head, facts) == http::Prepared::ok);
    report.checksum += head.headers.size() + http::upstream_target(head).size();
  }
}
BENCHMARK(prepare_request);

void copy_fields(benchmark::State& state) {
  Arena source(limits::exchange_arena_bytes_max);
  const Original original(read_once(source, request_text));
  Arena arena(limits::exchange_arena_bytes_max);
  Report report(state);
  for (auto _ : state) {
    arena.reset();
    http::RequestHead head = original.in(arena);
    benchmark::DoNotOptimize(head);
    report.checksum += head.headers.size();
  }
}
BENCHMARK(copy_fields);

void prepare_response(benchmark::State& state) {
  Arena source(limits::exchange_arena_bytes_max);
  const Original original(read_response_once(source));
  Arena arena(limits::exchange_arena_bytes_max);
  (void)arena.allocate(1);
  Report report(state);
  for (auto _ : state) {
    arena.reset();
    http::ResponseHead head = original.in(arena);
    require(http::prepare_response(head, std::chrono::milliseconds(7), {}));
    report.checksum += head.headers.size();
  }
}
BENCHMARK(prepare_response);

void write_request(benchmark::State& state) {
  Arena arena(limits::exchange_arena_bytes_max);
  http::RequestHead head = read_once(arena, request_text);
  require(http::prepare_request(head, {.peer = {.ip = {192, 0, 2, 123}}}) == http::Prepared::ok);
  FixedSink out;
  Report report(state);
  for (auto _ : state) {
    out.used = 0;
    http::write_request_head(out.sink(), head.method, head.target, head.headers, {.body = head.framing});
    benchmark::DoNotOptimize(out.memory.data());
    benchmark::ClobberMemory();
    report.checksum += out.used;
  }
}
BENCHMARK(write_request);

void write_response(benchmark::State& state) {
  Arena arena(limits::exchange_arena_bytes_max);
  http::ResponseHead head = read_response_once(arena);
  require(http::prepare_response(head, {}, {}));
  FixedSink out;
  Report report(state);
  for (auto _ : state) {
    out.used = 0;
    http::write_response_head(out.sink(), head.status, head.reason, head.headers,
                              {.body = head.framing, .content_length = head.content_length});
    benchmark::DoNotOptimize(out.memory.data());
    benchmark::ClobberMemory();
    report.checksum += out.used;
  }
}
BENCHMARK(write_response);

// A request of HTTP/2 to an upstream, and its response: fields as hygiene leaves them, each request with an id of its
// own, and fields of the response as nginx sends them, without indexing.
std::string response_block() {
  const auto field = [](std::string_view name, std::string_view value) {
    const auto pointer = [](std::string_view text) {
      return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
    };
    return nghttp2_nv{pointer(name), pointer(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NO_INDEX};
  };
  const std::vector<nghttp2_nv> fields = {field(":status", "200"),
                                          field("server", "nginx/1.22.1"),
                                          field("date", "Wed, 25 Nov 2026 10:15:04 GMT"),
                                          field("content-type", "application/json; charset=utf-8"),
                                          field("last-modified", "Tue, 24 Nov 2026 08:00:00 GMT"),
                                          field("etag", "\"6563b1a7-4d2\""),
                                          field("accept-ranges", "bytes")};
  nghttp2_hd_deflater* deflater = nullptr;
  std::string block(1024, '\0');
  require(nghttp2_hd_deflate_new(&deflater, 4096) == 0);
  const ssize_t size = nghttp2_hd_deflate_hd(deflater, reinterpret_cast<uint8_t*>(block.data()), block.size(),
                                             fields.data(), fields.size());
  nghttp2_hd_deflate_del(deflater);
  block.resize(static_cast<size_t>(size));
  return block;
}

void ask_http2(benchmark::State& state) {
  const auto content_size = static_cast<size_t>(state.range(0));
  const std::string block = response_block();
  const std::string content(8192, 'x');
  Random random(1);
  uint64_t received = 0;
  FixedSink out;
  Arena first(limits::exchange_arena_bytes_max);
  http::RequestHead head = read_once(first, request_text);
  require(http::prepare_request(head, {.peer = {.ip = {192, 0, 2, 123}}}) == http::Prepared::ok);

  http::Http2Session session(http::Http2Session::Role::client, out.sink(),
                             http::Http2Session::Owner{.on_request = nullptr,
                                                       .on_stream_change =
                                                           [](void* owner, http::Http2Stream& stream) {
                                                             *static_cast<uint64_t*>(owner) += stream.content().size();
                                                             stream.consume(stream.content().size());
                                                           },
                                                       .owner = &received});
  require(session.receive(as_bytes(test::server_preface())));
  uint32_t id = 1;
  std::string answer;
  Report report(state);
  for (auto _ : state) {
    Arena arena(limits::exchange_arena_bytes_max);
    http::ResponseHead response(arena);
    char request_id[] = "01234567-89ab-4def-bedc-ba9876543210";
    for (char& digit : request_id) {
      if (digit != '-' && digit != '\0') digit = static_cast<char>('a' + random.next() % 6);
    }
    require(head.headers.set("x-request-id", request_id));
    http::Http2Stream stream(session);
    stream.expect_response(response);
    out.used = 0;
    stream.send_request(head.method, "https", head.authority, head.target, head.headers, {}, true);
    answer =
        test::frame(test::Frame::headers, test::end_headers | (content_size == 0 ? test::end_stream : 0), id, block);
    for (size_t left = content_size; left > 0;) {
      const size_t size = std::min(left, content.size());
      left -= size;
      answer += test::frame(test::Frame::data, left == 0 ? test::end_stream : 0, id, content.substr(0, size));
    }
    require(session.receive(as_bytes(answer)) && response.status == 200);
    session.tell_changes();
    report.checksum += out.used;
    id += 2;
  }
  require(received == content_size * static_cast<size_t>(state.iterations()));
}
BENCHMARK(ask_http2)->Arg(0)->Arg(13)->Arg(10'240);

// --- Paths and routes ------------------------------------------------------------------------------

void normalize(benchmark::State& state, std::string_view target) {
  Arena source(limits::exchange_arena_bytes_max);
  const Original original(read_once(source, fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target)));
  Arena arena(limits::exchange_arena_bytes_max);
  (void)arena.allocate(1);
  Report report(state);
  for (auto _ : state) {
    arena.reset();
    http::RequestHead head = original.in(arena);
    require(http::prepare_request(head, {}) == http::Prepared::ok);
    report.checksum += head.path.size();
  }
}
BENCHMARK_CAPTURE(normalize, with_dots_and_encodings, "/a/b/../%7Euser/./%41/c/d");

void choose_route(benchmark::State& state) {
  const auto host_count = static_cast<uint32_t>(state.range(0));
  snapshot::Snapshot tables;
  snapshot::RouteTable& table = tables.route_tables.emplace_back();
  for (uint32_t i = 0; i < host_count; ++i) {
    const std::string pattern = i == 0 ? "*.example.com" : fmt::format("host-{}.example.com", i);
    (void)table.hosts.add(pattern, i);
    std::vector<snapshot::RequestMatch> matches;
    for (const char* prefix : {"/healthz", "/static/", "/api/v2/", "/api/v1/"}) {
      matches.push_back({.path = {snapshot::TextMatch::Kind::prefix, false, prefix},
                         .route = static_cast<uint32_t>(tables.routes.size())});
      snapshot::Route& route = tables.routes.emplace_back();
      route.destinations = {{0, 20}, {1, 80}};
      route.total_weight = 100;
    }
    table.virtual_hosts.push_back({.pattern = pattern, .route_list = i});
    tables.route_lists.emplace_back(std::move(matches));
  }
  Arena arena(1024);
  http::RequestHead head(arena);
  head.host = "shop.example.com";
  head.path = "/api/v1/orders/4711";
  Random random(1);
  Report report(state);
  for (auto _ : state) {
    const route::Decision decision = route::choose_route(tables, table, head, random.next());
    require(decision.outcome == route::Outcome::forward);
    report.checksum += decision.destination->cluster;
  }
}
BENCHMARK(choose_route)->Arg(1)->Arg(1000);

void write_date(benchmark::State& state) {
  WallTime now{};
  Report report(state);
  for (auto _ : state) {
    now += std::chrono::seconds(1);  // each time another one: no cache
    report.checksum += static_cast<uint64_t>(http::http_date(now)[24]);
  }
}
BENCHMARK(write_date);

}  // namespace
}  // namespace sluice

BENCHMARK_MAIN();

#include "sim/plan.h"

#include "base/random.h"
#include "client_hello.h"

#include <algorithm>

namespace sluice::sim {

namespace {

using namespace std::chrono_literals;
using Fault = ResponsePlan::Fault;
using Manners = ClientPlan::Manners;

// Draws plans. Numbers in `chance` are thousandths.
class Planner {
 public:
  explicit Planner(uint64_t seed) : random_(seed * 0x2545f4914f6cdd1d + 7) {}

  RunPlan run();

 private:
  bool chance(unsigned thousandths) { return random_.below(1000) < thousandths; }
  size_t between(size_t least, size_t most) { return least + random_.below(static_cast<uint32_t>(most - least + 1)); }
  Duration up_to(Duration most) {
    return Duration(static_cast<int64_t>(random_.next() % static_cast<uint64_t>(most.count() + 1)));
  }
  template <typename T, size_t kCount>
  T one_of(const T (&choices)[kCount]) {
    return choices[random_.below(kCount)];
  }

  Weather weather();
  Pace pace();
  size_t body_size();
  ClientPlan client();
  RequestPlan request();
  ResponsePlan response(const RequestPlan& request);
  void add_faults(RequestPlan& request);
  void add_tunnel(RequestPlan& request);
  ClientPlan http2_client();
  Http2Plan http2();
  RequestPlan http2_request();
  void add_http2_faults(ClientPlan& client);
  StreamPlan stream();

  Random random_;
  bool is_calm_ = false;
  bool has_tls_ = false;
  uint64_t next_id_ = 1;
};

Weather Planner::weather() {
  Weather weather;
  if (chance(200)) {  // a fine day
    weather.short_transfer = weather.multishot_ends = weather.no_buffers = weather.delayed_completion =
        weather.late_start = weather.spurious = 0;
  } else if (chance(200)) {
    weather.short_transfer = 700;
    weather.multishot_ends = 200;
    weather.no_buffers = 100;
    weather.spurious = 60;
  }
  weather.latency_max = one_of<Duration>({20us, 500us, 2ms});
  weather.socket_buffer_max = one_of<size_t>({2'000, 16 * 1024, 64 * 1024, 256 * 1024});
  weather.nonblocking_is_nowait = chance(500);
  weather.queue_entries = one_of<unsigned>({1, 2, 8, 64});
  if (!is_calm_) weather.descriptors_out = one_of<unsigned>({0, 0, 20, 100});
  return weather;
}

Pace Planner::pace() {
  switch (random_.below(4)) {
    case 0: return {.piece_max = between(200, 4'000), .pause_chance = 300, .pause_max = 3ms};
    case 1: return {.piece_max = 16 * 1024, .pause_chance = 50, .pause_max = 40ms};
    default: return {};
  }
}

size_t Planner::body_size() {
  switch (random_.below(16)) {
    case 0: return 0;
    case 1: return between(1, 20);
    case 2:
    case 3: return between(4'000, 9'000);
    case 4: return between(15'000, 70'000);
    case 5: return chance(900) ? between(65'000, 300'000) : between(300'000, 2'500'000);
    case 6: return one_of<size_t>({4'096, 16'384, 65'535, 65'536, 65'537, 131'072});
    default: return between(1, 3'000);
  }
}

ResponsePlan Planner::response(const RequestPlan& request) {
  ResponsePlan response;
  response.status = chance(850) ? 200 : one_of<unsigned>({201, 204, 304, 404, 500, 503});
  response.framing = chance(550)   ? ResponsePlan::Framing::length
                     : chance(700) ? ResponsePlan::Framing::chunked
                                   : ResponsePlan::Framing::until_close;
  response.size = body_size();
  if (chance(80)) response.informational = static_cast<unsigned>(between(1, 3));
  response.says_close = chance(60);
  response.has_trailers = chance(100);
  if (chance(200)) response.delay = chance(900) ? up_to(5ms) : up_to(1500ms);
  if (request.body != RequestPlan::Body::none && !is_calm_ && chance(250)) {
    response.when = chance(500) ? ResponsePlan::When::with_head : ResponsePlan::When::within_body;
  }
  return response;
}

void Planner::add_tunnel(RequestPlan& request) {
  request.is_upgrade = true;
  request.body = RequestPlan::Body::none;
  request.body_size = 0;
  request.expects_continue = false;
  request.method = "GET";
  request.upgrade_is_refused = chance(150) || request.place == Place::shared;  // it does not get that far
  request.tunnel_up = body_size();
  request.tunnel_down = body_size();
  if (is_calm_) return;
  request.tunnel_reset_by_client = chance(100);
  request.tunnel_reset_by_upstream = chance(100);
}

RequestPlan Planner::request() {
  RequestPlan request;
  request.id = next_id_++;
  request.method = one_of<const char*>({"GET", "GET", "GET", "HEAD", "POST", "POST", "PUT"});
  request.place = one_of<Place>({Place::one, Place::one, Place::one, Place::several, Place::weighted, Place::shared,
                                 Place::shared, Place::timed, Place::retried, Place::retried, Place::faulty});
  if (chance(60))
    request.place = one_of<Place>({Place::dead, Place::nowhere, Place::unknown, Place::redirected, Place::direct});
  if (request.method == "POST" || request.method == "PUT") {
    request.body = chance(600) ? RequestPlan::Body::length : RequestPlan::Body::chunked;
    request.body_size = body_size();
    request.expects_continue = chance(150);
  }
  if (chance(80)) {
    request.is_http_1_0 = true;
    request.keep_alive = chance(500);
    request.expects_continue = false;
    if (request.body == RequestPlan::Body::chunked) request.body = RequestPlan::Body::length;
  } else {
    request.keep_alive = chance(930);
    if (chance(70)) add_tunnel(request);
  }
  request.response = response(request);
  if (is_calm_ && (request.place == Place::timed || request.place == Place::retried)) {  // well within its timeout
    request.body_size = std::min<size_t>(request.body_size, 9'000);
    request.response.size = std::min<size_t>(request.response.size, 9'000);
  }
  if (!is_calm_) add_faults(request);
  return request;
}

void Planner::add_faults(RequestPlan& request) {
  ResponsePlan& response = request.response;
  if (chance(120)) {
    response.fault = one_of<Fault>({Fault::end_early, Fault::reset_early, Fault::no_answer, Fault::no_reading,
                                    Fault::close_before, Fault::garbage});
    response.fault_at = between(0, response.size);
    // An end that is the body's own end is no fault.
    if (response.fault == Fault::end_early && response.framing == ResponsePlan::Framing::until_close)
      response.fault = Fault::reset_early;
  }
  if (chance(120)) {
    using enum ResponsePlan::Afterwards;
    response.afterwards = one_of<ResponsePlan::Afterwards>({close, close_later, close_later, reset_later, surplus});
  }
  if (chance(80)) {
    request.leave = one_of<RequestPlan::Leave>(
        {RequestPlan::Leave::close, RequestPlan::Leave::reset, RequestPlan::Leave::half_close});
    request.leaves_while_sending = request.body_size > 0 && chance(500);
    request.leave_at = between(0, request.leaves_while_sending ? request.body_size : response.size);
  }
}

ClientPlan Planner::client() {
  ClientPlan client;
  client.writing = pace();
  client.reading = pace();
  client.start = up_to(30ms);
  client.ending = one_of<ClientPlan::Ending>(
      {ClientPlan::Ending::close, ClientPlan::Ending::close, ClientPlan::Ending::reset, ClientPlan::Ending::wait});
  const size_t count = between(1, 10);
  for (size_t i = 0; i < count; ++i) client.requests.push_back(request());
  client.is_pipelined = chance(250);
  client.is_tls = has_tls_ && chance(500);
  // Only what came without TLS is redirected; the host has no routes.
  for (RequestPlan& request : client.requests) {
    if (client.is_tls && request.place == Place::redirected) request.place = Place::unknown;
  }
  if (!is_calm_ && chance(100)) {
    client.manners = one_of<Manners>(
        {Manners::silent, Manners::slow_head, Manners::garbage, Manners::stops_reading, Manners::stops_sending});
  }
  // Somebody who waits for what will never come loses patience.
  const bool is_hopeless = std::ranges::any_of(client.requests, [](const RequestPlan& request) {
    return request.response.fault == Fault::no_answer || request.response.fault == Fault::no_reading;
  });
  if (is_hopeless) client.patience = 500ms + up_to(60s);
  return client;
}

Http2Plan Planner::http2() {
  Http2Plan plan;
  plan.streams_max = chance(100) ? 1 : between(2, 20);
  plan.awaits_settings = chance(300);
  plan.minds_windows = chance(800);
  if (chance(300)) plan.first_window = chance(300) ? 0 : static_cast<uint32_t>(between(1, 20'000));
  plan.is_tight = chance(300);
  plan.opening_pause = one_of<Duration>({1ms, 20ms});
  if (chance(300)) plan.hold_chance = 20;
  plan.hold_max = is_calm_ ? 300ms : one_of<Duration>({50ms, 1s, 1s, 100s});
  if (chance(400)) plan.pings_max = between(1, 10);
  if (chance(200)) plan.goodbye_after = between(1, 10);
  return plan;
}

RequestPlan Planner::http2_request() {
  RequestPlan request = this->request();
  request.is_http_1_0 = request.is_upgrade = request.upgrade_is_refused = false;
  request.keep_alive = true;
  request.tunnel_up = request.tunnel_down = 0;
  request.tunnel_reset_by_client = request.tunnel_reset_by_upstream = false;
  request.has_trailers = request.body == RequestPlan::Body::chunked && chance(400);
  if (request.leave != RequestPlan::Leave::stay && chance(700)) request.leave = RequestPlan::Leave::cancel;
  return request;
}

// Its own only: those of others are not to suffer, not even in calm weather.
void Planner::add_http2_faults(ClientPlan& client) {
  using Lie = RequestPlan::Lie;
  for (RequestPlan& request : client.requests) {
    if (chance(60)) {
      const bool has_length = request.body == RequestPlan::Body::length && request.body_size > 1;
      request.lie = has_length ? one_of<Lie>({Lie::less_content, Lie::more_content, Lie::bad_field}) : Lie::bad_field;
    } else if (request.leave == RequestPlan::Leave::stay && chance(150)) {
      request.leave = chance(900) ? RequestPlan::Leave::cancel : RequestPlan::Leave::close;
      request.leaves_while_sending = request.body_size > 0 && chance(500);
      request.leave_at = between(0, request.leaves_while_sending ? request.body_size : request.response.size);
    }
  }
  if (chance(250)) {
    client.manners =
        one_of<Manners>({Manners::silent, Manners::slow_head, Manners::garbage, Manners::stops_reading,
                         Manners::stops_sending, Manners::breaks_rules, Manners::breaks_rules, Manners::breaks_rules});
  }
}

ClientPlan Planner::http2_client() {
  ClientPlan client;
  client.http2 = http2();
  client.writing = pace();
  client.reading = pace();
  client.start = up_to(30ms);
  client.ending = one_of<ClientPlan::Ending>(
      {ClientPlan::Ending::close, ClientPlan::Ending::close, ClientPlan::Ending::reset, ClientPlan::Ending::wait});
  client.is_tls = has_tls_ && chance(500);
  const size_t count = chance(200) ? between(10, 40) : between(1, 10);
  for (size_t i = 0; i < count; ++i) client.requests.push_back(http2_request());
  if (chance(100)) {
    client.reading = {.piece_max = 4'000, .pause_chance = 1000, .pause_max = 100ms};
    // One answer that takes the connection for longer than a stream may stand still; others must go on beside it.
    if (chance(500)) client.requests.front().response.size = between(6'000'000, 9'000'000);
  }
  size_t bytes_up = 0;
  for (RequestPlan& request : client.requests) {
    bytes_up += request.body_size;
    if (client.is_tls && request.place == Place::redirected) request.place = Place::unknown;
    // Streams share what the connection carries: in calm weather all of it is well within a request's timeout, or none
    // of them has one.
    if (is_calm_ && (request.place == Place::timed || request.place == Place::retried)) request.place = Place::several;
  }
  if (bytes_up < 10'000 && chance(200)) client.writing.piece_max = between(1, 20);
  if (chance(is_calm_ ? 300 : 500)) add_http2_faults(client);
  const bool is_hopeless = std::ranges::any_of(client.requests, [](const RequestPlan& request) {
    return request.response.fault == Fault::no_answer || request.response.fault == Fault::no_reading;
  });
  if (is_hopeless) client.patience = 500ms + up_to(50s);
  return client;
}

StreamPlan Planner::stream() {
  using Way = StreamPlan::Way;
  StreamPlan stream;
  stream.id = next_id_++;
  stream.way = one_of<Way>({Way::tcp, Way::passthrough, has_tls_ ? Way::terminated : Way::tcp});
  if (chance(500)) stream.hello_padding = between(1, 12'000);
  stream.up = body_size();
  stream.down = body_size();
  stream.writing = pace();
  stream.reading = pace();
  stream.start = up_to(30ms);
  if (is_calm_) return stream;
  stream.reset_by_client = chance(100);
  stream.reset_by_upstream = chance(100);
  return stream;
}

RunPlan Planner::run() {
  RunPlan plan;
  plan.is_calm = is_calm_ = chance(250);
  has_tls_ = chance(80);  // handshakes cost real time
  plan.weather = weather();
  plan.upstream_reading = pace();
  plan.upstream_writing = pace();
  const size_t clients = has_tls_ || chance(700) ? between(1, 8) : between(9, 32);
  for (size_t i = 0; i < clients; ++i) plan.clients.push_back(client());
  const size_t http2_clients = chance(500) ? between(1, 5) : 0;
  for (size_t i = 0; i < http2_clients; ++i) plan.clients.push_back(http2_client());
  plan.receive_buffers_max = one_of<unsigned>({256, 256, 256, 64, 8});
  plan.logs_requests = chance(300);
  if (chance(300)) plan.reload_at = up_to(60ms);
  if (!is_calm_ && chance(150)) plan.drain_at = up_to(80ms);
  if (!is_calm_ && chance(100)) plan.stop_at = up_to(100ms);
  const size_t streams = chance(400) ? between(1, 6) : 0;
  for (size_t i = 0; i < streams; ++i) plan.streams.push_back(stream());
  return plan;
}

}  // namespace

const char* name_of(Place place) {
  switch (place) {
    case Place::one: return "one";
    case Place::several: return "several";
    case Place::weighted: return "weighted";
    case Place::shared: return "shared";
    case Place::timed: return "timed";
    case Place::retried: return "retried";
    case Place::faulty: return "faulty";
    case Place::direct: return "direct";
    case Place::dead: return "dead";
    case Place::nowhere: return "nowhere";
    case Place::unknown: return "unknown";
    case Place::redirected: return "redirected";
  }
  return "?";
}

RequestPlan* RunPlan::find(uint64_t id) {
  for (ClientPlan& client : clients) {
    for (RequestPlan& request : client.requests) {
      if (request.id == id) return &request;
    }
  }
  return nullptr;
}

StreamPlan* RunPlan::find_stream(uint64_t id) {
  const auto found = std::ranges::find(streams, id, &StreamPlan::id);
  return found == streams.end() ? nullptr : &*found;
}

std::string StreamPlan::opening() const {
  if (way != Way::passthrough) return fmt::format("{:016x}", id);
  return client_hello(fmt::format("s{}.pass.test", id), hello_padding);
}

RunPlan make_plan(uint64_t seed) { return Planner(seed).run(); }

}  // namespace sluice::sim

// Everything that the scripts of one run will do, drawn from the seed before it begins: what each client
// asks for and how it behaves, and what the upstream makes of each request.
#pragma once

#include "base/durations.h"
#include "base/limits.h"
#include "sim/talker.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::sim {

// Where a request's path leads (the snapshot is in gateway.cc).
enum class Place : uint8_t {
  one,         // "/one/": a cluster of one endpoint
  several,     // "/several/": a cluster of three
  weighted,    // "/weighted/": two clusters, 3 to 1
  shared,      // "/shared/": a cluster of two that speak HTTP/2
  timed,       // "/timed/": a route with a timeout
  retried,     // "/retried/": as several, with a policy of retries, and mirrors
  faulty,      // "/faulty/": injected delays and errors, else as one
  direct,      // "/direct/": a response of the route
  dead,        // "/dead/": nobody answers there
  nowhere,     // "/nowhere/": a cluster without endpoints
  unknown,     // "/unknown/": no route
  redirected,  // a host that is redirected to https
};
[[nodiscard]] const char* name_of(Place place);

struct ResponsePlan {
  enum class Framing : uint8_t { length, chunked, until_close };
  enum class When : uint8_t { after_request, with_head, within_body };
  enum class Fault : uint8_t {
    none,
    end_early,     // FIN in mid-response
    reset_early,   // RST in mid-response
    no_answer,     // reads, and never says anything
    no_reading,    // does not even read the body
    close_before,  // ends without a word when it has read the head
    garbage,       // what it says is no HTTP
  };
  unsigned status = 200;
  Framing framing = Framing::length;
  size_t size = 0;
  unsigned informational = 0;  // 103s before it
  bool says_close = false;
  bool has_trailers = false;
  When when = When::after_request;
  Duration delay{};
  Fault fault = Fault::none;
  size_t fault_at = 0;  // bytes of the body
  enum class Afterwards : uint8_t { keep, close, close_later, reset_later, surplus } afterwards = Afterwards::keep;
};

struct RequestPlan {
  enum class Body : uint8_t { none, length, chunked };
  enum class Leave : uint8_t {
    stay,
    close,
    reset,
    half_close,
    cancel,  // HTTP/2: only its stream is reset
  };
  // HTTP/2: what is wrong with it, for which it alone must fail.
  enum class Lie : uint8_t {
    none,
    less_content,  // than its content-length
    more_content,
    bad_field,
  };

  uint64_t id = 0;
  std::string method = "GET";
  Place place = Place::one;
  bool is_http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
  bool is_upgrade = false;
  bool upgrade_is_refused = false;  // by the upstream, with an ordinary response
  Body body = Body::none;
  size_t body_size = 0;
  bool has_trailers = false;  // HTTP/2
  Lie lie = Lie::none;
  size_t tunnel_up = 0;
  size_t tunnel_down = 0;
  bool tunnel_reset_by_client = false;
  bool tunnel_reset_by_upstream = false;
  Leave leave = Leave::stay;
  bool leaves_while_sending = false;  // else while receiving
  size_t leave_at = 0;                // bytes of the body, or of the response
  ResponsePlan response;

  // --- what happened, for the judge ---
  unsigned executions = 0;  // heads that an upstream has read
  bool was_copied = false;
  bool response_was_said = false;  // all of it, by an upstream
  bool client_sent_all = false;
  bool upstream_tunnel_finished = false;  // it had sent everything and then FIN
  bool client_tunnel_finished = false;
};

// How a client uses a connection of HTTP/2.
struct Http2Plan {
  size_t streams_max = 1;  // at a time
  bool awaits_settings = false;
  bool minds_windows = true;  // else its session keeps what the windows do not take
  // What a stream's window is at first. What is missing is given in pieces, with pauses.
  uint32_t first_window = limits::http2_stream_window_bytes;
  Duration opening_pause{};
  // The connection's window is the least that there is (RFC 9113 6.9.2), and given back as content comes.
  bool is_tight = false;
  // Now and then no content is taken for a while: windows stay closed.
  unsigned hold_chance = 0;  // thousandths
  Duration hold_max{};
  size_t pings_max = 0;
  size_t goodbye_after = 0;  // requests of a connection: GOAWAY; 0: never
};

struct ClientPlan {
  enum class Manners : uint8_t {
    good,
    silent,         // connects and says nothing
    slow_head,      // begins a head and never ends it
    garbage,        // sends what is no HTTP
    stops_reading,  // asks, and takes nothing
    stops_sending,  // promises a body and does not send it
    breaks_rules,   // HTTP/2: sends what ends a connection
  };
  enum class Ending : uint8_t { close, reset, wait };
  Manners manners = Manners::good;
  Ending ending = Ending::close;
  bool is_pipelined = false;
  bool is_tls = false;
  std::optional<Http2Plan> http2;
  Pace writing;
  Pace reading;
  Duration start{};
  Duration patience{};  // zero: for ever, since it must not come to that
  std::vector<RequestPlan> requests;
};

// A connection without HTTP: an opening that tells the destination who it is, then bytes both ways, and the end of
// each way on its own.
struct StreamPlan {
  enum class Way : uint8_t { tcp, passthrough, terminated };

  uint64_t id = 0;
  Way way = Way::tcp;
  size_t hello_padding = 0;
  size_t up = 0;  // bytes after the opening
  size_t down = 0;
  bool reset_by_client = false;  // half way
  bool reset_by_upstream = false;
  Pace writing;
  Pace reading;
  Duration start{};

  // --- what happened, for the judge ---
  bool has_arrived = false;  // its opening, at a destination
  bool client_finished = false;
  bool upstream_finished = false;

  // What the client says first: its id, or a ClientHello whose server name has it.
  [[nodiscard]] std::string opening() const;
};

struct RunPlan {
  // Nobody misbehaves and no descriptor is short: every request must be answered by its upstream.
  bool is_calm = false;
  Weather weather;
  Pace upstream_reading;
  Pace upstream_writing;
  std::vector<ClientPlan> clients;
  std::vector<StreamPlan> streams;
  unsigned receive_buffers_max = 0;  // of the gateway: few, so that they run out
  bool logs_requests = false;
  std::optional<Duration> reload_at;
  std::optional<Duration> drain_at;
  std::optional<Duration> stop_at;

  [[nodiscard]] RequestPlan* find(uint64_t id);
  [[nodiscard]] StreamPlan* find_stream(uint64_t id);
};

[[nodiscard]] RunPlan make_plan(uint64_t seed);

}  // namespace sluice::sim

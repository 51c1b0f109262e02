#include "sample/upstream.h"

#include "base/log.h"
#include "sample/json_text.h"
#include "sample/websocket.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <optional>
#include <utility>

namespace sluice::sample {

namespace {

constexpr unsigned kConnectionsMax = 1024;
constexpr size_t kPieceBytes = 64 * 1024;
constexpr size_t kShownBytesMax = 64 * 1024;  // of a body that /anything shows
constexpr double kDelaySecondsMax = 60;
constexpr uint64_t kStreamLinesMax = 1'000'000;
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

constexpr std::string_view kPages =
    "/get        arguments, headers, origin, url (JSON)\n"
    "/headers    headers (JSON)\n"
    "/anything   the same for every method, and the first 64 KiB of the content (JSON)\n"
    "/count      length and checksum of the content, however long (JSON); /upload is the same\n"
    "/status/N   status N, 200 to 599\n"
    "/bytes/N    N bytes, always the same ones\n"
    "/stream/N   N lines of JSON, in chunks\n"
    "/delay/S    as /anything, S seconds later, at most 60\n"
    "/ws         a WebSocket that says back what it hears\n";

using Request = http::RequestHead;

// "x-request-id" as "X-Request-Id": the spelling that httpbin shows.
std::string capitalized(std::string_view name) {
  std::string out(name);
  for (size_t i = 0; i < out.size(); ++i) {
    const bool is_first = i == 0 || out[i - 1] == '-';
    if (is_first && out[i] >= 'a' && out[i] <= 'z') out[i] = static_cast<char>(out[i] - 'a' + 'A');
  }
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// application/x-www-form-urlencoded
std::string decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_escape =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    if (is_escape) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string headers_json(const Request& request) {
  // Repeated fields as one, which RFC 9110 5.2 allows: an object has each name once.
  std::vector<std::pair<std::string, std::string>> joined;
  for (const auto& [name, value] : request.headers) {
    const auto same = std::ranges::find(joined, name, &std::pair<std::string, std::string>::first);
    if (same == joined.end()) {
      joined.emplace_back(name, value);
    } else {
      same->second.append(", ").append(value);
    }
  }
  JsonMembers members;
  for (const auto& [name, value] : joined) members.emplace_back(capitalized(name), json_string(value));
  std::ranges::sort(members);
  return json_object(members, 2);
}

std::string args_json(std::string_view query) {
  JsonMembers members;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    if (!pair.empty()) members.emplace_back(decoded(pair.substr(0, equals)), json_string(decoded(value)));
  }
  return json_object(members, 2);
}

JsonMembers request_members(const web::Connection& connection, const Request& request) {
  const auto origin = request.headers.find("x-forwarded-for");
  const auto scheme = request.headers.find("x-forwarded-proto");
  const std::string url = fmt::format("{}://{}{}{}{}", scheme.value_or("http"), request.authority, request.path,
                                      request.has_query ? "?" : "", request.query);
  return {{"args", args_json(request.query)},
          {"headers", headers_json(request)},
          {"origin", json_string(origin ? std::string(*origin) : connection.peer_address().ip_text())},
          {"url", json_string(url)}};
}

void respond_json(web::Connection& connection, const JsonMembers& members) {
  connection.respond(200, kJson, json_object(members) + "\n");
}

// What is known of a body that nobody keeps.
struct BodyCount {
  uint64_t bytes = 0;
  uint64_t checksum = checksum_start;
  std::string shown;  // its start, when wanted
  bool keeps_start = false;

  bool read_from(web::Connection& connection) {
    const auto take = [](void* owner, ConstBytes content) {
      auto& self = *static_cast<BodyCount*>(owner);
      self.bytes += content.size();
      self.checksum = add_to_checksum(self.checksum, content);
      if (self.keeps_start) self.shown += as_text(content).substr(0, kShownBytesMax - self.shown.size());
    };
    return connection.read_body({.write = take, .owner = this});
  }
};

void respond_anything(web::Connection& connection, const Request& request) {
  BodyCount body;
  body.keeps_start = true;
  if (!body.read_from(connection)) return;
  JsonMembers members = request_members(connection, request);
  members.emplace_back("bytes", std::to_string(body.bytes));
  members.emplace_back("data", json_string(body.shown));
  members.emplace_back("method", json_string(request.method));
  std::ranges::sort(members);
  respond_json(connection, members);
}

void respond_count(web::Connection& connection) {
  BodyCount body;
  if (!body.read_from(connection)) return;
  respond_json(connection,
               {{"bytes", std::to_string(body.bytes)}, {"checksum", fmt::format("\"{:016x}\"", body.checksum)}});
}

void respond_bytes(web::Connection& connection, uint64_t count) {
  connection.begin_sized(200, "application/octet-stream", count);
  std::vector<std::byte> piece(kPieceBytes);
  for (uint64_t done = 0; done < count && connection.takes_content();) {
    const auto size = static_cast<size_t>(std::min<uint64_t>(count - done, piece.size()));
    for (size_t i = 0; i < size; ++i) piece[i] = sample_byte(done + i);
    connection.write_content(ConstBytes(piece).first(size));
    done += size;
  }
  connection.end_response();
}

void respond_stream(web::Connection& connection, uint64_t count) {
  connection.begin_chunked(200, kJson);
  for (uint64_t i = 0; i < std::min(count, kStreamLinesMax) && connection.takes_content(); ++i) {
    connection.write_content(as_bytes(fmt::format("{{\"id\": {}}}\n", i)));
  }
  connection.end_response();
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !(number >= 0)) return std::nullopt;
  return number;
}

// "/bytes/17" with the prefix "/bytes/" gives "17".
std::optional<std::string_view> rest_after(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  return path.substr(prefix.size());
}

void respond_to_number(web::Connection& connection, const Request& request) {
  if (const auto text = rest_after(request.path, "/status/")) {
    const auto status = number_of<uint16_t>(*text);
    if (status && *status >= 200 && *status <= 599) return connection.respond(*status, kPlain, "");
  } else if (const auto bytes = rest_after(request.path, "/bytes/")) {
    if (const auto count = number_of<uint64_t>(*bytes)) return respond_bytes(connection, *count);
  } else if (const auto lines = rest_after(request.path, "/stream/")) {
    if (const auto count = number_of<uint64_t>(*lines)) return respond_stream(connection, *count);
  } else if (const auto delay = rest_after(request.path, "/delay/")) {
    if (const auto seconds = number_of<double>(*delay)) {
      const std::chrono::duration<double> wait(std::min(*seconds, kDelaySecondsMax));
      connection.pause(std::chrono::duration_cast<Duration>(wait));
      return respond_anything(connection, request);
    }
  } else {
    return connection.respond(404, kPlain, "no such page; GET / lists the pages\n");
  }
  connection.respond(400, kPlain, "not a number that is possible here; GET / lists the pages\n");
}

void respond(web::Connection& connection, const Request& request) {
  const std::string_view path = request.path;
  if (path == "/") return connection.respond(200, kPlain, kPages);
  if (path == "/headers") return respond_json(connection, {{"headers", headers_json(request)}});
  if (path == "/anything" || path.starts_with("/anything/")) return respond_anything(connection, request);
  if (path == "/count" || path == "/upload") return respond_count(connection);
  if (path == "/ws") return serve_websocket(connection, request);
  if (path != "/get") return respond_to_number(connection, request);
  if (request.method == "GET" || request.method == "HEAD")
    return respond_json(connection, request_members(connection, request));
  const web::Connection::Field allow{"allow", "GET, HEAD"};
  connection.respond(405, kPlain, "only GET and HEAD; /anything takes every method\n", {&allow, 1});
}

}  // namespace

uint64_t add_to_checksum(uint64_t checksum, ConstBytes bytes) noexcept {
  for (const std::byte byte : bytes) checksum = (checksum ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
  return checksum;
}

Result<std::unique_ptr<web::Server>> start_upstream(const SocketAddress& address) {
  web::ServerOptions options;
  options.connections_max = kConnectionsMax;
  options.connection.head_bytes_max = 128 * 1024;  // everything that a proxy lets through
  // Longer than a proxy keeps an idle connection in a test, shorter than a day.
  options.connection.idle = std::chrono::minutes(5);
  options.connection.stall = std::chrono::seconds(60);
  return web::Server::start(address, options, respond);
}

int run_upstream(const SocketAddress& address) {
  // Before the server's threads start, so that the signals come here.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const auto server = start_upstream(address);
  if (!server) {
    log::error("cannot start the sample upstream: {}", server.error().message);
    return 1;
  }
  log::info("sample upstream on {}", (*server)->address().to_string());
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}

}  // namespace sluice::sample

#include "control/admin_server.h"

#include "base/limits.h"
#include "control/admin_pages.h"
#include "control/process_facts.h"
#include "control/prometheus.h"

#include <string>
#include <utility>

namespace sluice::control {

namespace {

struct Page {
  uint16_t status;
  std::string_view content_type;
  std::string body;
};

constexpr std::string_view kPlain = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";

Page ready_page(const ProcessState& state) {
  switch (state.phase()) {
    case Phase::serving: return {200, kPlain, "ready\n"};
    case Phase::starting: return {503, kPlain, "starting\n"};
    case Phase::draining: return {503, kPlain, "draining\n"};
  }
  return {503, kPlain, ""};
}

Page not_found_page() { return {404, kPlain, "no such page; GET / of the admin port lists the pages\n"}; }

Page status_page(const ProcessState& state, std::string_view path) {
  return path == "/healthz/ready" ? ready_page(state) : not_found_page();
}

constexpr std::string_view kAdminPages =
    "/ready             200 while requests are served, else 503\n"
    "/stats/prometheus  metrics\n"
    "/config_dump       the live configuration, its hash, the last failed reload (JSON)\n"
    "/certs             the certificates that serve (JSON)\n";

Page admin_page(const ProcessState& state, std::string_view path) {
  if (path == "/") return {200, kPlain, std::string(kAdminPages)};
  if (path == "/ready") return ready_page(state);
  if (path == "/stats/prometheus") {
    const ProcessFacts process = read_process_facts();
    return {200, prometheus_content_type,
            state.look([&process](const ProcessState::View& view) { return to_prometheus(view, process); })};
  }
  if (path == "/config_dump") return {200, kJson, state.look(config_dump_json)};
  if (path == "/certs") return {200, kJson, state.look(certificates_json)};
  return not_found_page();
}

using PageOf = Page (*)(const ProcessState&, std::string_view path);

Result<std::unique_ptr<web::Server>> start_server(const SocketAddress& address, const ProcessState& state,
                                                  PageOf page_of) {
  web::ServerOptions options;
  options.connections_max = limits::admin_connections_max;
  options.connection.head_bytes_max = limits::admin_request_bytes_max;
  return web::Server::start(address, options,
                            [&state, page_of](web::Connection& connection, const http::RequestHead& request) {
                              if (request.method != "GET" && request.method != "HEAD") {
                                const web::Connection::Field allow{"allow", "GET, HEAD"};
                                return connection.respond(405, kPlain, "only GET and HEAD\n", {&allow, 1});
                              }
                              const Page page = page_of(state, request.path);
                              connection.respond(page.status, page.content_type, page.body);
                            });
}

}  // namespace

Result<std::unique_ptr<web::Server>> start_status_server(const SocketAddress& address, const ProcessState& state) {
  return start_server(address, state, status_page);
}

Result<std::unique_ptr<web::Server>> start_admin_server(const SocketAddress& address, const ProcessState& state) {
  return start_server(address, state, admin_page);
}

}  // namespace sluice::control

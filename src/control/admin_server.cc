#include "control/admin_server.h"

#include "base/limits.h"
#include "config/wording.h"
#include "control/admin_client.h"
#include "control/admin_pages.h"
#include "control/explain_report.h"
#include "control/page_parameters.h"
#include "control/process_facts.h"
#include "control/prometheus.h"
#include "control/snapshot_json.h"
#include "control/snapshot_text.h"
#include "renewal/revocation_reason.h"

#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <memory>
#include <optional>
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

Page status_page(const ProcessState& state, const http::RequestHead& request) {
  return request.path == "/healthz/ready" ? ready_page(state) : not_found_page();
}

constexpr std::string_view kAdminPages =
    "/ready             200 while requests are served, else 503\n"
    "/stats/prometheus  metrics\n"
    "/config_dump       the live configuration, its hash, the last failed reload (JSON)\n"
    "/routes            every listener, server, host and route (JSON; ?format=text)\n"
    "/explain?url=URL   the way that a request would take; also method, header, client, unix_socket (JSON; "
    "&format=text)\n"
    "/certs             the certificates that serve, and those that are managed (JSON)\n"
    "/certs/issue, /certs/renew, /certs/revoke?certificate=NAMESPACE/NAME   by POST, as `sluice cert` does\n";

Page bad_page(const Error& error) { return {400, kPlain, error.message + "\n"}; }

// As the parameter `format` says, else Accept: text only where that is all that is asked for.
Result<bool> wants_text(const PageParameters& parameters, const http::RequestHead& request) {
  const Result<std::string> format = parameters.only("format");
  if (!format) return std::unexpected(format.error());
  if (!format->empty() && *format != "text" && *format != "json")
    return failure("format is \"text\" or \"json\", not " + config::in_quotes(*format));
  if (!format->empty()) return *format == "text";
  const std::string_view accept = request.headers.find("accept").value_or("");
  return accept.starts_with("text/plain");
}

Page no_snapshot_page() { return {503, kPlain, "there is no configuration yet\n"}; }

Page routes_page(const ProcessState& state, const http::RequestHead& request) {
  constexpr std::string_view known[] = {"format"};
  const Result<PageParameters> parameters = PageParameters::parse(request.query, known);
  if (!parameters) return bad_page(parameters.error());
  const Result<bool> as_text = wants_text(*parameters, request);
  if (!as_text) return bad_page(as_text.error());
  return state.look([&](const ProcessState::View& view) -> Page {
    if (view.snapshot == nullptr) return no_snapshot_page();
    if (*as_text) return {200, kPlain, routes_text(*view.snapshot)};
    return {200, kJson, to_text(routes_json(*view.snapshot))};
  });
}

Result<ExplainRequest> request_to_explain(const PageParameters& parameters) {
  ExplainRequest asked;
  for (const auto& [name, to] : {std::pair{"url", &asked.url}, std::pair{"method", &asked.method},
                                 std::pair{"unix_socket", &asked.unix_socket}}) {
    Result<std::string> value = parameters.only(name);
    if (!value) return std::unexpected(value.error());
    if (!value->empty()) *to = std::move(*value);
  }
  if (asked.url.empty()) return failure("parameter \"url\" is missing: /explain?url=https://host/path");
  const Result<std::string> client = parameters.only("client");
  if (!client) return std::unexpected(client.error());
  const auto address = SocketAddress::from_ip(client->empty() ? "127.0.0.1" : *client, 0);
  if (!address) return failure("client " + config::in_quotes(*client) + " is no IP address");
  asked.client = *address;
  asked.fields = parameters.all("header");
  asked.time = std::chrono::system_clock::now();
  return asked;
}

Page explain_page(const ProcessState& state, const http::RequestHead& request) {
  constexpr std::string_view known[] = {"url", "method", "header", "client", "unix_socket", "format"};
  const Result<PageParameters> parameters = PageParameters::parse(request.query, known);
  if (!parameters) return bad_page(parameters.error());
  const Result<bool> as_text = wants_text(*parameters, request);
  if (!as_text) return bad_page(as_text.error());
  const Result<ExplainRequest> asked = request_to_explain(*parameters);
  if (!asked) return bad_page(asked.error());
  return state.look([&](const ProcessState::View& view) -> Page {
    if (view.snapshot == nullptr) return no_snapshot_page();
    const Result<Explanation> explanation = explain(*view.snapshot, *asked);
    if (!explanation) return bad_page(explanation.error());
    if (*as_text) return {200, kPlain, to_text(*explanation, *asked, *view.snapshot)};
    return {200, kJson, to_text(to_json(*explanation, *asked, *view.snapshot))};
  });
}

std::shared_ptr<const renewal::Report> certificate_report(const ProcessState& state) {
  const std::shared_ptr<renewal::Manager> manager = state.manager();
  return manager == nullptr ? std::make_shared<const renewal::Report>() : manager->report();
}

std::optional<renewal::Command> command_of(std::string_view path) {
  if (path == "/certs/issue") return renewal::Command::issue;
  if (path == "/certs/renew") return renewal::Command::renew;
  if (path == "/certs/revoke") return renewal::Command::revoke;
  return std::nullopt;
}

// Against DNS rebinding: a page of a browser that was loaded by a name reaches this port by that name.
bool is_local_name(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host == "localhost" || SocketAddress::from_ip(std::string(host), 0);
}

// What a POST wants done.
Page command_page(const ProcessState& state, const http::RequestHead& request) {
  const std::optional<renewal::Command> command = command_of(request.path);
  if (!command) return not_found_page();
  if (!request.headers.find(kCommandField))
    return {403, kPlain, fmt::format("the field {} is missing: a page of a browser may not do this\n", kCommandField)};
  if (!is_local_name(request.host))
    return {403, kPlain, "commands are for an address or localhost, not for a name that somebody else may have made\n"};
  constexpr std::string_view known[] = {"certificate", "reason"};
  const Result<PageParameters> parameters = PageParameters::parse(request.query, known);
  if (!parameters) return bad_page(parameters.error());
  Result<std::string> certificate = parameters->only("certificate");
  if (!certificate) return bad_page(certificate.error());
  Result<std::string> reason = parameters->only("reason");
  if (!reason) return bad_page(reason.error());
  if (!reason->empty() && (*command != renewal::Command::revoke || !renewal::revocation_code(*reason)))
    return {400, kPlain, "reason: of /certs/revoke, one of RFC 5280 5.3.1, such as keyCompromise\n"};
  const std::shared_ptr<renewal::Manager> manager = state.manager();
  if (manager == nullptr) return {409, kPlain, "no document asks for a certificate\n"};
  const Result<bool> has_begun = manager->command(*command, std::move(*certificate), std::move(*reason));
  if (!has_begun) return {409, kPlain, has_begun.error().message + "\n"};
  return {202, kPlain, *has_begun ? "begun\n" : "it is done after what is under way\n"};
}

Page admin_page(const ProcessState& state, const http::RequestHead& request) {
  const std::string_view path = request.path;
  if (request.method == "POST") return command_page(state, request);
  if (path == "/") return {200, kPlain, std::string(kAdminPages)};
  if (path == "/ready") return ready_page(state);
  if (path == "/stats/prometheus") {
    const ProcessFacts process = read_process_facts();
    const auto certificates = certificate_report(state);
    return {200, prometheus_content_type,
            state.look([&](const ProcessState::View& view) { return to_prometheus(view, process, *certificates); })};
  }
  if (path == "/config_dump") return {200, kJson, state.look(config_dump_json)};
  if (path == "/routes") return routes_page(state, request);
  if (path == "/explain") return explain_page(state, request);
  if (path == "/certs") {
    const auto certificates = certificate_report(state);
    return {200, kJson,
            state.look([&](const ProcessState::View& view) { return certificates_json(view, *certificates); })};
  }
  return not_found_page();
}

using PageOf = Page (*)(const ProcessState&, const http::RequestHead&);

Result<std::unique_ptr<web::Server>> start_server(const SocketAddress& address, const ProcessState& state,
                                                  PageOf page_of) {
  web::ServerOptions options;
  options.connections_max = limits::admin_connections_max;
  options.connection.head_bytes_max = limits::admin_request_bytes_max;
  return web::Server::start(
      address, options, [&state, page_of](web::Connection& connection, const http::RequestHead& request) {
        const bool is_command = page_of == admin_page && request.method == "POST" && command_of(request.path);
        if (request.method != "GET" && request.method != "HEAD" && !is_command) {
          const web::Connection::Field allow{"allow", "GET, HEAD"};
          return connection.respond(405, kPlain, "only GET and HEAD\n", {&allow, 1});
        }
        const Page page = page_of(state, request);
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

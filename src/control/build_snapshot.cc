#include "control/build_snapshot.h"

#include "base/parallel.h"
#include "certs/certificate.h"
#include "config/load.h"
#include "tls/client_context.h"
#include "tls/key_pair.h"
#include "tls/ocsp_staple.h"
#include "tls/server_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

namespace sluice::control {

namespace {

using snapshot::Snapshot;
using snapshot::TlsServer;

using Summaries = std::vector<snapshot::CertificateSummary>;

// Several servers may have the same Secret.
void add_summary(Summaries& summaries, const TlsServer& server, const snapshot::KeyPair& pair,
                 config::Diagnostics& diagnostics) {
  const bool is_there =
      std::ranges::find(summaries, pair.secret_name, &snapshot::CertificateSummary::secret_name) != summaries.end();
  if (is_there) return;
  Result<snapshot::CertificateSummary> summary = certs::summarize(pair);
  if (summary) {
    const auto secret = std::ranges::find(server.managed_secrets, pair.secret_name, &snapshot::ManagedSecret::name);
    if (secret != server.managed_secrets.end()) summary->is_renewed = secret->is_renewed;
    summaries.push_back(std::move(*summary));
  } else {
    diagnostics.error(pair.place, summary.error().message);
  }
}

// The keyrings of one snapshot.
class TicketKeyrings {
 public:
  explicit TicketKeyrings(std::shared_ptr<tls::TicketKeyring> own) : own_(std::move(own)) {}

  // Null: no tickets. Servers that name the same Secret share one.
  std::shared_ptr<tls::TicketKeyring> of(const TlsServer& server, config::Diagnostics& diagnostics) {
    const std::shared_ptr<const snapshot::TicketKeys>& keys = server.ticket_keys;
    if (keys == nullptr) return own_;
    const auto [found, is_new] = of_secrets_.try_emplace(keys);
    if (is_new) {
      Result<std::shared_ptr<tls::TicketKeyring>> keyring = tls::TicketKeyring::create(*keys);
      if (keyring) {
        found->second = std::move(*keyring);
      } else {
        diagnostics.error(keys->place, keyring.error().message);
      }
    }
    return found->second;
  }

 private:
  std::shared_ptr<tls::TicketKeyring> own_;
  std::map<std::shared_ptr<const snapshot::TicketKeys>, std::shared_ptr<tls::TicketKeyring>> of_secrets_;
};

// ServerContext leaves it out without a word.
void warn_of_staple(const snapshot::KeyPair& pair, WallTime now, config::Diagnostics& diagnostics) {
  if (pair.ocsp_staple.empty()) return;
  if (const auto staple = tls::read_ocsp_staple(pair, now); !staple)
    diagnostics.warning(pair.place, staple.error().message);
}

// Of managed certificates, which are obtained again: they keep nobody from starting.
void drop_unusable_pairs(TlsServer& server, config::Diagnostics& diagnostics) {
  std::erase_if(server.key_pairs, [&](const std::shared_ptr<const snapshot::KeyPair>& pair) {
    if (!pair->is_managed) return false;
    const Status usable = tls::check_key_pair(*pair);
    if (usable) return false;
    diagnostics.warning(pair->place, fmt::format("{}: {}", pair->secret_name, usable.error().message));
    return true;
  });
}

std::vector<std::string> managed_chains(const TlsServer& server) {
  std::vector<std::string> chains;
  for (const auto& pair : server.key_pairs) {
    if (pair->is_managed) chains.push_back(pair->chain_pem);
  }
  return chains;
}

// With pairs that can be used, or none.
void add_fallback(TlsServer& server, WallTime now, FallbackCertificates* fallbacks, config::Diagnostics& diagnostics) {
  if (!server.key_pairs.empty() || server.managed_secrets.empty() || fallbacks == nullptr) return;
  Result<std::shared_ptr<const snapshot::KeyPair>> pair = fallbacks->of(server, now);
  if (pair) {
    server.key_pairs.push_back(std::move(*pair));
  } else {
    diagnostics.warning(server.place, pair.error().message);
  }
}

void make_context(TlsServer& server, Summaries& summaries, WallTime now, TicketKeyrings& keyrings,
                  config::Diagnostics& diagnostics) {
  Result<std::shared_ptr<tls::ServerContext>> context =
      tls::ServerContext::create(server, keyrings.of(server, diagnostics));
  if (!context) return diagnostics.error(server.place, "server " + server.name + ": " + context.error().message);
  server.context = std::move(*context);
  for (const auto& pair : server.key_pairs) {
    warn_of_staple(*pair, now, diagnostics);
    add_summary(summaries, server, *pair, diagnostics);
  }
}

// The keys are in the context from here on.
void forget_keys(TlsServer& server) {
  server.key_pairs.clear();
  server.ticket_keys = nullptr;
}

void complete_upstream(snapshot::UpstreamTls& upstream, snapshot::UpstreamHttp http, WallTime now,
                       config::Diagnostics& diagnostics) {
  if (upstream.is_complete && certs::check_client_certificate(upstream, now, diagnostics)) {
    std::vector<std::string> alpn;
    if (http != snapshot::UpstreamHttp::http1) alpn = {"h2", "http/1.1"};
    Result<std::shared_ptr<tls::ClientContext>> context = tls::ClientContext::create(upstream, alpn);
    if (context) {
      upstream.context = std::move(*context);
    } else {
      diagnostics.error(upstream.place, context.error().message);
    }
  }
  upstream.key_pair = nullptr;
}

ManagedServer describe(size_t listener, size_t index, const TlsServer& server) {
  ManagedServer managed{.listener = listener, .server = index, .described = server, .serves = managed_chains(server)};
  std::erase_if(managed.described.key_pairs, [](const auto& pair) { return pair->is_managed; });
  return managed;
}

Built load_and_complete(const config::Sources& sources, WallTime now, const Serving& serving,
                        config::Diagnostics& diagnostics) {
  config::Compiled compiled;
  run_apart([&] { compiled = config::load(sources, diagnostics); });
  Built built{.snapshot = std::move(compiled.snapshot),
              .certificates = std::move(compiled.certificates),
              .managed_servers = {}};
  if (built.snapshot == nullptr) return built;
  Snapshot& snapshot = *built.snapshot;
  TicketKeyrings keyrings(serving.ticket_keys);
  for (size_t i = 0; i < snapshot.listeners.size(); ++i) {
    std::vector<TlsServer>& servers = snapshot.listeners[i].tls_servers;
    for (size_t j = 0; j < servers.size(); ++j) {
      drop_unusable_pairs(servers[j], diagnostics);
      if (!servers[j].managed_secrets.empty()) built.managed_servers.push_back(describe(i, j, servers[j]));
      add_fallback(servers[j], now, serving.fallbacks, diagnostics);
      // Without a pair the Secret is missing, which config/ has reported: connections are closed until it is there.
      if (!servers[j].key_pairs.empty() && certs::check_server_certificates(servers[j], now, diagnostics))
        make_context(servers[j], snapshot.certificates, now, keyrings, diagnostics);
      forget_keys(servers[j]);
    }
  }
  for (snapshot::Cluster& cluster : snapshot.clusters) {
    if (cluster.tls) complete_upstream(*cluster.tls, cluster.http, now, diagnostics);
  }
  return built;
}

// What is said of certificates that sluice has obtained is never an error of the documents.
void append_as_warnings(const config::Diagnostics& said, config::Diagnostics& diagnostics) {
  for (const config::Diagnostic& diagnostic : said.sorted()) {
    if (diagnostic.severity != config::Severity::info) diagnostics.warning(diagnostic.place, diagnostic.message);
  }
}

}  // namespace

Built build_snapshot(const config::Sources& sources, WallTime now, const Serving& serving,
                     config::Diagnostics& diagnostics) {
  Built built = load_and_complete(sources, now, serving, diagnostics);
  if (diagnostics.has_errors()) return {};
  return built;
}

std::unique_ptr<Snapshot> build_snapshot_to_look_at(const std::vector<std::string>& paths, WallTime now,
                                                    config::Diagnostics& diagnostics) {
  return load_and_complete({.paths = paths}, now, {}, diagnostics).snapshot;
}

std::unique_ptr<Snapshot> swap_certificates(const Snapshot& current, std::vector<ManagedServer>& servers,
                                            const std::string& issued_folder, WallTime now, const Serving& serving,
                                            config::Diagnostics& diagnostics) {
  const config::IssuedPairs pairs = config::load_issued_pairs(issued_folder, diagnostics);
  TicketKeyrings keyrings(serving.ticket_keys);
  std::unique_ptr<Snapshot> next;
  for (ManagedServer& managed : servers) {
    TlsServer server = managed.described;
    for (const snapshot::ManagedSecret& secret : server.managed_secrets) {
      if (const auto found = pairs.find(secret.name); found != pairs.end()) server.key_pairs.push_back(found->second);
    }
    config::Diagnostics said;
    drop_unusable_pairs(server, said);
    std::vector<std::string> chains = managed_chains(server);
    if (chains == managed.serves || chains.size() < managed.serves.size()) {
      append_as_warnings(said, diagnostics);
      continue;
    }
    Summaries summaries = (next == nullptr ? current : *next).certificates;
    std::erase_if(summaries, [&](const snapshot::CertificateSummary& summary) {
      return summary.secret_name == FallbackCertificates::name_of(server) ||
             std::ranges::find(server.managed_secrets, summary.secret_name, &snapshot::ManagedSecret::name) !=
                 server.managed_secrets.end();
    });
    // What is said of it is said; the user's certificate beside it, which may have expired, is no reason to wait.
    (void)certs::check_server_certificates(server, now, said);
    make_context(server, summaries, now, keyrings, said);
    forget_keys(server);
    append_as_warnings(said, diagnostics);
    if (server.context == nullptr) continue;
    if (next == nullptr) next = std::make_unique<Snapshot>(current);
    next->certificates = std::move(summaries);
    next->listeners[managed.listener].tls_servers[managed.server] = std::move(server);
    managed.serves = std::move(chains);
  }
  return next;
}

}  // namespace sluice::control

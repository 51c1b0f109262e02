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

// Several servers may have the same Secret.
void add_summary(Snapshot& snapshot, const snapshot::KeyPair& pair, config::Diagnostics& diagnostics) {
  const bool is_there = std::ranges::find(snapshot.certificates, pair.secret_name,
                                          &snapshot::CertificateSummary::secret_name) != snapshot.certificates.end();
  if (is_there) return;
  Result<snapshot::CertificateSummary> summary = certs::summarize(pair);
  if (summary) {
    snapshot.certificates.push_back(std::move(*summary));
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
    server.awaits_certificate = true;
    return true;
  });
}

void complete_server(Snapshot& snapshot, TlsServer& server, WallTime now, TicketKeyrings& keyrings,
                     FallbackCertificates* fallbacks, config::Diagnostics& diagnostics) {
  drop_unusable_pairs(server, diagnostics);
  if (server.key_pairs.empty() && server.awaits_certificate && fallbacks != nullptr) {
    Result<std::shared_ptr<const snapshot::KeyPair>> pair = fallbacks->of(server, now);
    if (pair) {
      server.key_pairs.push_back(std::move(*pair));
    } else {
      diagnostics.warning(server.place, pair.error().message);
    }
  }
  // The Secret is missing, which config/ has reported: the server's connections are closed until it is there.
  if (server.key_pairs.empty()) return;
  if (certs::check_server_certificates(server, now, diagnostics)) {
    Result<std::shared_ptr<tls::ServerContext>> context =
        tls::ServerContext::create(server, keyrings.of(server, diagnostics));
    if (context) {
      server.context = std::move(*context);
      for (const auto& pair : server.key_pairs) {
        warn_of_staple(*pair, now, diagnostics);
        add_summary(snapshot, *pair, diagnostics);
      }
    } else {
      diagnostics.error(server.place, "server " + server.name + ": " + context.error().message);
    }
  }
  server.key_pairs.clear();
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

config::Compiled load_and_complete(const config::Sources& sources, WallTime now, const Serving& serving,
                                   config::Diagnostics& diagnostics) {
  config::Compiled compiled;
  run_apart([&] { compiled = config::load(sources, diagnostics); });
  const std::unique_ptr<Snapshot>& snapshot = compiled.snapshot;
  if (snapshot == nullptr) return compiled;
  TicketKeyrings keyrings(serving.ticket_keys);
  for (snapshot::Listener& listener : snapshot->listeners) {
    for (TlsServer& server : listener.tls_servers) {
      complete_server(*snapshot, server, now, keyrings, serving.fallbacks, diagnostics);
      server.ticket_keys = nullptr;
    }
  }
  for (snapshot::Cluster& cluster : snapshot->clusters) {
    if (cluster.tls) complete_upstream(*cluster.tls, cluster.http, now, diagnostics);
  }
  return compiled;
}

}  // namespace

config::Compiled build_snapshot(const config::Sources& sources, WallTime now, const Serving& serving,
                                config::Diagnostics& diagnostics) {
  config::Compiled compiled = load_and_complete(sources, now, serving, diagnostics);
  if (diagnostics.has_errors()) return {};
  return compiled;
}

std::unique_ptr<Snapshot> build_snapshot_to_look_at(const std::vector<std::string>& paths, WallTime now,
                                                    config::Diagnostics& diagnostics) {
  return load_and_complete({.paths = paths}, now, {}, diagnostics).snapshot;
}

}  // namespace sluice::control

#include "config/snapshot_hash.h"

#include "base/bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::config {

namespace {

using Digest = unsigned __int128;

// A ticket key begins with its name, which clients see in every ticket.
constexpr size_t ticket_key_name_bytes = 16;

// FNV-1a of 128 bits (http://www.isthe.com/chongo/tech/comp/fnv/). Texts are preceded by their size.
class Hasher {
 public:
  Hasher& add(ConstBytes bytes) {
    for (const std::byte byte : bytes) {
      digest_ ^= static_cast<uint8_t>(byte);
      digest_ *= prime;
    }
    return *this;
  }
  template <std::integral Number>
  Hasher& add(Number number) {
    const uint64_t wide = static_cast<uint64_t>(number);
    std::byte bytes[8];
    for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(wide >> (8 * i));
    return add(ConstBytes(bytes));
  }
  Hasher& add(std::string_view text) { return add(text.size()).add(as_bytes(text)); }
  Hasher& add(Digest digest) { return add(static_cast<uint64_t>(digest)).add(static_cast<uint64_t>(digest >> 64)); }
  // Of things whose order says nothing.
  Hasher& add_set(std::vector<Digest> digests) {
    std::ranges::sort(digests);
    add(digests.size());
    for (const Digest digest : digests) add(digest);
    return *this;
  }
  [[nodiscard]] Digest digest() const noexcept { return digest_; }

 private:
  static constexpr Digest prime = (Digest{1} << 88) + 0x13b;
  Digest digest_ = (Digest{0x6c62272e07bb0142} << 64) + 0x62b821756295c58d;  // the offset basis
};

template <typename Items, typename Function>
std::vector<Digest> digests_of(const Items& items, Function digest) {
  std::vector<Digest> result;
  result.reserve(items.size());
  for (const auto& item : items) result.push_back(digest(item));
  return result;
}

void add_texts(Hasher& hasher, const std::vector<std::string>& texts) {
  hasher.add(texts.size());
  for (const std::string& text : texts) hasher.add(text);
}

void add_hashes(Hasher& hasher, const std::vector<snapshot::Sha256Digest>& hashes) {
  hasher.add_set(digests_of(hashes, [](const snapshot::Sha256Digest& hash) {
    return Hasher().add(std::as_bytes(std::span(hash))).digest();
  }));
}

void add_verification(Hasher& hasher, const snapshot::PeerVerification& verification) {
  hasher.add(verification.ca_pem).add(verification.crl_pem);
  hasher.add_set(
      digests_of(verification.subject_alt_names, [](const std::string& name) { return Hasher().add(name).digest(); }));
  add_hashes(hasher, verification.public_key_hashes);
  add_hashes(hasher, verification.certificate_hashes);
}

std::string to_text(Digest digest) {
  return fmt::format("{:016x}{:016x}", static_cast<uint64_t>(digest >> 64), static_cast<uint64_t>(digest));
}

void add_tls(Hasher& hasher, const snapshot::UpstreamTls& tls) {
  hasher.add(tls.server_name).add(tls.verifies).add(tls.is_complete);
  add_verification(hasher, tls.verification);
  hasher.add(tls.key_pair != nullptr);
  if (tls.key_pair != nullptr) hasher.add(tls.key_pair->chain_pem);
}

void add_ranges(Hasher& hasher, const std::vector<AddressRange>& ranges) {
  hasher.add_set(
      digests_of(ranges, [](const AddressRange& range) { return Hasher().add(range.to_string()).digest(); }));
}

Digest digest_of(const snapshot::Cluster& cluster) {
  Hasher hasher;
  hasher.add(cluster.name).add(cluster.host).add(cluster.service_name).add(cluster.service_namespace);
  hasher.add(static_cast<unsigned>(cluster.load_balancing))
      .add(cluster.connect_timeout.count())
      .add(static_cast<unsigned>(cluster.http))
      .add(cluster.http2_streams_max)
      .add(cluster.bounds.connections)
      .add(cluster.bounds.requests)
      .add(cluster.bounds.waiting)
      .add(cluster.bounds.retries)
      .add(cluster.bounds.retried_millionths)
      .add(static_cast<unsigned>(cluster.proxy_protocol));
  const snapshot::ConnectionTerms& terms = cluster.connection_terms;
  hasher.add(terms.idle_timeout.count())
      .add(terms.tunnel_idle_timeout.count())
      .add(terms.lifetime.count())
      .add(terms.requests_max)
      .add(terms.tcp_keepalive.has_value())
      .add(terms.http2_keepalive.has_value());
  if (const auto& keepalive = terms.tcp_keepalive)
    hasher.add(keepalive->probes).add(keepalive->idle).add(keepalive->interval);
  if (const auto& keepalive = terms.http2_keepalive)
    hasher.add(keepalive->interval.count()).add(keepalive->timeout.count());
  hasher.add_set(digests_of(cluster.endpoints, [](const snapshot::Endpoint& endpoint) {
    return Hasher().add(endpoint.address.to_string()).add(endpoint.weight).digest();
  }));
  hasher.add_set(digests_of(cluster.dns_names, [](const snapshot::Cluster::DnsName& name) {
    return Hasher().add(name.name).add(name.port).add(name.weight).digest();
  }));
  hasher.add(cluster.tls.has_value());
  if (cluster.tls) add_tls(hasher, *cluster.tls);
  if (cluster.resolution != snapshot::Resolution::configured) {
    hasher.add(static_cast<unsigned>(cluster.resolution)).add(cluster.requested_port);
    hasher.add(static_cast<unsigned>(cluster.guard.named)).add(static_cast<unsigned>(cluster.guard.original));
    add_ranges(hasher, cluster.guard.registered);
  }
  return hasher.digest();
}

void add_operations(Hasher& hasher, const snapshot::FieldOperations& operations) {
  add_texts(hasher, operations.remove);
  for (const auto* fields : {&operations.set, &operations.add}) {
    hasher.add(fields->size());
    for (const snapshot::FieldOperation& field : *fields) hasher.add(field.name).add(field.value.source);
  }
}

Digest digest_of(const snapshot::HeaderOperations& operations) {
  Hasher hasher;
  add_operations(hasher, operations.request);
  add_operations(hasher, operations.response);
  return hasher.add(operations.authority).digest();
}

// Of the tables that routes refer to by index.
struct Referred {
  std::vector<Digest> clusters;
  std::vector<Digest> header_operations;
  std::vector<Digest> route_lists;
};

void add_operations(Hasher& hasher, std::optional<uint32_t> index, const Referred& referred) {
  hasher.add(index.has_value());
  if (index) hasher.add(referred.header_operations[*index]);
}

void add_destinations(Hasher& hasher, const std::vector<snapshot::WeightedDestination>& destinations,
                      const Referred& referred) {
  hasher.add(destinations.size());
  for (const snapshot::WeightedDestination& to : destinations) {
    hasher.add(referred.clusters[to.cluster]).add(to.weight);
    add_operations(hasher, to.header_operations, referred);
  }
}

void add_text_match(Hasher& hasher, const snapshot::TextMatch& match) {
  hasher.add(static_cast<unsigned>(match.kind)).add(match.ignores_case);
  hasher.add(match.regex == nullptr ? std::string_view(match.text) : match.regex->expression());
}

void add_actions(Hasher& hasher, const snapshot::Route& route) {
  hasher.add(route.redirect != nullptr).add(route.direct_response != nullptr).add(route.rewrite != nullptr);
  hasher.add(route.fault != nullptr).add(route.cors != nullptr);
  if (const auto& redirect = route.redirect) {
    hasher.add(redirect->status).add(redirect->scheme).add(redirect->authority).add(redirect->port);
    hasher.add(redirect->has_request_port).add(redirect->path);
  }
  if (const auto& response = route.direct_response) hasher.add(response->status).add(response->body);
  if (const auto& rewrite = route.rewrite) {
    hasher.add(rewrite->prefix).add(rewrite->regex == nullptr ? std::string_view() : rewrite->regex->expression());
    hasher.add(rewrite->substitution);
  }
  hasher.add(route.retries != nullptr);
  if (const auto& retries = route.retries) {
    hasher.add(retries->attempts).add(retries->conditions).add(retries->statuses.size());
    for (const uint16_t status : retries->statuses) hasher.add(status);
    hasher.add(retries->per_try_timeout.count()).add(retries->backoff.count()).add(retries->avoids_previous_endpoint);
  }
  if (const auto& fault = route.fault) {
    hasher.add(fault->delay.count()).add(fault->delay_share).add(fault->abort_status).add(fault->abort_share);
    hasher.add(fault->abort_grpc_status ? static_cast<int>(*fault->abort_grpc_status) : -1);
  }
  if (const auto& cors = route.cors) {
    hasher.add(cors->origins.size());
    for (const snapshot::TextMatch& origin : cors->origins) add_text_match(hasher, origin);
    hasher.add(cors->allow_methods).add(cors->allow_headers).add(cors->expose_headers).add(cors->max_age);
    hasher.add(cors->allow_credentials).add(cors->answers_other_origins);
  }
}

Digest digest_of(const snapshot::Route& route, const Referred& referred) {
  Hasher hasher;
  hasher.add(route.name);
  add_actions(hasher, route);
  add_destinations(hasher, route.destinations, referred);
  hasher.add(route.mirrors.size());
  for (const snapshot::Mirror& mirror : route.mirrors) hasher.add(referred.clusters[mirror.cluster]).add(mirror.share);
  hasher.add(route.timeout.count());
  add_operations(hasher, route.header_operations, referred);
  return hasher.digest();
}

Digest digest_of(const snapshot::RouteList& list, const std::vector<Digest>& routes) {
  Hasher hasher;
  hasher.add(list.matches().size());
  for (const snapshot::RequestMatch& match : list.matches()) {
    add_text_match(hasher, match.path);
    hasher.add(match.conditions.size());
    for (const snapshot::Condition& condition : match.conditions) {
      hasher.add(static_cast<unsigned>(condition.subject)).add(condition.is_inverted).add(condition.name);
      add_text_match(hasher, condition.text);
    }
    hasher.add(routes[match.route]).add(match.name);
  }
  return hasher.digest();
}

Digest digest_of(const snapshot::RouteTable& table, const Referred& referred) {
  Hasher hasher;
  hasher.add(table.name);
  hasher.add_set(digests_of(table.virtual_hosts, [&](const snapshot::VirtualHost& virtual_host) {
    Hasher host;
    host.add(virtual_host.pattern).add(virtual_host.https_redirect).add(virtual_host.route_list.has_value());
    if (virtual_host.route_list) host.add(referred.route_lists[*virtual_host.route_list]);
    return host.digest();
  }));
  hasher.add(table.tcp_routes.size());
  for (const snapshot::TcpRoute& route : table.tcp_routes) {
    add_texts(hasher, route.server_names);
    if (!route.addresses.empty()) add_ranges(hasher.add(route.is_opaque), route.addresses);
    add_destinations(hasher, route.destinations, referred);
  }
  return hasher.digest();
}

// What clients see of it, but its hosts.
void add_server_tls(Hasher& hasher, const snapshot::TlsServer& server) {
  const snapshot::TlsSettings& settings = server.settings;
  hasher.add(static_cast<unsigned>(settings.min_version)).add(static_cast<unsigned>(settings.max_version));
  add_texts(hasher, settings.cipher_suites);
  add_texts(hasher, settings.alpn);
  hasher.add(static_cast<unsigned>(server.kind)).add(static_cast<unsigned>(settings.client_certificates));
  hasher.add(settings.client_verification.has_value());
  if (settings.client_verification) add_verification(hasher, *settings.client_verification);
  hasher.add(server.managed_secrets.size());
  for (const snapshot::ManagedSecret& secret : server.managed_secrets) hasher.add(secret.name);
  for (const auto& pair : server.key_pairs) {
    if (!pair->is_managed) hasher.add(pair->chain_pem).add(pair->ocsp_staple);
  }
  hasher.add(server.ticket_keys != nullptr);
  if (server.ticket_keys != nullptr) {
    for (const std::string* key : {&server.ticket_keys->current, &server.ticket_keys->previous})
      hasher.add(std::string_view(*key).substr(0, ticket_key_name_bytes));
  }
}

Digest digest_of(const snapshot::TlsServer& server, const std::vector<Digest>& tables) {
  Hasher hasher;
  hasher.add(server.name).add(tables[server.route_table]);
  hasher.add_set(digests_of(server.hosts, [](const std::string& host) { return Hasher().add(host).digest(); }));
  add_server_tls(hasher, server);
  return hasher.digest();
}

void add_process(Hasher& hasher, const snapshot::ProcessSettings& process) {
  hasher.add(process.concurrency.has_value()).add(process.concurrency.value_or(0));
  hasher.add(process.access_log_file.has_value()).add(process.access_log_file.value_or(""));
  hasher.add(process.drain_timeout.has_value()).add(process.drain_timeout.value_or(Duration()).count());
}

// Of the credentials only where they are from: the hash is shown, and a password could be guessed with it.
void add_outbound(Hasher& hasher, const snapshot::Outbound& outbound, const std::vector<Digest>& tables) {
  hasher.add_set(digests_of(outbound.ports, [&](const snapshot::Outbound::Port& port) {
    return Hasher().add(port.number).add(tables[port.route_table]).digest();
  }));
  hasher.add(tables[outbound.other_ports_table]).add(outbound.registry_only);
  hasher.add(static_cast<unsigned>(outbound.host_agreement)).add(outbound.detection_time.count());
  hasher.add(outbound.credentials.has_value());
  if (outbound.credentials) hasher.add(outbound.credentials->secret_name);
}

}  // namespace

std::string tls_identity(const snapshot::UpstreamTls& tls) {
  Hasher hasher;
  add_tls(hasher, tls);
  return to_text(hasher.digest());
}

std::string tls_identity(const snapshot::TlsServer& server) {
  Hasher hasher;
  add_server_tls(hasher, server);
  return to_text(hasher.digest());
}

std::string snapshot_hash(const snapshot::Snapshot& snapshot) {
  Referred referred{
      .clusters = digests_of(snapshot.clusters, [](const snapshot::Cluster& cluster) { return digest_of(cluster); }),
      .header_operations = digests_of(snapshot.header_operations, [](const snapshot::HeaderOperations& operations) {
        return digest_of(operations);
      })};
  const std::vector<Digest> routes =
      digests_of(snapshot.routes, [&](const snapshot::Route& route) { return digest_of(route, referred); });
  referred.route_lists =
      digests_of(snapshot.route_lists, [&](const snapshot::RouteList& list) { return digest_of(list, routes); });
  const std::vector<Digest> tables =
      digests_of(snapshot.route_tables, [&](const snapshot::RouteTable& table) { return digest_of(table, referred); });
  const auto digest_of_listener = [&](const snapshot::Listener& listener) {
    Hasher hasher;
    hasher.add(listener.address.to_string())
        .add(listener.service_port)
        .add(listener.is_tls)
        .add(listener.is_tcp)
        .add(listener.translates_grpc_web);
    if (listener.role != snapshot::ListenerRole::gateway)
      hasher.add(static_cast<unsigned>(listener.role)).add(listener.is_transparent);
    if (!listener.is_tls) hasher.add(tables[listener.route_table]);
    hasher.add_set(
        digests_of(listener.tls_servers, [&](const snapshot::TlsServer& server) { return digest_of(server, tables); }));
    return hasher.digest();
  };
  Hasher hasher;
  hasher.add_set(digests_of(snapshot.listeners, digest_of_listener)).add_set(referred.clusters);
  hasher.add(snapshot.topology.num_trusted_proxies).add(static_cast<unsigned>(snapshot.topology.forward_client_cert));
  hasher.add(snapshot.topology.expects_proxy_header);
  hasher.add(static_cast<unsigned>(snapshot.path_normalization));
  add_process(hasher, snapshot.process);
  if (snapshot.outbound) add_outbound(hasher, *snapshot.outbound, tables);
  if (snapshot.access_log_format) {
    hasher.add(static_cast<unsigned>(snapshot.access_log_format->encoding));
    for (const auto& [before, format] : snapshot.access_log_format->values) hasher.add(before).add(format.source);
    hasher.add(snapshot.access_log_format->end);
  }
  return to_text(hasher.digest());
}

}  // namespace sluice::config

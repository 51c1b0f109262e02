#include "config/destination_rules.h"

#include "base/limits.h"
#include "config/host_name.h"
#include "config/service_host.h"
#include "config/tls_settings.h"
#include "config/visibility.h"
#include "config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace sluice::config {

namespace {

// Of a retryBudget that says nothing else, as in Envoy.
constexpr uint32_t default_retried_millionths = 200'000;
constexpr uint32_t default_retries_always = 3;

using snapshot::LoadBalancing;

LoadBalancing load_balancing(std::string_view simple) noexcept {
  if (simple == "ROUND_ROBIN") return LoadBalancing::round_robin;
  return simple == "RANDOM" ? LoadBalancing::random : LoadBalancing::least_request;  // LEAST_CONN is its older name
}

// 0 is as good as nothing, as in Istio.
uint32_t bound_of(const Number& number) noexcept {
  return number.value == 0 ? snapshot::DestinationBounds::none : static_cast<uint32_t>(number.value);
}

uint32_t seconds_of(const TimeSpan& span) noexcept {
  return static_cast<uint32_t>(std::chrono::ceil<std::chrono::seconds>(span.value).count());
}

snapshot::ConnectionTerms connection_terms(const ConnectionPool& pool) {
  snapshot::ConnectionTerms terms;
  if (pool.http.idle_timeout.node != nullptr) terms.idle_timeout = pool.http.idle_timeout.value;
  if (pool.tcp.idle_timeout.node != nullptr) terms.tunnel_idle_timeout = pool.tcp.idle_timeout.value;
  terms.lifetime = pool.tcp.max_connection_duration.value;
  terms.requests_max = static_cast<uint32_t>(pool.http.max_requests_per_connection.value);
  if (const KeepaliveProbes& probes = pool.tcp.tcp_keepalive; probes.node != nullptr) {
    terms.tcp_keepalive = {.probes = static_cast<uint32_t>(probes.probes.value),
                           .idle = seconds_of(probes.time),
                           .interval = seconds_of(probes.interval)};
  }
  if (const KeepalivePings& pings = pool.http.http2_keep_alive; pings.node != nullptr)
    terms.http2_keepalive = {.interval = pings.interval.value, .timeout = pings.timeout.value};
  return terms;
}

bool has_tls(const ClientTls& tls) noexcept { return tls.mode.value == "SIMPLE" || tls.mode.value == "MUTUAL"; }

}  // namespace

DestinationRules::DestinationRules(const Model& model, Credentials& credentials, Diagnostics& diagnostics)
    : credentials_(credentials), diagnostics_(diagnostics) {
  for (const DestinationRule& rule : model.destination_rules) {
    const std::string host = full_host(rule.spec.host.value, rule.name_space());
    if (rule.is_broken) {
      broken_hosts_.add(host, 0);
      continue;
    }
    if (!is_exported(rule.spec.export_to, rule.name_space())) {
      diagnostics.warning(rule.place(), fmt::format("{} is not exported to {}, where the gateway is: it has no effect",
                                                    rule.title(), gateway_namespace));
      continue;
    }
    if (by_host_.add(host, static_cast<uint32_t>(rules_.size()))) rules_.push_back({.first = &rule});
    add(rule, rules_[*by_host_.find_pattern(host)]);
  }
}

void DestinationRules::add(const DestinationRule& rule, HostRules& rules) {
  const bool has_policy = rule.spec.traffic_policy.node != nullptr;
  const bool sets_policy = has_policy && rules.with_policy == nullptr;
  if (sets_policy) rules.with_policy = &rule;
  std::vector<const Subset*> defined_before;
  for (const Subset& subset : rule.spec.subsets) {
    if (!rules.subsets.try_emplace(subset.name.value, DefinedSubset{&rule, &subset}).second)
      defined_before.push_back(&subset);
  }
  if (&rule == rules.first) return;
  if (!sets_policy && defined_before.size() == rule.spec.subsets.size()) {
    return diagnostics_.warning(rule.spec.host.node->place(),
                                fmt::format("{} has no effect: {} ({}) comes first and is for the same host {}",
                                            rule.title(), rules.first->title(), rules.first->place().to_string(),
                                            in_quotes(full_host(rule.spec.host.value, rule.name_space()))));
  }
  const auto warn = [&](const Node& node, const std::string& what, const DestinationRule& first) {
    diagnostics_.warning(node.place(),
                         fmt::format("{} of {} has no effect: {} ({}) comes first and is for the same host", what,
                                     rule.title(), first.title(), first.place().to_string()));
  };
  if (has_policy && !sets_policy) warn(*rule.spec.traffic_policy.node, "trafficPolicy", *rules.with_policy);
  for (const Subset* subset : defined_before) {
    warn(*subset->name.node, "subset " + in_quotes(subset->name.value), *rules.subsets.at(subset->name.value).rule);
  }
}

const Subset* DestinationRules::find_subset(std::string_view host, std::string_view name) const {
  const std::optional<uint32_t> index = by_host_.find(host);
  if (!index) return nullptr;
  const auto found = rules_[*index].subsets.find(name);
  return found == rules_[*index].subsets.end() ? nullptr : found->second.subset;
}

// Each field that `by` has takes the place of what was there; its settings for the port take the place of everything
// that ports can have of their own.
void DestinationRules::override(Policy& policy, const DestinationRule& rule, const TrafficPolicy& by, uint32_t port) {
  if (by.proxy_protocol.node != nullptr) policy.proxy_protocol = &by.proxy_protocol;
  if (by.retry_budget.node != nullptr) policy.retry_budget = &by.retry_budget;
  const auto of_port = std::ranges::find_if(
      by.port_level_settings, [&](const PortTrafficPolicy& some) { return some.port.number.value == port; });
  if (of_port != by.port_level_settings.end()) {
    policy = {&of_port->load_balancer, &of_port->connection_pool, &of_port->tls, &rule,
              policy.proxy_protocol,   policy.retry_budget};
    return;
  }
  if (by.load_balancer.node != nullptr) policy.load_balancer = &by.load_balancer;
  if (by.connection_pool.node != nullptr) policy.connection_pool = &by.connection_pool;
  if (by.tls.node == nullptr) return;
  policy.tls = &by.tls;
  policy.rule_of_tls = &rule;
}

void DestinationRules::apply(snapshot::Cluster& cluster, uint32_t port, std::string_view subset,
                             const std::vector<Text>& names) {
  const std::optional<uint32_t> index = by_host_.find(cluster.host);
  if (!index) return;
  const HostRules& rules = rules_[*index];
  Policy policy;
  if (rules.with_policy != nullptr) override(policy, *rules.with_policy, rules.with_policy->spec.traffic_policy, port);
  if (const auto defined = rules.subsets.find(subset); defined != rules.subsets.end())
    override(policy, *defined->second.rule, defined->second.subset->traffic_policy, port);
  if (policy.load_balancer != nullptr) cluster.load_balancing = load_balancing(policy.load_balancer->simple.value);
  if (policy.connection_pool != nullptr) {
    const TimeSpan& timeout = policy.connection_pool->tcp.connect_timeout;
    if (timeout.node != nullptr) cluster.connect_timeout = timeout.value;
    const HttpConnectionPool& http = policy.connection_pool->http;
    if (http.h2_upgrade_policy.value == "UPGRADE") cluster.http = snapshot::UpstreamHttp::http2;
    if (http.use_client_protocol.value) cluster.http = snapshot::UpstreamHttp::as_client;
    if (http.max_concurrent_streams)
      cluster.http2_streams_max = std::min(http.max_concurrent_streams.value, limits::http2_streams_max);
    cluster.connection_terms = connection_terms(*policy.connection_pool);
    cluster.bounds = {.connections = bound_of(policy.connection_pool->tcp.max_connections),
                      .requests = bound_of(http.http2_max_requests),
                      .waiting = bound_of(http.http1_max_pending_requests),
                      .retries = bound_of(http.max_retries)};
  }
  if (const RetryBudget* budget = policy.retry_budget) {
    cluster.bounds.retried_millionths = budget->percent ? budget->percent.millionths : default_retried_millionths;
    cluster.bounds.retries =
        budget->min_retry_concurrency ? budget->min_retry_concurrency.value : default_retries_always;
  }
  if (cluster.bounds.bound_anything()) cluster.load = std::make_shared<snapshot::DestinationLoad>();
  if (policy.proxy_protocol != nullptr) {
    const bool is_v2 = policy.proxy_protocol->version.value == "V2";
    cluster.proxy_protocol = is_v2 ? snapshot::ProxyProtocol::v2 : snapshot::ProxyProtocol::v1;
  }
  if (policy.tls == nullptr || !has_tls(*policy.tls)) return;
  cluster.tls = upstream_tls(*policy.rule_of_tls, *policy.tls);
  std::vector<std::string>& accepted = cluster.tls->verification.subject_alt_names;
  if (!cluster.tls->verifies || !accepted.empty()) return;
  for (const Text& name : names) accepted.emplace_back(name.value);
}

const snapshot::UpstreamTls& DestinationRules::upstream_tls(const DestinationRule& rule, const ClientTls& tls) {
  const auto [made, is_new] = made_.try_emplace(&tls);
  snapshot::UpstreamTls& result = made->second;
  if (!is_new) return result;
  result.name = rule.title();
  result.place = tls.node->place();
  result.server_name = normalised_host(tls.sni.value);
  result.verifies = !tls.insecure_skip_verify.value;
  Diagnostics said_by_validation;
  result.verification.subject_alt_names = subject_alt_names(tls.subject_alt_names, said_by_validation);
  result.verification.place = result.place;
  tls.credential_name ? read_secret(rule, tls, result) : read_files(tls, result);
  return result;
}

// With mode SIMPLE only the CA is taken from the Secret, as in Istio.
void DestinationRules::read_secret(const DestinationRule& rule, const ClientTls& tls, snapshot::UpstreamTls& result) {
  constexpr std::string_view refused = "requests to its host get 503";
  const SecretUse use{rule, "credentialName", refused, refused};
  const bool is_mutual = tls.mode.value == "MUTUAL";
  const SecretStore::CredentialCa ca = credentials_.secrets.ca_of_credential(tls.credential_name, use);
  result.is_managed = credentials_.secrets.writer_of(tls.credential_name, use) != nullptr;
  if (is_mutual || !ca.is_known) {
    // For SIMPLE, only to say that it is missing.
    const Secret* secret = credentials_.secrets.find(tls.credential_name, use);
    if (is_mutual && secret != nullptr) result.key_pair = credentials_.secrets.key_pair(*secret);
    result.is_complete = ca.is_known && (!is_mutual || result.key_pair != nullptr);
  }
  if (ca.bundle && result.verifies) {
    result.verification.ca_pem = ca.bundle->ca_pem;
    result.verification.crl_pem = ca.bundle->crl_pem;
    result.verification.source_name = ca.bundle->source_name;
    result.verification.place = ca.bundle->place;
  }
  if (!ca.bundle && ca.is_known && !is_mutual) {
    diagnostics_.error(
        tls.credential_name.node->place(),
        fmt::format("credentialName {}: the Secret has neither cacert nor ca.crt, which is all that mode "
                    "SIMPLE takes from it; without credentialName the system's CAs are trusted",
                    in_quotes(tls.credential_name.value)));
  }
}

void DestinationRules::read_files(const ClientTls& tls, snapshot::UpstreamTls& result) {
  snapshot::PeerVerification& verification = result.verification;
  if (tls.mode.value == "MUTUAL") {
    result.key_pair =
        credentials_.files.key_pair({tls.client_certificate, "clientCertificate"}, {tls.private_key, "privateKey"});
    result.is_complete = result.key_pair != nullptr;
  }
  if (tls.ca_certificates) {
    verification.source_name = tls.ca_certificates.value;
    verification.place = tls.ca_certificates.node->place();
    result.is_complete &= credentials_.files.append({tls.ca_certificates, "caCertificates"},
                                                    limits::credential_file_bytes_max, verification.ca_pem);
  }
  if (tls.ca_crl) {
    result.is_complete &=
        credentials_.files.append({tls.ca_crl, "caCrl"}, limits::revocation_list_bytes_max, verification.crl_pem);
  }
}

}  // namespace sluice::config

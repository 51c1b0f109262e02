// MeshConfig and what is in it (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/). Much of it is for
// sidecars, istiod or Envoy itself, and a gateway of another make has nothing to do for it (no_effect). What would
// change traffic, logs or metrics of a gateway is built or refused; a value that asks for what sluice does anyway,
// such as the defaults that installers write, is not.
#include "base/limits.h"
#include "config/model.h"
#include "config/schema.h"

namespace sluice::config {

namespace {

using enum Presence;

constexpr std::string_view only_false[] = {"false"};
constexpr std::string_view only_true[] = {"true"};

// --- defaultConfig ---------------------------------------------------------------------------------

// UNDEFINED is SANITIZE_SET for a gateway.
constexpr Choice forward_client_cert_details[] = {{"UNDEFINED"},      {"SANITIZE"},     {"FORWARD_ONLY"},
                                                  {"APPEND_FORWARD"}, {"SANITIZE_SET"}, {"ALWAYS_FORWARD_ONLY"}};

constexpr FieldSchema topology_fields[] = {
    number<&Topology::num_trusted_proxies>("numTrustedProxies", 0, std::numeric_limits<uint32_t>::max(),
                                           "how many proxies in front are believed what they say of the client"),
    choice<&Topology::forward_client_cert_details>("forwardClientCertDetails", forward_client_cert_details,
                                                   "what becomes of x-forwarded-client-cert; SANITIZE_SET by default"),
    field<&Topology::proxy_protocol>("proxyProtocol",
                                     "{}: every connection begins with a PROXY header, which names the client"),
};

// The address that older installers write whether anybody listens there or not.
constexpr std::string_view installed_zipkin[] = {"zipkin.istio-system:9411"};

constexpr FieldSchema zipkin_fields[] = {
    planned("address", "where spans go", installed_zipkin),
};

constexpr FieldSchema tracing_fields[] = {
    field<&Tracing::zipkin>("zipkin", "spans to Zipkin"),
    planned("lightstep", "spans to Lightstep"),
    planned("datadog", "spans to Datadog"),
    planned("stackdriver", "spans to Stackdriver"),
    planned("openCensusAgent", "spans to OpenCensus"),
    planned("customTags", "further tags of spans"),
    planned("maxPathTagLength", "limit of the path in spans"),
    planned("sampling", "the share of requests that are traced"),
    planned("tlsSettings", "TLS to where spans go"),
    planned("enableIstioTags", "Istio's tags of spans"),
};

constexpr Choice interception_modes[] = {{"REDIRECT"}, {"TPROXY"}, {"NONE"}};

constexpr FieldSchema proxy_config_fields[] = {
    field<&ProxyConfig::gateway_topology>("gatewayTopology", "what is in front of the gateway"),
    field<&ProxyConfig::tracing>("tracing", "spans of requests"),
    planned("proxyHeaders", "which fields the proxy adds"),
    planned("connectionSettings", "limits of connections"),
    number<&ProxyConfig::concurrency>("concurrency", 0, limits::shards_max,
                                      "shards, at the start; 0: one per CPU; the option --concurrency wins"),
    field<&ProxyConfig::termination_drain_duration>("terminationDrainDuration",
                                                    "limit of draining after SIGTERM; the option --drain-timeout wins"),
    choice<&ProxyConfig::interception_mode>(
        "interceptionMode", interception_modes,
        "how the firewall sends connections to proxyListenPort: REDIRECT by default, or TPROXY"),
    planned("runtimeValues", "switches inside of Envoy"),
    planned("customConfigFile", "a configuration of Envoy"),
    planned("proxyBootstrapTemplatePath", "a configuration of Envoy"),
    planned("statsdUdpAddress", "metrics to statsd"),
    planned("envoyMetricsService", "metrics to a service"),
    planned("envoyMetricsServiceAddress", "metrics to a service (deprecated)"),
    planned("envoyAccessLogService", "access log lines to a service"),
    planned("zipkinAddress", "spans to Zipkin (deprecated)", installed_zipkin),
    no_effect("configPath", "for Istio's agent"),
    no_effect("binaryPath", "for Istio's agent"),
    no_effect("serviceCluster", "a name of the proxy in spans"),
    no_effect("tracingServiceName", "a name of the proxy in spans"),
    no_effect("drainDuration", "for Envoy's hot restart and its listeners; terminationDrainDuration is of SIGTERM"),
    no_effect("parentShutdownDuration", "removed from the API"),
    no_effect("discoveryAddress", "where istiod is"),
    no_effect("discoveryRefreshDelay", "for Istio's agent"),
    no_effect("proxyAdminPort", "Envoy's; the option --admin is sluice's"),
    no_effect("availabilityZone", "removed from the API"),
    no_effect("controlPlaneAuthPolicy", "for connections to istiod"),
    no_effect("statNameLength", "for Envoy's statistics"),
    no_effect("sds", "removed from the API"),
    no_effect("proxyMetadata", "variables of Istio's agent"),
    no_effect("statusPort", "of Istio's agent"),
    no_effect("extraStatTags", "for Envoy's statistics"),
    no_effect("proxyStatsMatcher", "for Envoy's statistics"),
    no_effect("statsCompression", "for Envoy's statistics"),
    no_effect("meshId", "a name of the mesh in telemetry"),
    no_effect("readinessProbe", "for virtual machines in the mesh"),
    no_effect("holdApplicationUntilProxyStarts", "for sidecars"),
    no_effect("caCertificatesPem", "for mutual TLS inside of the mesh"),
    no_effect("image", "for the injector of sidecars"),
    no_effect("privateKeyProvider", "for Envoy; sluice finds out what the processor can"),
    no_effect("fileFlushInterval", "for Envoy's log files"),
    no_effect("fileFlushMinSizeKb", "for Envoy's log files"),
};

// --- MeshConfig ------------------------------------------------------------------------------------

constexpr FieldSchema default_providers_fields[] = {
    no_effect("metrics", "Prometheus reads sluice's metrics from its admin port, whatever is set here"),
    planned("tracing", "where spans go"),
    planned("accessLogging", "where access log lines go"),
};

constexpr Choice access_log_encodings[] = {{"TEXT"}, {"JSON"}};

constexpr Choice normalizations[] = {{"DEFAULT"}, {"BASE"}, {"NONE"}, {"MERGE_SLASHES"}, {"DECODE_AND_MERGE_SLASHES"}};

constexpr FieldSchema path_normalization_fields[] = {
    choice<&PathNormalization::normalization>("normalization", normalizations,
                                              "how paths are normalised; DEFAULT is BASE"),
};

constexpr Choice outbound_modes[] = {{"ALLOW_ANY"}, {"REGISTRY_ONLY"}, {"ALLOW_ANY_DYNAMIC_DNS"}};

constexpr FieldSchema outbound_traffic_policy_fields[] = {
    choice<&OutboundTrafficPolicy::mode>("mode", outbound_modes,
                                         "whether destinations that no document registers may be reached; ALLOW_ANY "
                                         "by default"),
    planned("egressProxy", "where traffic goes to destinations that no document registers"),
};

constexpr std::string_view usual_dns_refresh_rate[] = {"60s"};
constexpr std::string_view usual_export[] = {"*"};
constexpr std::string_view usual_root_namespace[] = {"istio-system"};
constexpr std::string_view no_upgrade[] = {"DO_NOT_UPGRADE"};

constexpr FieldSchema mesh_config_fields[] = {
    field<&MeshConfig::default_config>("defaultConfig", "settings of the proxies"),
    field<&MeshConfig::default_providers>("defaultProviders", "where telemetry goes"),
    field<&MeshConfig::path_normalization>("pathNormalization", "how paths are normalised"),
    field<&MeshConfig::access_log_file>("accessLogFile",
                                        "where access log lines go, at the start; empty: nowhere; --access-log wins"),
    field<&MeshConfig::access_log_format>("accessLogFormat", "what access log lines say"),
    choice<&MeshConfig::access_log_encoding>("accessLogEncoding", access_log_encodings,
                                             "whether access log lines are TEXT or JSON"),
    field<&MeshConfig::connect_timeout>("connectTimeout", "limit of connecting to destinations; 10s by default"),
    number<&MeshConfig::proxy_http_port>("proxyHttpPort", 0, port_max,
                                         "port of the explicit HTTP proxy for outbound traffic; 0: there is none"),
    number<&MeshConfig::proxy_listen_port>(
        "proxyListenPort", 0, port_max,
        "port to which the firewall sends outbound connections; 0, as without it: there is none"),
    field<&MeshConfig::outbound_traffic_policy>("outboundTrafficPolicy", "where outbound traffic may go"),
    field<&MeshConfig::protocol_detection_timeout>(
        "protocolDetectionTimeout",
        "how long the first bytes of connections to proxyListenPort are waited for; 200ms by default"),
    planned("tcpKeepalive", "keep-alive probes to destinations"),
    planned("enableTracing", "spans of requests", only_false),
    planned("enableEnvoyAccessLogService", "access log lines to a service", only_false),
    planned("disableEnvoyListenerLog", "no log lines of connections without a server", only_false),
    planned("configSources", "documents from elsewhere"),
    planned("defaultServiceExportTo", "who sees services without exportTo", usual_export),
    planned("defaultVirtualServiceExportTo", "who sees VirtualServices without exportTo", usual_export),
    planned("defaultDestinationRuleExportTo", "who sees DestinationRules without exportTo", usual_export),
    planned("rootNamespace", "the namespace of documents for everybody", usual_root_namespace),
    planned("localityLbSetting", "preference of near endpoints"),
    planned("zoneAwareLbSetting", "preference of near endpoints"),
    planned("dnsRefreshRate", "how often names are resolved", usual_dns_refresh_rate),
    planned("h2UpgradePolicy", "HTTP/2 to destinations", no_upgrade),
    planned("verifyCertificateAtClient", "whether certificates of destinations are verified (deprecated)", only_true),
    planned("discoverySelectors", "the namespaces whose documents are read"),
    planned("defaultHttpRetryPolicy", "when to try again"),
    planned("tlsDefaults", "suites and groups of TLS outside of the mesh"),
    planned("defaultTrafficPolicy", "how destinations are called"),
    planned("serviceEntryVisibility", "who sees ServiceEntries"),
    no_effect("proxyInboundListenPort", "for sidecars"),
    no_effect("hboneIdleTimeout", "for tunnels inside of the mesh"),
    no_effect("ingressClass", "for documents of kind Ingress"),
    no_effect("ingressService", "for documents of kind Ingress"),
    no_effect("ingressControllerMode", "for documents of kind Ingress"),
    no_effect("ingressSelector", "for documents of kind Ingress"),
    no_effect("inboundTrafficPolicy", "for sidecars"),
    no_effect("enableAutoMtls", "for mutual TLS inside of the mesh"),
    no_effect("trustDomain", "for mutual TLS inside of the mesh"),
    no_effect("trustDomainAliases", "for mutual TLS inside of the mesh"),
    no_effect("caCertificates", "for mutual TLS inside of the mesh"),
    no_effect("meshMTLS", "for mutual TLS inside of the mesh"),
    no_effect("ca", "for istiod"),
    no_effect("certificates", "for istiod"),
    no_effect("inboundClusterStatName", "for Envoy's statistics"),
    no_effect("outboundClusterStatName", "for Envoy's statistics"),
    no_effect("serviceSettings", "for several clusters"),
    no_effect("serviceScopeConfigs", "for several clusters"),
    no_effect("enablePrometheusMerge", "for sidecars"),
    no_effect("extensionProviders", "names for other documents and for defaultProviders, which decide what is used"),
    no_effect("thriftConfig", "removed from the API"),
};

// --- The kind ProxyConfig --------------------------------------------------------------------------

constexpr FieldSchema workload_selector_fields[] = {
    field<&WorkloadSelector::match_labels>("matchLabels", "labels of pods"),
};

constexpr FieldSchema proxy_config_spec_fields[] = {
    field<&ProxyConfigSpec::selector>("selector", "the workloads that it is for; all of the namespace by default"),
    number<&ProxyConfigSpec::concurrency>("concurrency", 0, limits::shards_max,
                                          "shards, at the start; 0: one per CPU; the option --concurrency wins"),
    no_effect("environmentVariables", "variables of Istio's agent"),
    no_effect("image", "for the injector of sidecars"),
};

constexpr FieldSchema proxy_config_document_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&ProxyConfigDocument::metadata, ProxyConfigDocument>("metadata", "name and labels", required),
    field<&ProxyConfigDocument::spec>("spec", "the settings"),
    no_effect("status", "written by controllers"),
};

}  // namespace

constinit const ObjectSchema ProxyProtocolConfiguration::schema{"ProxyProtocolConfiguration", {}};
constinit const ObjectSchema Topology::schema{"Topology", topology_fields};
constinit const ObjectSchema ZipkinTracer::schema{"Zipkin", zipkin_fields};
constinit const ObjectSchema Tracing::schema{"Tracing", tracing_fields};
constinit const ObjectSchema ProxyConfig::schema{"ProxyConfig", proxy_config_fields};
constinit const ObjectSchema DefaultProviders::schema{"DefaultProviders", default_providers_fields};
constinit const ObjectSchema PathNormalization::schema{"ProxyPathNormalization", path_normalization_fields};
constinit const ObjectSchema OutboundTrafficPolicy::schema{"OutboundTrafficPolicy", outbound_traffic_policy_fields};
constinit const ObjectSchema MeshConfig::schema{"MeshConfig", mesh_config_fields};
constinit const ObjectSchema WorkloadSelector::schema{"WorkloadSelector", workload_selector_fields};
constinit const ObjectSchema ProxyConfigSpec::schema{"ProxyConfigSpec", proxy_config_spec_fields};
constinit const ObjectSchema ProxyConfigDocument::schema{"ProxyConfig", proxy_config_document_fields};

}  // namespace sluice::config

// Gateways and VirtualServices as a test makes them up: a small model, the same as YAML text, and requests for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::property {

struct TextRule {
  enum class Kind : uint8_t { any, exact, prefix, regex };
  Kind kind = Kind::any;  // any: the field or parameter is there
  std::string text;
};
using NamedRules = std::vector<std::pair<std::string, TextRule>>;

struct Match {
  std::optional<TextRule> uri;
  bool ignore_uri_case = false;
  std::optional<TextRule> scheme;
  std::optional<TextRule> method;
  std::optional<TextRule> authority;
  NamedRules headers;
  NamedRules without_headers;
  NamedRules query_params;
  std::optional<uint32_t> port;
  std::vector<std::string> gateways;
  std::optional<std::string> source_namespace;
  std::optional<std::string> source_label;  // value of the label "istio"
};

struct Destination {
  std::string host;
  uint32_t weight = 0;
};

struct Route {
  std::string name;  // unique in the installation
  std::vector<Match> matches;
  std::vector<Destination> destinations;
};

struct VirtualService {
  std::string name;
  std::string name_space;
  std::string created;  // empty: not known, which is older than all others
  std::vector<std::string> hosts;
  std::vector<std::string> gateways;
  std::vector<std::string> export_to;
  std::vector<Route> routes;
};

struct Server {
  std::string name;
  uint32_t port = 80;
  bool is_https = false;
  bool redirects = false;
  std::vector<std::string> hosts;  // "[namespace/]pattern"
};

struct Gateway {
  std::string name;
  std::string name_space;
  std::string created;
  std::string label;  // the selector's value of "istio"
  std::vector<Server> servers;
};

struct Installation {
  uint32_t trusted_proxies = 0;
  std::vector<Gateway> gateways;                 // as they are read
  std::vector<VirtualService> virtual_services;  // as they are read

  [[nodiscard]] std::string yaml() const;
};

struct Request {
  uint32_t port = 80;       // where it came to
  std::string server_name;  // SNI, of a port with TLS
  bool is_https = false;
  std::string method;
  std::string authority;
  std::string host;  // of the authority: lower case, without port
  std::string path;
  std::string query;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case

  [[nodiscard]] std::string describe() const;
};

inline constexpr std::string_view known_hosts[] = {"one.example", "two.example", "three.example"};

// From a seed: always the same.
class Generator {
 public:
  explicit Generator(uint64_t seed);
  [[nodiscard]] Installation installation();
  [[nodiscard]] Request request(const Installation& installation);

 private:
  uint64_t below(uint64_t bound);
  bool chance(uint64_t percent) { return below(100) < percent; }
  template <typename Items>
  const auto& one_of(const Items& items);
  std::string host_name();
  std::string host_pattern();
  std::string host_of(const std::string& pattern);
  std::string path_of(const Installation& installation);
  std::string name_space();
  std::string created();
  std::string path();
  TextRule path_rule();
  TextRule value_rule(bool may_be_any);
  NamedRules named_rules(bool are_fields);
  Match match(const Installation& installation, const VirtualService& service);
  Gateway gateway(size_t number);
  VirtualService virtual_service(const Installation& installation, size_t number);
  std::string gateway_reference(const Installation& installation, const VirtualService& service);

  uint64_t state_;
};

}  // namespace sluice::property

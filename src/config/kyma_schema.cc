// The kinds of gateway.kyma-project.io
// (https://github.com/kyma-project/api-gateway, docs/user/custom-resources/apirule). Version v2alpha1 of APIRule has
// the fields of v2.
#include "config/model.h"
#include "config/schema.h"

namespace sluice::config {

namespace {

using enum Presence;

constexpr uint32_t timeout_max_s = 3900;

constexpr Choice methods[] = {{"GET"},     {"HEAD"},    {"POST"},  {"PUT"},  {"DELETE"},
                              {"CONNECT"}, {"OPTIONS"}, {"TRACE"}, {"PATCH"}};

constexpr FieldSchema service_fields[] = {
    field<&ApiRuleService::name>("name", "the Service", required),
    field<&ApiRuleService::name_space>("namespace", "its namespace; that of spec.service or of the APIRule by default"),
    number<&ApiRuleService::port>("port", 1, port_max, "the port of the Service", required),
    no_effect("external", "not used by Kyma either"),
};

constexpr FieldSchema request_fields[] = {
    field<&ApiRuleRequest::headers>("headers", "fields that replace those of the same name; Host rewrites the host"),
    field<&ApiRuleRequest::cookies>("cookies", "the Cookie field, in place of what the client has sent"),
};

constexpr FieldSchema path_fields[] = {
    field<&ApiRulePath::path>("path", "a path; {*} is one segment, {**} any number of them; /* is every path",
                              required),
    choice<&ApiRulePath::methods>("methods", methods, "the methods that are let through", required),
    field<&ApiRulePath::no_auth>("noAuth", "true: open to everybody; a rule without it is refused"),
    planned("jwt", "lets only requests with a JSON Web Token through; without it the path would be open to everybody"),
    planned("extAuth", "asks an authorization service first; without it the path would be open to everybody"),
    field<&ApiRulePath::service>("service", "where requests go; spec.service by default"),
    number<&ApiRulePath::timeout_s>("timeout", 1, timeout_max_s,
                                    "seconds of the whole response, 504 beyond them; spec.timeout by default"),
    field<&ApiRulePath::request>("request", "changes of header fields, before a request is forwarded"),
};

constexpr FieldSchema cors_policy_fields[] = {
    field<&ApiRuleCorsPolicy::allow_origins>("allowOrigins", "origins that may ask"),
    field<&ApiRuleCorsPolicy::allow_methods>("allowMethods", "Access-Control-Allow-Methods"),
    field<&ApiRuleCorsPolicy::allow_headers>("allowHeaders", "Access-Control-Allow-Headers"),
    field<&ApiRuleCorsPolicy::expose_headers>("exposeHeaders", "Access-Control-Expose-Headers"),
    number<&ApiRuleCorsPolicy::max_age_s>("maxAge", 1, int32_max, "seconds for which the answer to a preflight holds"),
    field<&ApiRuleCorsPolicy::allow_credentials>("allowCredentials", "whether requests may have cookies"),
};

constexpr FieldSchema spec_fields[] = {
    field<&ApiRuleSpec::hosts>("hosts", "one host; a single label gets the domain of the Gateway", required),
    field<&ApiRuleSpec::gateway>("gateway", "the Gateway: namespace/name"),
    planned("externalGateway", "a Gateway that Kyma makes, for clients with certificates"),
    field<&ApiRuleSpec::service>("service", "where the requests of rules without a service go"),
    number<&ApiRuleSpec::timeout_s>("timeout", 1, timeout_max_s, "seconds of the whole response; 180 by default"),
    field<&ApiRuleSpec::cors_policy>("corsPolicy", "which origins' pages may ask (fetch.spec.whatwg.org)"),
    field<&ApiRuleSpec::rules>("rules", "the paths, the first one that fits counts", required),
};

constexpr FieldSchema api_rule_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&ApiRule::metadata, ApiRule>("metadata", "name and labels", required),
    field<&ApiRule::spec>("spec", "the host and its paths", required),
    no_effect("status", "written by controllers"),
};

constexpr std::string_view group = "gateway.kyma-project.io";
constexpr std::string_view api_rule_versions[] = {"v2", "v2alpha1"};
constexpr std::string_view older_api_rule_versions[] = {"v1beta2", "v1beta1", "v1alpha1"};
constexpr std::string_view rate_limit_versions[] = {"v1alpha1"};

constexpr KindSchema api_rule_kind() {
  KindSchema kind = document_kind<&Model::api_rules>("APIRule", group, api_rule_versions,
                                                     "paths of a host, as Kyma "
                                                     "exposes them");
  kind.older_versions = older_api_rule_versions;
  kind.older_advice =
      "its accessStrategies say who may call, and without them the paths would be open to everybody; migrate it to "
      "v2, where noAuth: true says that they are";
  return kind;
}

constexpr KindSchema kinds[] = {
    api_rule_kind(),
    planned_kind("RateLimit", group, rate_limit_versions, "how many requests are let through"),
};

}  // namespace

constinit const ObjectSchema ApiRuleService::schema{"APIRuleService", service_fields};
constinit const ObjectSchema ApiRuleRequest::schema{"APIRuleRequest", request_fields};
constinit const ObjectSchema ApiRulePath::schema{"APIRulePath", path_fields};
constinit const ObjectSchema ApiRuleCorsPolicy::schema{"APIRuleCorsPolicy", cors_policy_fields};
constinit const ObjectSchema ApiRuleSpec::schema{"APIRuleSpec", spec_fields};
constinit const ObjectSchema ApiRule::schema{"APIRule", api_rule_fields};

std::span<const KindSchema> kyma_kinds() noexcept { return kinds; }

}  // namespace sluice::config

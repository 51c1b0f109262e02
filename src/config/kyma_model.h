// Kinds of gateway.kyma-project.io as they are written.
#pragma once

#include "config/virtual_service_model.h"

#include <vector>

namespace sluice::config {

struct ApiRuleService {
  const Node* node = nullptr;
  Text name;
  Text name_space;
  Number port;
  static const ObjectSchema schema;
};

struct ApiRuleRequest {
  const Node* node = nullptr;
  TextMap headers;
  TextMap cookies;
  static const ObjectSchema schema;
};

// One path of an APIRule.
struct ApiRulePath {
  const Node* node = nullptr;
  Text path;
  std::vector<Text> methods;
  Flag no_auth;
  ApiRuleService service;
  Number timeout_s;
  ApiRuleRequest request;
  static const ObjectSchema schema;
};

struct ApiRuleCorsPolicy {
  const Node* node = nullptr;
  std::vector<StringMatch> allow_origins;
  std::vector<Text> allow_methods;
  std::vector<Text> allow_headers;
  std::vector<Text> expose_headers;
  Flag allow_credentials;
  Number max_age_s;
  static const ObjectSchema schema;
};

struct ApiRuleSpec {
  const Node* node = nullptr;
  std::vector<Text> hosts;
  Text gateway;
  ApiRuleService service;
  Number timeout_s;
  ApiRuleCorsPolicy cors_policy;
  std::vector<ApiRulePath> rules;
  static const ObjectSchema schema;
};

struct ApiRule : Document {
  ApiRuleSpec spec;
  static const ObjectSchema schema;
};

}  // namespace sluice::config

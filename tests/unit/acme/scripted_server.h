// An ACME server whose answers a test has written down; it takes each as often as it says, and nothing that it does not
// expect. What it was asked is kept, signed requests with their parts in clear.
#pragma once

#include "acme/client.h"
#include "base/base64.h"
#include "keys.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace sluice::acme {

inline const std::string kServer = "https://acme.test";

class ScriptedServer {
 public:
  struct Asked {
    HttpRequest http;
    nlohmann::json header;  // the protected one
    std::string payload;
  };

  ScriptedServer() {
    directory = {{"newNonce", kServer + "/nonce"}, {"newAccount", kServer + "/account"},
                 {"newOrder", kServer + "/order"}, {"revokeCert", kServer + "/revoke"},
                 {"keyChange", kServer + "/key"},  {"renewalInfo", kServer + "/renewal"}};
  }

  // The next answer to what is neither the directory nor a nonce.
  void answer(unsigned status, const nlohmann::json& body, std::vector<HttpField> fields = {}) {
    answer_text(status, body.dump(), std::move(fields));
  }
  void answer_text(unsigned status, std::string body, std::vector<HttpField> fields = {}) {
    answers_.push_back({.status = status, .fields = std::move(fields), .body = std::move(body)});
  }
  void refuse(unsigned status, const std::string& type, const std::string& detail = "no",
              std::vector<HttpField> fields = {}) {
    answer(status, {{"type", "urn:ietf:params:acme:error:" + type}, {"detail", detail}}, std::move(fields));
  }

  Client client() {
    return Client([this](const HttpRequest& request) { return take(request); }, kServer + "/directory");
  }
  [[nodiscard]] Account account() const {
    return {std::make_shared<const AccountKey>(*AccountKey::read(kRfc7515EcKey)), kServer + "/account/1"};
  }

  [[nodiscard]] const Asked& last() const { return asked.back(); }
  [[nodiscard]] bool has_answers_left() const { return !answers_.empty(); }

  nlohmann::json directory;
  std::vector<Asked> asked;  // neither the directory nor nonces
  unsigned directories = 0;
  unsigned nonces = 0;

 private:
  Answer<HttpResponse> take(const HttpRequest& request) {
    if (request.url == kServer + "/directory") {
      ++directories;
      return HttpResponse{.status = 200, .body = directory.dump()};
    }
    const HttpField nonce{"replay-nonce", "nonce-" + std::to_string(next_nonce_++)};
    if (request.url == kServer + "/nonce") {
      EXPECT_EQ(request.method, Method::head);
      ++nonces;
      return HttpResponse{.status = 200, .fields = {nonce}};
    }
    Asked what{.http = request};
    if (request.method == Method::post) {
      const auto jws = nlohmann::json::parse(request.body);
      what.header = nlohmann::json::parse(*read_base64url(jws["protected"].get<std::string>()));
      what.payload = *read_base64url(jws["payload"].get<std::string>());
    }
    asked.push_back(std::move(what));
    if (answers_.empty()) return fail(FailureKind::passing, "the connection was refused");
    HttpResponse response = std::move(answers_.front());
    answers_.pop_front();
    if (request.method == Method::post) response.fields.push_back(nonce);
    return response;
  }

  std::deque<HttpResponse> answers_;
  unsigned next_nonce_ = 0;
};

}  // namespace sluice::acme

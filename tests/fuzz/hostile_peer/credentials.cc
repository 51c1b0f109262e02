#include "credentials.h"

#include "fixed_random.h"

#include "base/check.h"
#include "tls/server_context.h"

#include <ctime>

namespace sluice::fuzz {
namespace {

using test::Authority;
using test::IssueOptions;

constexpr long kBegin = 1'704'067'200;  // 2024
constexpr long kEnd = 4'070'908'800;    // 2099
constexpr long kRevokedSerial = 66;

// Authority counts from now on.
IssueOptions in_this_century(IssueOptions options) {
  options.not_before_s = kBegin - time(nullptr);
  options.not_after_s = kEnd - time(nullptr);
  return options;
}

test::Pem issue_server(const Authority& issuer, bool is_ecdsa = true) {
  return issuer.issue(in_this_century({.subject = {{"O", "Example"}, {"CN", "server"}},
                                       .alternative_names = std::string("DNS:") + kServerName + ",IP:192.0.2.1",
                                       .extended_key_usage = "serverAuth",
                                       .key_usage = "critical,digitalSignature",
                                       .is_ecdsa = is_ecdsa}));
}

test::Pem issue_client(const Authority& issuer, long serial = 1000) {
  return issuer.issue(in_this_century({.alternative_names = "URI:spiffe://cluster.local/ns/default/sa/client",
                                       .extended_key_usage = "clientAuth",
                                       .serial = serial}));
}

Credentials make() {
  CHECK(tls::initialize().has_value());
  restart_random(1);
  const Authority root("root", nullptr, in_this_century({}));
  const Authority others("others", nullptr, in_this_century({}));
  const Authority intermediate(
      "intermediate", &root,
      in_this_century(
          {.basic_constraints = "critical,CA:TRUE,pathlen:0", .name_constraints = "excluded;DNS:other", .serial = 77}));
  const auto with_intermediate = [&](test::Pem pem) {
    pem.certificate += intermediate.certificate();
    return pem;
  };
  const Authority::ListOptions always{.this_update_s = kBegin - time(nullptr), .next_update_s = kEnd - time(nullptr)};
  return {.server_ecdsa = issue_server(root),
          .server_rsa = issue_server(root, false),
          .server_by_intermediate = with_intermediate(issue_server(intermediate)),
          .server_of_others = issue_server(others),
          .client = issue_client(root),
          .client_by_intermediate = with_intermediate(issue_client(intermediate)),
          .client_of_others = issue_client(others),
          .client_revoked = issue_client(root, kRevokedSerial),
          .ca_pem = root.certificate(),
          .intermediate_pem = intermediate.certificate(),
          .crl_pem = root.revocation_list({1, kRevokedSerial, 100'000}, always)};
}

}  // namespace

const Credentials& credentials() {
  static const Credentials made = make();
  return made;
}

std::shared_ptr<const snapshot::KeyPair> key_pair(const test::Pem& pem, std::string ocsp_staple) {
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->chain_pem = pem.certificate;
  pair->key_pem = pem.key;
  pair->ocsp_staple = std::move(ocsp_staple);
  pair->secret_name = "istio-system/fuzz";
  return pair;
}

snapshot::PeerVerification verification(Revocation revocation) {
  return {.ca_pem = credentials().ca_pem,
          .crl_pem = revocation == Revocation::checked ? credentials().crl_pem : "",
          .source_name = "istio-system/fuzz-cacert"};
}

}  // namespace sluice::fuzz

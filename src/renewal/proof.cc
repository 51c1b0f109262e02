#include "renewal/proof.h"

#include "base/address.h"
#include "base/check.h"
#include "certs/self_signed.h"
#include "dns/challenge_name.h"
#include "dns/txt_lookup.h"
#include "snapshot/snapshot.h"
#include "tls/client_hello.h"
#include "tls/server_context.h"

#include <fmt/format.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::renewal {

namespace {

using acme::ChallengeType;

std::string arpa_name(const std::string& address) {
  std::array<unsigned char, 16> bytes{};
  std::string name;
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) {
    return fmt::format("{}.{}.{}.{}.in-addr.arpa", bytes[3], bytes[2], bytes[1], bytes[0]);
  }
  CHECK(inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1);  // validation has seen to it
  for (size_t i = bytes.size(); i-- > 0;)
    fmt::format_to(std::back_inserter(name), "{:x}.{:x}.", bytes[i] & 15, bytes[i] >> 4);
  return name + "ip6.arpa";
}

// RFC 8737 3: nothing but this protocol. The server's client is not one of ours: it has the suites of RFC 9325 4.2.
Result<std::shared_ptr<tls::ServerContext>> challenge_context(const Proof& proof, WallTime now) {
  Result<certs::IssuedCertificate> certificate = certs::make_acme_challenge(proof.host, proof.value, now);
  if (!certificate) return std::unexpected(certificate.error());
  auto pair = std::make_shared<snapshot::KeyPair>();
  pair->secret_name = "challenge for " + proof.host;
  pair->chain_pem = certificate->chain_pem;
  pair->key_pem = certificate->key_pem;
  pair->is_challenge = true;
  snapshot::TlsServer server;
  server.name = pair->secret_name;
  server.settings.cipher_suites = {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
                                   "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"};
  server.settings.alpn = {std::string(tls::acme_tls_alpn)};
  server.key_pairs.push_back(std::move(pair));
  return tls::ServerContext::create(server);
}

Result<std::vector<dns::Nameserver>> nameservers_of(const std::vector<std::string>& texts) {
  std::vector<dns::Nameserver> servers;
  for (const std::string& text : texts) {
    Result<dns::Nameserver> server = dns::read_nameserver(text);
    if (!server) return std::unexpected(server.error());
    servers.push_back(std::move(*server));
  }
  return servers;
}

}  // namespace

Proof make_proof(const acme::Identifier& identifier, const acme::Challenge& challenge, const acme::AccountKey& key) {
  std::string authorization = acme::key_authorization(challenge, key);
  switch (challenge.type) {
    case ChallengeType::http_01: return {challenge.type, challenge.token, std::move(authorization), {}};
    case ChallengeType::tls_alpn_01:
      return {challenge.type,
              identifier.type == acme::Identifier::Type::ip ? arpa_name(identifier.value) : identifier.value,
              std::move(authorization), identifier.value};
    case ChallengeType::dns_01: break;
  }
  return {challenge.type, dns::challenge_name(identifier.value), acme::dns_value(authorization), {}};
}

Status Proofs::put_up(const Proof& proof, WallTime now) {
  switch (proof.type) {
    case ChallengeType::http_01: board_.put_http(proof.name, proof.value); return {};
    case ChallengeType::tls_alpn_01: {
      Result<std::shared_ptr<tls::ServerContext>> context = challenge_context(proof, now);
      if (!context) return std::unexpected(context.error());
      board_.put_certificate(proof.name, std::move(*context));
      return {};
    }
    case ChallengeType::dns_01: break;
  }
  return {};
}

void Proofs::take_down(const Proof& proof) {
  switch (proof.type) {
    case ChallengeType::http_01: return board_.remove_http(proof.name);
    case ChallengeType::tls_alpn_01: return board_.remove_certificate(proof.name);
    case ChallengeType::dns_01: break;
  }
}

Result<bool> Proofs::is_visible(const Proof& proof) const {
  if (proof.type != ChallengeType::dns_01) return board_.is_served();
  if (issuer_.skips_dns_records) return true;
  Result<std::vector<dns::Nameserver>> servers = nameservers_of(issuer_.precheck_nameservers);
  if (!servers) return std::unexpected(servers.error());
  Result<dns::TxtAnswer> answer = dns::look_up_txt(proof.name, *servers, stop_);
  if (!answer) return std::unexpected(answer.error());
  return std::ranges::find(answer->texts, proof.value) != answer->texts.end();
}

}  // namespace sluice::renewal

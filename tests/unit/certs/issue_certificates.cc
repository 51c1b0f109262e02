// Issues for issued_certificates.py: issue_certificates ISSUER KEY_TYPE OUT
// ISSUER is self_signed, fallback, challenge, request, or the files of a CA: ISSUER.crt and ISSUER.key.
// Writes OUT.crt, OUT.key and, if there is one, OUT.ca; of a request OUT.csr and OUT.key.
#include "certs/authority.h"
#include "certs/self_signed.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

using namespace sluice;

namespace {

template <typename T>
T value_of(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) {
  if (!text.empty()) std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::string issuer = argv[1], out = argv[3];
  const std::map<std::string, certs::KeyType> key_types{{"rsa_2048", certs::KeyType::rsa_2048},
                                                        {"rsa_3072", certs::KeyType::rsa_3072},
                                                        {"rsa_4096", certs::KeyType::rsa_4096},
                                                        {"ecdsa_p256", certs::KeyType::ecdsa_p256},
                                                        {"ecdsa_p384", certs::KeyType::ecdsa_p384}};
  const WallTime now = std::chrono::system_clock::now();
  const certs::CertificateWish wish{.common_name = "a.example.com",
                                    .names = {.dns_names = {"*.example.com", "xn--bcher-kva.example"},
                                              .ip_addresses = {"192.0.2.1", "2001:db8::1"},
                                              .emails = {"admin@example.com"},
                                              .uris = {"spiffe://cluster.local/ns/a"}},
                                    .key_type = key_types.at(argv[2]),
                                    .is_ca = issuer == "self_signed",
                                    .duration = std::chrono::hours(24 * 30),
                                    .csr_pem = {},
                                    .preferred_chain = {}};
  certs::IssuedCertificate issued;
  if (issuer == "self_signed") {
    issued = value_of(certs::issue_self_signed(wish, now));
  } else if (issuer == "fallback") {
    issued = value_of(certs::make_fallback(std::vector<std::string>{"*", "*.example.com", "a.example.org"}, now));
  } else if (issuer == "challenge") {
    issued = value_of(certs::make_acme_challenge("a.example.com", "token.thumbprint", now));
  } else if (issuer == "request") {
    const certs::SigningKey key = value_of(certs::SigningKey::make(wish.key_type));
    const auto subject = value_of(certs::requested_subject(wish, certs::IssuerKind::acme));
    const std::string der = value_of(certs::make_request(subject, key));
    write(out + ".csr", tls::encode_pem(as_bytes(der), certs::kRequestLabel));
    issued.key_pem = value_of(key.to_pem(certs::KeyEncoding::pkcs8));
  } else {
    const auto authority = value_of(certs::Authority::read(read(issuer + ".crt"), read(issuer + ".key")));
    issued = value_of(authority.issue(wish, now));
  }
  write(out + ".crt", issued.chain_pem);
  write(out + ".key", issued.key_pem);
  write(out + ".ca", issued.ca_pem);
  return 0;
}

#include "certs/certificate_wish.h"

#include "base/address.h"
#include "base/limits.h"
#include "certs/certificate_parts.h"
#include "config/host_name.h"
#include "config/wording.h"
#include "tls/parsed_certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::certs {
namespace {

void add_once(std::vector<std::string>& names, std::string name) {
  if (std::ranges::find(names, name) == names.end()) names.insert(names.begin(), std::move(name));
}

// Where clients look for it. A common name that is no host stays what it is: a text for people.
void add_host(SubjectNames& names, const std::string& common_name) {
  if (const auto address = SocketAddress::from_ip(common_name, 0)) {
    add_once(names.ip_addresses, address->ip_text());
  } else if (!wrong_with_dns_name(common_name)) {
    add_once(names.dns_names, config::normalised_host(common_name));
  }
}

}  // namespace

Result<Subject> requested_subject(const CertificateWish& wish, IssuerKind kind) {
  Subject subject;
  if (!wish.csr_pem.empty()) {
    if (!wish.common_name.empty() || wish.names.count() > 0)
      return failure("a certificate request (csr) has its own names: leave commonName and the other names out");
    Result<CertificateRequest> request = read_request(wish.csr_pem);
    if (!request) return failure("csr " + request.error().message);
    subject = std::move(request->subject);
  } else {
    if (const auto wrong = wrong_with_common_name(wish.common_name))
      return failure(fmt::format("the common name {} cannot be used: {}", config::in_quotes(wish.common_name), *wrong));
    Result<SubjectNames> names = normalised(wish.names);
    if (!names) return std::unexpected(names.error());
    subject = {wish.common_name, std::move(*names)};
  }
  const bool is_plain_ca = wish.is_ca && kind == IssuerKind::ca;
  if (!is_plain_ca && !subject.common_name.empty()) add_host(subject.names, subject.common_name);

  const size_t count = subject.names.count();
  if (count > limits::certificate_names_max)
    return failure(
        fmt::format("{} names are too many: a certificate has at most {}", count, limits::certificate_names_max));
  if (count > 0 || (wish.is_ca && !subject.common_name.empty())) return subject;
  return failure(subject.common_name.empty()
                     ? "the certificate has no name: set commonName or dnsNames"
                     : fmt::format("the certificate names no host: the common name {} is none, and clients look at "
                                   "the other names: set dnsNames",
                                   config::in_quotes(subject.common_name)));
}

namespace {

// One part of what is hashed: no two lists of parts have the same text.
void append_part(std::string& text, std::string_view name, std::string_view value) {
  text += fmt::format("{} {} {}\n", name, value.size(), value);
}

void append_names(std::string& text, std::string_view kind, std::vector<std::string> names) {
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  for (const std::string& name : names) append_part(text, kind, name);
}

constexpr std::string_view text_of(KeyType type) noexcept {
  switch (type) {
    case KeyType::rsa_2048: return "RSA 2048";
    case KeyType::rsa_3072: return "RSA 3072";
    case KeyType::rsa_4096: return "RSA 4096";
    case KeyType::ecdsa_p256: return "ECDSA 256";
    case KeyType::ecdsa_p384: return "ECDSA 384";
  }
  return "";
}

}  // namespace

std::string request_digest(std::string_view issuer, const CertificateWish& wish) {
  const SubjectNames names = normalised(wish.names).value_or(wish.names);
  std::string text = "sluice certificate 1\n";
  append_part(text, "issuer", issuer);
  append_part(text, "commonName", wish.common_name);
  append_names(text, "dnsName", names.dns_names);
  append_names(text, "ipAddress", names.ip_addresses);
  append_names(text, "emailAddress", names.emails);
  append_names(text, "uri", names.uris);
  if (wish.csr_pem.empty()) {  // otherwise the key is the user's
    append_part(text, "key", text_of(wish.key_type));
    append_part(text, "encoding", wish.key_encoding == KeyEncoding::pkcs8 ? "PKCS8" : "PKCS1");
  }
  append_part(text, "isCA", wish.is_ca ? "true" : "false");
  append_part(text, "duration", fmt::format("{}", std::chrono::floor<std::chrono::seconds>(wish.duration).count()));
  append_part(text, "csr", wish.csr_pem);
  append_part(text, "preferredChain", wish.preferred_chain);
  std::string digest;
  for (const uint8_t byte : tls::sha256(as_bytes(text))) digest += fmt::format("{:02x}", byte);
  return digest;
}

}  // namespace sluice::certs

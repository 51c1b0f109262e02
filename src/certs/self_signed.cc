#include "certs/self_signed.h"

#include "base/limits.h"
#include "certs/certificate_parts.h"
#include "certs/der_writer.h"
#include "certs/make_certificate.h"
#include "certs/object_identifiers.h"
#include "certs/validity.h"
#include "tls/parsed_certificate.h"
#include "tls/pem.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::certs {
namespace {

constexpr std::string_view kAction = "making a self-signed certificate";

struct Options {
  Subject subject;  // with a common name
  KeyType key_type = KeyType::rsa_2048;
  KeyEncoding key_encoding = KeyEncoding::pkcs8;
  bool is_ca = false;
  Duration duration{};
  std::string more_extensions;
};

Result<IssuedCertificate> make(const Options& options, WallTime now) {
  Result<SigningKey> key = SigningKey::make(options.key_type);
  if (!key) return failure(fmt::format("{}: {}", kAction, key.error().message));
  const std::string name = make_name(options.subject.common_name);
  const Validity validity = validity_from(now, options.duration);
  const Result<std::string> der = make_certificate({.issuer = name,
                                                    .subject = name,
                                                    .public_key = {key->is_rsa(), key->public_key()},
                                                    .names = options.subject.names,
                                                    .is_ca = options.is_ca,
                                                    .not_before = validity.not_before,
                                                    .not_after = validity.not_after,
                                                    .authority_key_identifier = {},
                                                    .more_extensions = options.more_extensions},
                                                   *key);
  if (!der) return failure(fmt::format("{}: {}", kAction, der.error().message));
  Result<std::string> key_pem = key->to_pem(options.key_encoding);
  if (!key_pem) return failure(fmt::format("{}: {}", kAction, key_pem.error().message));

  IssuedCertificate issued;
  issued.chain_pem = tls::encode_pem(as_bytes(*der), tls::kCertificateLabel);
  issued.key_pem = std::move(*key_pem);
  return issued;
}

// The first of the hosts that can be one; a certificate needs a subject to be a CA, and to be told from others.
std::string common_name_of(const SubjectNames& names) {
  for (const auto* hosts : {&names.dns_names, &names.ip_addresses}) {
    if (!hosts->empty() && !wrong_with_common_name(hosts->front())) return hosts->front();
  }
  return "self-signed";
}

}  // namespace

Result<IssuedCertificate> issue_self_signed(const CertificateWish& wish, WallTime now) {
  if (!wish.is_ca)
    return failure(fmt::format("{}: it is its own CA, and the document does not ask for one: set isCA: true", kAction));
  if (!wish.csr_pem.empty())
    return failure(
        fmt::format("{}: the key of a certificate request (csr) is not here, and it would have to sign: "
                    "use an Issuer of the kind ca or acme",
                    kAction));
  if (Status status = check_duration(wish.duration); !status)
    return failure(fmt::format("{}: {}", kAction, status.error().message));
  Result<Subject> subject = requested_subject(wish, IssuerKind::self_signed);
  if (!subject) return failure(fmt::format("{}: {}", kAction, subject.error().message));
  if (subject->common_name.empty()) subject->common_name = common_name_of(subject->names);
  Result<IssuedCertificate> issued = make({.subject = std::move(*subject),
                                           .key_type = wish.key_type,
                                           .key_encoding = wish.key_encoding,
                                           .is_ca = true,
                                           .duration = wish.duration,
                                           .more_extensions = {}},
                                          now);
  if (issued) issued->ca_pem = issued->chain_pem;
  return issued;
}

Result<IssuedCertificate> make_self_signed(const SelfSignedOptions& options, WallTime now) {
  if (options.lifetime <= Duration::zero())
    return failure(fmt::format("{}: the lifetime must be longer than zero", kAction));
  if (options.hosts.empty())
    return failure(fmt::format("{}: no host is given; name at least one, for example *.local.kyma.dev", kAction));
  if (options.hosts.size() > limits::self_signed_hosts_max)
    return failure(fmt::format("{}: {} hosts are too many for one certificate ({} at most)", kAction,
                               options.hosts.size(), limits::self_signed_hosts_max));
  Result<SubjectNames> names = names_of_hosts(options.hosts);
  if (!names) return failure(fmt::format("{}: {}", kAction, names.error().message));
  std::string common_name = common_name_of(*names);
  return make({.subject = {std::move(common_name), std::move(*names)},
               .key_type = options.key_type,
               .duration = options.lifetime,
               .more_extensions = {}},
              now);
}

Result<IssuedCertificate> make_fallback(std::span<const std::string> hosts, WallTime now) {
  SelfSignedOptions options{.hosts = {}, .lifetime = std::chrono::hours(24 * 365)};
  for (const std::string& host : hosts) {
    if (host != "*") options.hosts.push_back(host);
  }
  if (options.hosts.empty()) options.hosts.emplace_back("localhost");
  return make_self_signed(options, now);
}

Result<IssuedCertificate> make_acme_challenge(const std::string& identifier, std::string_view key_authorization,
                                              WallTime now) {
  Result<SubjectNames> names = names_of_hosts({&identifier, 1});
  if (!names) return failure(fmt::format("answering an ACME challenge: {}", names.error().message));
  const auto hash = tls::sha256(as_bytes(key_authorization));
  const std::string authorization = der::octet_string({reinterpret_cast<const char*>(hash.data()), hash.size()});
  return make({.subject = {"ACME challenge", std::move(*names)},
               .key_type = KeyType::ecdsa_p256,
               .duration = std::chrono::hours(24 * 7),  // orders live no longer
               .more_extensions = make_extension(oid::acme_identifier, true, authorization)},
              now);
}

}  // namespace sluice::certs

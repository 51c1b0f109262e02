#include "certs/authority.h"

#include "base/limits.h"
#include "base/wipe.h"
#include "certs/certificate_parts.h"
#include "certs/der_writer.h"
#include "certs/make_certificate.h"
#include "certs/validity.h"
#include "config/wording.h"
#include "tls/decoded_certificate.h"

#include <wolfssl/wolfcrypt/error-crypt.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace sluice::certs {
namespace {

// Of the CA's certificate: whether it may issue certificates for TLS servers.
Status check_ca(const tls::DecodedCertificate& ca) {
  const DecodedCert& decoded = *ca.wolfssl;
  if (!decoded.isCA)
    return failure("tls.crt does not begin with a CA certificate (basicConstraints CA:TRUE): put the CA's first");
  if (decoded.extKeyUsageSet && (decoded.extKeyUsage & KEYUSE_KEY_CERT_SIGN) == 0)
    return failure("the CA certificate in tls.crt may not sign certificates: its keyUsage lacks keyCertSign");
  // Not RFC 5280's rule, but what clients do.
  if (decoded.extExtKeyUsageSet && (decoded.extExtKeyUsage & (EXTKEYUSE_ANY | EXTKEYUSE_SERVER_AUTH)) == 0)
    return failure(
        "the CA certificate in tls.crt is not for TLS servers: it has an extendedKeyUsage without serverAuth");
  return {};
}

// A client that knows the last certificate must find the way from the first one.
Status check_links(const std::vector<tls::Der>& chain) {
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    const auto certificate = tls::decode_certificate(chain[i]);
    const auto issuer = tls::decode_certificate(chain[i + 1]);
    if (!certificate || !issuer)
      return failure(
          fmt::format("tls.crt holds a certificate that cannot be read (number {})", certificate ? i + 2 : i + 1));
    if (!std::ranges::equal(certificate->issuer, issuer->subject) || tls::check_signature(*certificate, *issuer) != 0)
      return failure(
          fmt::format("certificate number {} of tls.crt has not issued number {}: put the CA first, and "
                      "after each certificate the one of its issuer",
                      i + 2, i + 1));
  }
  return {};
}

}  // namespace

Authority::Authority(std::vector<tls::Der> chain, SigningKey key, tls::ParsedCertificate parsed) noexcept
    : chain_(std::move(chain)), key_(std::move(key)), parsed_(std::move(parsed)) {}

Result<Authority> Authority::read(std::string_view chain_pem, std::string_view key_pem) {
  if (chain_pem.size() > limits::issuer_pem_bytes_max)
    return failure(fmt::format("tls.crt has {} bytes; {} are allowed", chain_pem.size(), limits::issuer_pem_bytes_max));
  Result<SigningKey> key = SigningKey::read(key_pem);
  if (!key) return failure("tls.key " + key.error().message);
  Result<std::vector<tls::Der>> chain = tls::decode_pem(chain_pem, tls::kCertificateLabel);
  if (!chain) return failure("tls.crt " + chain.error().message);
  if (chain->size() > limits::issuer_chain_certificates_max)
    return failure(fmt::format("tls.crt holds {} certificates; {} are allowed: the CA and those above it",
                               chain->size(), limits::issuer_chain_certificates_max));
  Result<tls::ParsedCertificate> parsed = tls::parse_certificate(chain->front());
  if (!parsed) return failure("tls.crt " + parsed.error().message);
  const auto ca = tls::decode_certificate(chain->front());
  if (!ca) return failure("tls.crt holds a certificate that cannot be read");
  const Result<PublicKey> public_key = read_public_key(ca->public_key);
  if (!public_key) return failure("the key of the CA certificate in tls.crt " + public_key.error().message);
  if (public_key->der != key->public_key())
    return failure("tls.key does not belong to the first certificate of tls.crt: store a matching pair, the CA first");
  if (Status status = check_ca(*ca); !status) return std::unexpected(status.error());
  if (Status status = check_links(*chain); !status) return std::unexpected(status.error());
  return Authority(std::move(*chain), std::move(*key), std::move(*parsed));
}

Status Authority::check_dates(WallTime now) const {
  if (now > parsed_.not_after)
    return failure(fmt::format("the CA certificate ({}) expired on {}: renew it", parsed_.subject,
                               tls::to_rfc3339(parsed_.not_after)));
  if (now < parsed_.not_before)
    return failure(fmt::format("the CA certificate ({}) is not valid before {}: check this machine's clock, or wait",
                               parsed_.subject, tls::to_rfc3339(parsed_.not_before)));
  return {};
}

// --- Issuing ---------------------------------------------------------------------------------------

namespace {

// Whose certificate it becomes.
struct Applicant {
  PublicKey public_key;
  std::string key_pem;  // empty: of a request. The caller wipes it

  Applicant() = default;
  Applicant(Applicant&&) = default;
  Applicant& operator=(Applicant&&) = default;
  ~Applicant() { wipe(key_pem); }
};

Result<Applicant> make_applicant(const CertificateWish& wish) {
  Applicant applicant;
  if (!wish.csr_pem.empty()) {
    Result<CertificateRequest> request = read_request(wish.csr_pem);
    if (!request) return failure("csr " + request.error().message);
    applicant.public_key = std::move(request->public_key);
    return applicant;
  }
  const Result<SigningKey> key = SigningKey::make(wish.key_type);
  if (!key) return std::unexpected(key.error());
  Result<std::string> pem = key->to_pem(wish.key_encoding);
  if (!pem) return std::unexpected(pem.error());
  applicant.public_key = {key->is_rsa(), key->public_key()};
  applicant.key_pem = std::move(*pem);
  return applicant;
}

// What clients will check; RFC 5280 4.2.1.10 is the part that the wish decides.
Status check_issued(ConstBytes der, const std::vector<tls::Der>& chain) {
  const auto issued = tls::decode_certificate(der);
  if (!issued) return failure(fmt::format("the new certificate cannot be read: {}", wc_GetErrorString(issued.error())));
  for (size_t i = 0; i < chain.size(); ++i) {
    const auto above = tls::decode_certificate(chain[i]);
    if (!above) return failure(fmt::format("certificate number {} of tls.crt cannot be read", i + 1));
    if (!tls::allows_names(*above, *issued))
      return failure("the name constraints of the CA do not allow all of the names");
    if (i > 0) continue;
    if (const int code = tls::check_signature(*issued, *above); code != 0)
      return failure(fmt::format("the new certificate does not verify: {}", wc_GetErrorString(code)));
  }
  return {};
}

}  // namespace

Result<IssuedCertificate> Authority::issue(const CertificateWish& wish, WallTime now) const {
  if (Status status = check_dates(now); !status) return std::unexpected(status.error());
  if (Status status = check_duration(wish.duration); !status) return std::unexpected(status.error());
  const auto ca = tls::decode_certificate(chain_.front());
  if (!ca) return failure("the CA certificate cannot be read");
  Validity validity = validity_from(now, wish.duration);
  validity.not_before = std::max(validity.not_before, ca->not_before);
  if (validity.not_after > ca->not_after)
    return failure(
        fmt::format("the certificate would be valid until {}, and the CA ({}) is until {}: ask for a "
                    "shorter duration, or renew the CA",
                    tls::to_rfc3339(validity.not_after), parsed_.subject, tls::to_rfc3339(ca->not_after)));
  if (wish.is_ca && ca->wolfssl->pathLengthSet && ca->wolfssl->pathLength == 0)
    return failure(fmt::format("the CA ({}) has pathlen:0: no CA may stand below it", parsed_.subject));

  const Result<Subject> subject = requested_subject(wish, IssuerKind::ca);
  if (!subject) return std::unexpected(subject.error());
  std::string name = make_name(subject->common_name, organisation_of(ca->subject));
  if (std::ranges::equal(as_bytes(name), as_bytes(der::sequence({as_text(ca->subject)})))) {
    // It would pass for self-signed.
    if (!subject->common_name.empty())
      return failure(fmt::format("the common name {} is the CA's own: choose another one",
                                 config::in_quotes(subject->common_name)));
    name = make_name("");
  }
  if (wish.is_ca && subject->common_name.empty())
    return failure("a certificate that is a CA needs a name of its own: set commonName");

  Result<Applicant> applicant = make_applicant(wish);
  if (!applicant) return std::unexpected(applicant.error());
  const ConstBytes ca_identifier = subject_key_identifier(ca->der);
  const Result<std::string> der =
      make_certificate({.issuer = der::sequence({as_text(ca->subject)}),
                        .subject = std::move(name),
                        .public_key = std::move(applicant->public_key),
                        .names = subject->names,
                        .is_ca = wish.is_ca,
                        .not_before = validity.not_before,
                        .not_after = validity.not_after,
                        .authority_key_identifier = ca_identifier.empty() ? key_identifier(key_.public_key())
                                                                          : std::string(as_text(ca_identifier)),
                        .more_extensions = {}},
                       key_);
  if (!der) return std::unexpected(der.error());
  if (Status status = check_issued(as_bytes(*der), chain_); !status) return std::unexpected(status.error());

  IssuedCertificate issued;
  issued.chain_pem = tls::encode_pem(as_bytes(*der), tls::kCertificateLabel);
  for (const tls::Der& above : chain_) {
    const auto decoded = tls::decode_certificate(above);
    // RFC 8446 4.4.2: clients have the root, or do not believe it.
    if (decoded && !decoded->is_self_issued()) issued.chain_pem += tls::encode_pem(above, tls::kCertificateLabel);
  }
  issued.ca_pem = tls::encode_pem(chain_.front(), tls::kCertificateLabel);
  issued.key_pem = std::move(applicant->key_pem);
  return issued;
}

}  // namespace sluice::certs

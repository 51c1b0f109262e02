#include "tls/peer_verifier.h"

#include "base/address.h"
#include "base/check.h"
#include "base/release_memory.h"
#include "tls/decoded_certificate.h"
#include "tls/distinguished_name.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>

namespace sluice::tls {
namespace {

constexpr size_t kPathMax = 10;  // certificates, with leaf and CA
// Of one verification. Certificates of the same name could otherwise be arranged in endless ways.
constexpr unsigned kSignatureChecksMax = 20;
constexpr size_t kTextShownMax = 200;  // of a name that a peer chose
constexpr size_t kNamesShownMax = 5;
constexpr size_t kRsaModulusBytesMin = 1024 / 8;

std::string shown(std::string text) {
  if (text.size() > kTextShownMax) text = text.substr(0, kTextShownMax) + "...";
  return text;
}

std::string shown_name(ConstBytes name) { return shown(to_rfc2253(name)); }

std::string_view noun(Side peer) noexcept { return peer == Side::client ? "client" : "server"; }

// "the client's certificate (CN=x)"
std::string describe(const DecodedCertificate& certificate, Side peer) {
  return fmt::format("the {}'s certificate ({})", noun(peer), shown_name(certificate.subject));
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (lower.ends_with('.')) lower.pop_back();
  return lower;
}

// RFC 6125 6.4.3: a wildcard is the whole first label and stands for exactly one label.
bool dns_name_matches(std::string_view pattern, std::string_view host) {
  const std::string wanted = lower_case(host);
  const std::string offered = lower_case(pattern);
  if (wanted.empty()) return false;
  if (offered == wanted) return true;
  const size_t dot = wanted.find('.');
  if (!offered.starts_with("*.") || dot == 0 || dot == std::string::npos) return false;
  // "*.com" would be anybody's.
  const std::string_view rest = std::string_view(wanted).substr(dot);
  return rest.find('.', 1) != std::string_view::npos && std::string_view(offered).substr(1) == rest;
}

// Whether the certificate has exactly this name, of whatever kind.
bool has_name(const ParsedCertificate& certificate, const std::string& name, Side peer) {
  if (const auto address = SocketAddress::from_ip(name, 0))
    return std::ranges::find(certificate.ip_addresses, address->ip_text()) != certificate.ip_addresses.end();
  const auto is_name = [&](const std::string& dns_name) {
    return peer == Side::server ? dns_name_matches(dns_name, name) : lower_case(dns_name) == lower_case(name);
  };
  return std::ranges::any_of(certificate.dns_names, is_name) ||
         std::ranges::find(certificate.uris, name) != certificate.uris.end() ||
         std::ranges::find(certificate.emails, name) != certificate.emails.end();
}

std::string shown_names(const ParsedCertificate& certificate) {
  std::vector<std::string> names;
  for (const auto* list : {&certificate.dns_names, &certificate.ip_addresses, &certificate.uris, &certificate.emails})
    names.insert(names.end(), list->begin(), list->end());
  if (names.empty()) return "no name at all in subjectAltName";
  const size_t count = std::min(names.size(), kNamesShownMax);
  std::string text;
  for (size_t i = 0; i < count; ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", shown(names[i]));
  if (names.size() > count) text += fmt::format(" and {} more", names.size() - count);
  return text;
}

std::optional<Failure> check_dates(const DecodedCertificate& certificate, const std::string& what, WallTime now) {
  if (now > certificate.not_after) {
    return Failure{fmt::format("{} has expired: it was valid until {}", what, to_rfc3339(certificate.not_after)),
                   Alert::certificate_expired};
  }
  if (now < certificate.not_before) {
    return Failure{fmt::format("{} is not valid yet: it will be from {}, or this machine's clock is wrong", what,
                               to_rfc3339(certificate.not_before)),
                   Alert::certificate_expired};
  }
  return std::nullopt;
}

// RFC 5280 4.2.1.12; for CAs too, as all implementations read it.
bool may_be_used_by(const DecodedCertificate& certificate, Side peer) noexcept {
  const int wanted = peer == Side::client ? EXTKEYUSE_CLIENT_AUTH : EXTKEYUSE_SERVER_AUTH;
  return !certificate.wolfssl->extExtKeyUsageSet ||
         (certificate.wolfssl->extExtKeyUsage & (wanted | EXTKEYUSE_ANY)) != 0;
}

bool has_short_key(const DecodedCertificate& certificate) noexcept {
  return certificate.wolfssl->keyOID == RSAk && certificate.wolfssl->pubKeySize < kRsaModulusBytesMin;
}

// Not by its name of snapshot/, which is a macro of wolfSSL.
using Digest = std::array<uint8_t, 32>;

bool contains_hash(const std::vector<Digest>& hashes, ConstBytes bytes) {
  return !hashes.empty() && std::ranges::find(hashes, sha256(bytes)) != hashes.end();
}

}  // namespace

// From the leaf to the CA that is trusted; only the leaf, when it is trusted itself.
struct PeerVerifier::Path {
  std::vector<const DecodedCertificate*> certificates;
};

// Looks for a path by trying issuers by name, first the trusted ones.
class PeerVerifier::PathFinder {
 public:
  PathFinder(const PeerVerifier& verifier, std::span<const DecodedCertificate> sent, WallTime now)
      : verifier_(verifier), sent_(sent), now_(now) {
    path_.certificates.push_back(&sent.front());
  }

  bool find() {
    const DecodedCertificate& last = *path_.certificates.back();
    if (verifier_.store_->contains(last.der)) return true;
    if (path_.certificates.size() == kPathMax) return false;
    for (const TrustStore::Certificate& trusted : verifier_.store_->with_subject(last.issuer)) {
      auto issuer = decode_certificate(trusted.der);
      if (!issuer) continue;
      const DecodedCertificate& kept = trusted_.emplace_back(std::move(*issuer));
      if (!is_issued_by(kept)) continue;
      path_.certificates.push_back(&kept);
      return true;
    }
    for (const DecodedCertificate& issuer : sent_.subspan(1)) {
      if (!std::ranges::equal(issuer.subject, last.issuer) || is_in_path(issuer) || !is_issued_by(issuer)) continue;
      path_.certificates.push_back(&issuer);
      if (find()) return true;
      path_.certificates.pop_back();
    }
    return false;
  }

  [[nodiscard]] const Path& path() const noexcept { return path_; }

  // Why there is none: the most telling of what was found wrong with issuers.
  [[nodiscard]] Failure failure() const {
    if (problem_) return *problem_;
    const DecodedCertificate& leaf = sent_.front();
    return {fmt::format("{} was issued by '{}', which is none of {}, and no intermediate certificate that leads to one "
                        "of them was sent",
                        describe(leaf, verifier_.peer_), shown_name(leaf.issuer), verifier_.describe_source()),
            Alert::unknown_ca};
  }

 private:
  [[nodiscard]] bool is_in_path(const DecodedCertificate& certificate) const noexcept {
    return std::ranges::any_of(path_.certificates, [&](const DecodedCertificate* other) {
      return std::ranges::equal(other->der, certificate.der);
    });
  }

  bool reject(std::string text, Alert alert) {
    if (!problem_) problem_ = Failure{std::move(text), alert};
    return false;
  }

  // RFC 5280 6.1.4, for the last certificate of the path.
  bool is_issued_by(const DecodedCertificate& issuer) {
    const DecodedCertificate& last = *path_.certificates.back();
    const DecodedCert& decoded = *issuer.wolfssl;
    const bool has_other_key = last.wolfssl->extAuthKeyIdSet && decoded.extSubjKeyIdSet &&
                               std::memcmp(last.wolfssl->extAuthKeyId, decoded.extSubjKeyId, KEYID_SIZE) != 0;
    if (has_other_key) return false;
    const std::string what = fmt::format("'{}', which issued {}", shown_name(issuer.subject),
                                         describe(*path_.certificates.front(), verifier_.peer_));
    // Version 1 has no extensions to say so; only a CA that is trusted can be one.
    const bool is_old_ca = decoded.version == 0 && verifier_.store_->contains(issuer.der);
    if (!decoded.isCA && !is_old_ca)
      return reject(fmt::format("{}, is no CA (basicConstraints)", what), Alert::unknown_ca);
    if (decoded.extKeyUsageSet && (decoded.extKeyUsage & KEYUSE_KEY_CERT_SIGN) == 0)
      return reject(fmt::format("{}, may not issue certificates (keyUsage)", what), Alert::unknown_ca);
    if (decoded.pathLengthSet && intermediates_in_path() > decoded.pathLength)
      return reject(fmt::format("{}, may not have so many CAs below it (pathLenConstraint)", what), Alert::unknown_ca);
    if (!may_be_used_by(issuer, verifier_.peer_))
      return reject(fmt::format("{}, may not issue for this use (extendedKeyUsage)", what),
                    Alert::unsupported_certificate);
    if (has_short_key(issuer)) return reject(fmt::format("{}, has too short a key", what), Alert::bad_certificate);
    if (auto dates = check_dates(issuer, what + ",", now_)) return reject(std::move(dates->text), dates->alert);
    if (++signature_checks_ > kSignatureChecksMax)
      return reject("the certificates that were sent can be arranged in too many ways", Alert::bad_certificate);
    switch (const int code = check_signature(last, issuer)) {
      case 0: return true;
      case ASN_NAME_INVALID_E:
        return reject(fmt::format("{}, may not issue it: its name constraints exclude the names", what),
                      Alert::bad_certificate);
      case MEMORY_E: return reject("out of memory", Alert::internal_error);
      default:
        return reject(fmt::format("{} is not signed by the key of '{}' ({})", describe(last, verifier_.peer_),
                                  shown_name(issuer.subject), wc_GetErrorString(code)),
                      Alert::bad_certificate);
    }
  }

  // RFC 5280 4.2.1.9: the leaf does not count, and a CA that issued itself a new certificate does not.
  [[nodiscard]] unsigned intermediates_in_path() const noexcept {
    unsigned count = 0;
    for (const DecodedCertificate* certificate : std::span(path_.certificates).subspan(1))
      count += certificate->is_self_issued() ? 0 : 1;
    return count;
  }

  const PeerVerifier& verifier_;
  std::span<const DecodedCertificate> sent_;
  WallTime now_;
  std::deque<DecodedCertificate> trusted_;  // those that were tried
  Path path_;
  std::optional<Failure> problem_;
  unsigned signature_checks_ = 0;
};

// --- Making it -------------------------------------------------------------------------------------

Result<std::shared_ptr<const PeerVerifier>> PeerVerifier::create(const snapshot::PeerVerification& verification,
                                                                 Side peer) {
  if (verification.ca_pem.empty() && peer == Side::client)
    return failure("there are no CA certificates to verify clients with");
  Result<std::shared_ptr<const TrustStore>> store =
      verification.ca_pem.empty() ? TrustStore::of_system() : TrustStore::from_pem(verification.ca_pem);
  const std::string source =
      verification.source_name.empty() ? "the CA certificates" : fmt::format("{}:", verification.source_name);
  if (!store) {
    return verification.ca_pem.empty() ? Result<std::shared_ptr<const PeerVerifier>>(std::unexpected(store.error()))
                                       : failure(fmt::format("{} ca.crt {}", source, store.error().message));
  }
  std::shared_ptr<PeerVerifier> verifier(new PeerVerifier(verification, peer, *store));
  if (!verification.crl_pem.empty()) {
    Result<RevocationLists> lists = RevocationLists::create(verification.crl_pem, **store);
    if (!lists) return failure(fmt::format("{} ca.crl {}", source, lists.error().message));
    verifier->revocation_lists_ = std::move(*lists);
  }
  release_memory(verifier->verification_.ca_pem);
  release_memory(verifier->verification_.crl_pem);
  return verifier;
}

std::string PeerVerifier::describe_source() const {
  return verification_.source_name.empty() ? "the CA certificates of the system"
                                           : fmt::format("the CA certificates of {}", verification_.source_name);
}

// --- Verifying -------------------------------------------------------------------------------------

std::optional<Failure> PeerVerifier::verify(std::span<const ConstBytes> chain, std::string_view server_name,
                                            WallTime now) const {
  CHECK(!chain.empty());
  std::vector<DecodedCertificate> sent;
  for (const ConstBytes der : chain.first(std::min(chain.size(), kPathMax))) {
    auto decoded = decode_certificate(der);
    if (decoded) {
      sent.push_back(std::move(*decoded));
    } else if (sent.empty()) {
      return describe_failure(decoded.error(), peer_);
    }  // another one: if it is needed, the chain will lack it
  }
  PathFinder finder(*this, sent, now);
  if (!finder.find()) return finder.failure();
  if (auto failure = check_path(finder.path(), now)) return failure;
  if (auto failure = check_revocation(finder.path(), now)) return failure;
  return check_identity(finder.path(), server_name);
}

// The leaf, and what CAs further up say of those further down.
std::optional<Failure> PeerVerifier::check_path(const Path& path, WallTime now) const {
  const DecodedCertificate& leaf = *path.certificates.front();
  const std::string what = describe(leaf, peer_);
  if (auto failure = check_dates(leaf, what, now)) return failure;
  const DecodedCert& decoded = *leaf.wolfssl;
  // Every suite that is offered has the peer sign (RFC 5246 7.4.2, RFC 8446 4.4.2.2).
  if (decoded.extKeyUsageSet && (decoded.extKeyUsage & KEYUSE_DIGITAL_SIG) == 0) {
    return Failure{fmt::format("{} may not be used for signatures: its keyUsage lacks digitalSignature", what),
                   Alert::unsupported_certificate};
  }
  if (!may_be_used_by(leaf, peer_)) {
    return Failure{
        fmt::format("{} is not meant for TLS {}s: its extendedKeyUsage lacks {}Auth", what, noun(peer_), noun(peer_)),
        Alert::unsupported_certificate};
  }
  if (has_short_key(leaf)) return Failure{fmt::format("{} has too short a key", what), Alert::unsupported_certificate};
  for (size_t upper = 2; upper < path.certificates.size(); ++upper) {
    for (size_t lower = 0; lower + 1 < upper; ++lower) {  // check_signature() has looked at direct issuers
      if (allows_names(*path.certificates[upper], *path.certificates[lower])) continue;
      return Failure{fmt::format("the name constraints of '{}' exclude names of {}",
                                 shown_name(path.certificates[upper]->subject), what),
                     Alert::bad_certificate};
    }
  }
  return std::nullopt;
}

// As OpenSSL's CRL_CHECK_ALL: every certificate of the chain must be on a list's good side. A CA that is not
// self-signed and trusted all the same ends the chain: of its issuer nothing is known.
std::optional<Failure> PeerVerifier::check_revocation(const Path& path, WallTime now) const {
  if (!revocation_lists_) return std::nullopt;
  for (const DecodedCertificate* certificate : path.certificates) {
    const bool is_leaf = certificate == path.certificates.front();
    if (!is_leaf && certificate == path.certificates.back() && !certificate->is_self_issued()) continue;
    const std::string what = is_leaf ? describe(*certificate, peer_)
                                     : fmt::format("the CA certificate '{}' above {}", shown_name(certificate->subject),
                                                   describe(*path.certificates.front(), peer_));
    const std::string issuer = shown_name(certificate->issuer);
    switch (revocation_lists_->check(certificate->issuer, certificate->serial, now)) {
      case Revocation::good: break;
      case Revocation::revoked: return Failure{fmt::format("{} has been revoked", what), Alert::certificate_revoked};
      case Revocation::no_list:
        return Failure{
            fmt::format("whether {} has been revoked cannot be told: the CRLs lack one of '{}'; add it", what, issuer),
            Alert::certificate_unknown};
      case Revocation::out_of_date:
        return Failure{
            fmt::format("whether {} has been revoked cannot be told: the CRL of '{}' is out of date; renew it", what,
                        issuer),
            Alert::certificate_unknown};
    }
  }
  return std::nullopt;
}

std::optional<Failure> PeerVerifier::check_identity(const Path& path, std::string_view server_name) const {
  const DecodedCertificate& leaf = *path.certificates.front();
  const std::string what = describe(leaf, peer_);
  const bool is_pinned = !verification_.certificate_hashes.empty() || !verification_.public_key_hashes.empty();
  if (is_pinned && !contains_hash(verification_.certificate_hashes, leaf.der) &&
      !contains_hash(verification_.public_key_hashes, leaf.public_key)) {
    return Failure{fmt::format("{} is none of those whose hashes are expected (verifyCertificateHash, "
                               "verifyCertificateSpki)",
                               what),
                   Alert::certificate_unknown};
  }
  if (verification_.subject_alt_names.empty() && peer_ == Side::client) return std::nullopt;
  const Result<ParsedCertificate> parsed = parse_certificate(leaf.der);
  if (!parsed) return Failure{fmt::format("{} cannot be parsed", what), Alert::bad_certificate};
  if (!verification_.subject_alt_names.empty()) {
    const auto has = [&](const std::string& name) { return has_name(*parsed, name, peer_); };
    if (std::ranges::any_of(verification_.subject_alt_names, has)) return std::nullopt;
    return Failure{fmt::format("{} has none of the names that are expected (subjectAltNames: {}); it has {}", what,
                               fmt::join(verification_.subject_alt_names, ", "), shown_names(*parsed)),
                   Alert::certificate_unknown};
  }
  if (covers_host(*parsed, server_name)) return std::nullopt;
  return Failure{
      fmt::format("{} is not one of '{}': it has {}", what, shown(std::string(server_name)), shown_names(*parsed)),
      Alert::certificate_unknown};
}

bool covers_host(const ParsedCertificate& certificate, std::string_view host) {
  if (const auto address = SocketAddress::from_ip(host, 0))
    return std::ranges::find(certificate.ip_addresses, address->ip_text()) != certificate.ip_addresses.end();
  return std::ranges::any_of(certificate.dns_names,
                             [&](const std::string& name) { return dns_name_matches(name, host); });
}

}  // namespace sluice::tls

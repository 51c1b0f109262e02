// The kinds of cert.gardener.cloud (https://github.com/gardener/cert-management, pkg/apis/cert/v1alpha1), and what
// sluice adds to the Issuer: spec.acme.caBundle and spec.acme.dns01.
#include "config/certificate_model.h"

#include "config/model.h"
#include "config/schema.h"

namespace sluice::config {

namespace {

using enum Presence;

constexpr FieldSchema secret_reference_fields[] = {
    field<&SecretReference::name>("name", "the Secret", required),
    field<&SecretReference::name_space>("namespace", "its namespace; by default that of this document"),
};

constexpr FieldSchema object_reference_fields[] = {
    field<&CertificateObjectReference::name>("name", "its name", required),
    field<&CertificateObjectReference::name_space>(
        "namespace", "its namespace; by default that of this document, and default for an Issuer"),
};

// --- Issuer ----------------------------------------------------------------------------------------

constexpr FieldSchema external_account_binding_fields[] = {
    field<&ExternalAccountBinding::key_id>("keyID", "what the authority calls the key", required),
    field<&ExternalAccountBinding::key_secret_ref>(
        "keySecretRef", "a Secret whose hmacKey is the key, in base64url without padding", required),
};

constexpr FieldSchema issuer_domains_fields[] = {
    field<&IssuerDomains::include>("include", "domains that are allowed, and those below; all when it is not given"),
    field<&IssuerDomains::exclude>("exclude", "domains that are not, and those below"),
};

constexpr FieldSchema dns_hook_fields[] = {
    field<&DnsHookSpec::command>("command",
                                 "an executable's path and arguments; present or cleanup, name and value "
                                 "follow them",
                                 required),
    field<&DnsHookSpec::timeout>("timeout", "when it is ended and has failed; 1m by default"),
};

constexpr FieldSchema secret_key_reference_fields[] = {
    field<&SecretKeyReference::name>("name", "the Secret, of the Issuer's namespace", required),
    field<&SecretKeyReference::key>("key", "the key in it", required),
};

constexpr Choice tsig_algorithms[] = {
    {"HMACSHA256"}, {"HMACSHA384"}, {"HMACSHA512"}, {"HMACSHA1"}, {"HMACMD5", Support::planned}};

constexpr FieldSchema dns_update_fields[] = {
    field<&DnsUpdateSpec::nameserver>("nameserver", "the server that takes updates: host, or host:port", required),
    field<&DnsUpdateSpec::tsig_key_name>("tsigKeyName", "the key's name at the server"),
    choice<&DnsUpdateSpec::tsig_algorithm>("tsigAlgorithm", tsig_algorithms, "HMACSHA256 by default"),
    field<&DnsUpdateSpec::tsig_secret>("tsigSecretSecretRef", "the key, in base64, as tsig-keygen writes it"),
};

constexpr FieldSchema dns01_fields[] = {
    field<&Dns01Spec::hook>("hook", "an executable puts the records in place"),
    field<&Dns01Spec::rfc2136>("rfc2136", "dynamic updates (RFC 2136), signed with TSIG (RFC 8945)"),
};

constexpr FieldSchema acme_fields[] = {
    field<&AcmeSpec::server>("server", "URL of the server's directory", required),
    field<&AcmeSpec::email>("email", "the account's address", required),
    field<&AcmeSpec::auto_registration>("autoRegistration", "makes account and key when there are none"),
    field<&AcmeSpec::private_key_secret_ref>("privateKeySecretRef", "a Secret whose privateKey is the account's key"),
    field<&AcmeSpec::external_account_binding>("externalAccountBinding",
                                               "the account at the authority that this one "
                                               "belongs to (RFC 8555 7.3.4)"),
    field<&AcmeSpec::skip_dns_challenge_validation>(
        "skipDNSChallengeValidation", "the server does not look for DNS-01 records: none are made, none is waited for"),
    field<&AcmeSpec::domains>("domains", "for which names certificates are requested"),
    field<&AcmeSpec::precheck_nameservers>(
        "precheckNameservers", "who is asked whether DNS-01 records can be seen; 8.8.8.8 and 8.8.4.4 by default"),
    field<&AcmeSpec::ca_bundle>("caBundle",
                                "certificates that the server is verified with, PEM in base64; those of "
                                "the system by default"),
    field<&AcmeSpec::profile>("profile", "sluice's own: which of the server's profiles, such as \"shortlived\""),
    field<&AcmeSpec::dns01>("dns01",
                            "how DNS-01 records are made; without it names are proved by HTTP-01 and "
                            "TLS-ALPN-01"),
};

constexpr FieldSchema ca_fields[] = {
    field<&CaSpec::private_key_secret_ref>(
        "privateKeySecretRef", "a Secret whose tls.crt is the CA with its chain, and tls.key its key", required),
};

constexpr FieldSchema issuer_spec_fields[] = {
    field<&IssuerSpec::acme>("acme", "certificates of an ACME server (RFC 8555)"),
    field<&IssuerSpec::ca>("ca", "certificates that a CA of one's own signs"),
    field<&IssuerSpec::self_signed>("selfSigned", "certificates that sign themselves; an empty object"),
    number<&IssuerSpec::requests_per_day_quota>("requestsPerDayQuota", 1, int32_max,
                                                "certificates a day at most; 10000 by default"),
};

constexpr FieldSchema issuer_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&IssuerDocument::metadata, IssuerDocument>(
        "metadata", "name and labels; the annotation sluice.io/acme-challenge says how names are proved", required),
    field<&IssuerDocument::spec>("spec", "one of acme, ca and selfSigned", required),
    no_effect("status", "written by controllers"),
};

// --- Certificate -----------------------------------------------------------------------------------

constexpr Choice key_algorithms[] = {{"RSA"}, {"ECDSA"}};
constexpr Choice key_encodings[] = {{"PKCS1"}, {"PKCS8"}};

constexpr FieldSchema private_key_fields[] = {
    choice<&CertificatePrivateKey::algorithm>("algorithm", key_algorithms, "RSA by default"),
    number<&CertificatePrivateKey::size>("size", 256, 4096,
                                         "bits: 2048, 3072 or 4096 with RSA, 256 or 384 with ECDSA; the first by "
                                         "default"),
    choice<&CertificatePrivateKey::encoding>("encoding", key_encodings, "of tls.key; PKCS1 by default"),
};

constexpr std::string_view no_cname[] = {"false"};

constexpr FieldSchema certificate_spec_fields[] = {
    field<&CertificateSpec::common_name>("commonName",
                                         "the subject's common name, and the first DNS name; at most 64 "
                                         "characters"),
    field<&CertificateSpec::dns_names>("dnsNames", "further DNS names"),
    field<&CertificateSpec::email_addresses>("emailAddresses", "e-mail addresses; not with acme"),
    field<&CertificateSpec::ip_addresses>("ipAddresses", "IP addresses"),
    field<&CertificateSpec::uris>("uris", "URIs; not with acme"),
    field<&CertificateSpec::csr>("csr", "a request of one's own (PEM in base64), in place of names and key"),
    field<&CertificateSpec::issuer_ref>("issuerRef", "who issues it; default/default-issuer, else default/garden"),
    field<&CertificateSpec::secret_name>("secretName", "the Secret that it is written to; a name is made up without"),
    field<&CertificateSpec::secret_ref>("secretRef", "the same, with a namespace"),
    field<&CertificateSpec::secret_labels>("secretLabels", "labels of that Secret"),
    field<&CertificateSpec::renew>("renew", "true: renew it now, once"),
    field<&CertificateSpec::renew_before>("renewBefore",
                                          "before it ends; at least 5m. At two thirds of its life at "
                                          "the latest"),
    field<&CertificateSpec::ensure_renewed_after>("ensureRenewedAfter",
                                                  "renew it, once, if it was issued before this "
                                                  "time (RFC 3339)"),
    planned("followCNAME",
            "a DNS-01 record where the CNAME of _acme-challenge points; an executable of dns01.hook can look it up",
            no_cname),
    planned("keystores", "JKS and PKCS#12 files for Java in the Secret"),
    field<&CertificateSpec::preferred_chain>("preferredChain",
                                             "of the chains of an ACME server, the one whose root "
                                             "or issuer has this common name"),
    field<&CertificateSpec::private_key>("privateKey", "what key it has; a change renews it"),
    field<&CertificateSpec::is_ca>("isCA", "may sign others; needed with selfSigned, no effect with acme"),
    field<&CertificateSpec::duration>("duration",
                                      "its life, at least 1440h; with acme the server decides. 2160h "
                                      "by default, 4320h from a CA"),
};

constexpr FieldSchema certificate_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&CertificateDocument::metadata, CertificateDocument>(
        "metadata", "name and labels; the annotation sluice.io/acme-challenge says how names are proved", required),
    field<&CertificateDocument::spec>("spec", "names, issuer and Secret", required),
    no_effect("status", "written by controllers"),
};

// --- CertificateRevocation -------------------------------------------------------------------------

constexpr FieldSchema revocation_spec_fields[] = {
    field<&RevocationSpec::certificate_ref>("certificateRef", "the Certificate; of this namespace by default",
                                            required),
    field<&RevocationSpec::renew>("renew", "true: a new one takes its place before"),
    field<&RevocationSpec::qualifying_date>("qualifyingDate",
                                            "those that were issued before this time (RFC 3339); "
                                            "when it is seen first, by default"),
};

constexpr FieldSchema revocation_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&RevocationDocument::metadata, RevocationDocument>("metadata", "name and labels", required),
    field<&RevocationDocument::spec>("spec", "what is revoked", required),
    no_effect("status", "written by controllers"),
};

constexpr std::string_view group = "cert.gardener.cloud";
constexpr std::string_view versions[] = {"v1alpha1"};

constexpr KindSchema kinds[] = {
    document_kind<&Model::issuers>("Issuer", group, versions, "who issues certificates"),
    document_kind<&Model::certificates>("Certificate", group, versions, "a certificate that is obtained and renewed"),
    document_kind<&Model::revocations>("CertificateRevocation", group, versions, "a certificate that is revoked"),
};

}  // namespace

constinit const ObjectSchema SecretReference::schema{"SecretReference", secret_reference_fields};
constinit const ObjectSchema CertificateObjectReference::schema{"CertificateObjectReference", object_reference_fields};
constinit const ObjectSchema ExternalAccountBinding::schema{"ACMEExternalAccountBinding",
                                                            external_account_binding_fields};
constinit const ObjectSchema IssuerDomains::schema{"DNSSelection", issuer_domains_fields};
constinit const ObjectSchema DnsHookSpec::schema{"DNS01Hook", dns_hook_fields};
constinit const ObjectSchema SecretKeyReference::schema{"SecretKeySelector", secret_key_reference_fields};
constinit const ObjectSchema DnsUpdateSpec::schema{"DNS01RFC2136", dns_update_fields};
constinit const ObjectSchema Dns01Spec::schema{"DNS01", dns01_fields};
constinit const ObjectSchema AcmeSpec::schema{"ACMESpec", acme_fields};
constinit const ObjectSchema CaSpec::schema{"CASpec", ca_fields};
constinit const ObjectSchema SelfSignedSpec::schema{"SelfSignedSpec", {}};
constinit const ObjectSchema IssuerSpec::schema{"IssuerSpec", issuer_spec_fields};
constinit const ObjectSchema IssuerDocument::schema{"Issuer", issuer_fields};
constinit const ObjectSchema CertificatePrivateKey::schema{"CertificatePrivateKey", private_key_fields};
constinit const ObjectSchema CertificateSpec::schema{"CertificateSpec", certificate_spec_fields};
constinit const ObjectSchema CertificateDocument::schema{"Certificate", certificate_fields};
constinit const ObjectSchema RevocationSpec::schema{"CertificateRevocationSpec", revocation_spec_fields};
constinit const ObjectSchema RevocationDocument::schema{"CertificateRevocation", revocation_fields};

std::span<const KindSchema> gardener_kinds() noexcept { return kinds; }

}  // namespace sluice::config

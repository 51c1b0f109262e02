// Gateway: https://istio.io/latest/docs/reference/config/networking/gateway/
#include "config/gateway_model.h"

#include "config/schema.h"

namespace sluice::config {

namespace {

using enum Presence;

constexpr Choice tls_modes[] = {{"SIMPLE"},
                                {"PASSTHROUGH"},
                                {"MUTUAL"},
                                {"OPTIONAL_MUTUAL"},
                                {"AUTO_PASSTHROUGH", Support::refused},
                                {"ISTIO_MUTUAL", Support::refused}};

constexpr Choice tls_versions[] = {{"TLS_AUTO"}, {"TLSV1_0"}, {"TLSV1_1"}, {"TLSV1_2"}, {"TLSV1_3"}};

constexpr Choice server_protocols[] = {
    {"HTTP"}, {"HTTPS"}, {"HTTP2"}, {"GRPC"}, {"GRPC-WEB"}, {"TCP"}, {"TLS"}, {"MONGO"}, {"MYSQL"}, {"REDIS"},
};

constexpr Choice curves[] = {
    {"X25519"}, {"P-256"}, {"P-384"}, {"P-521", Support::planned}, {"X25519MLKEM768", Support::planned}};

constexpr FieldSchema port_fields[] = {
    number<&Port::number>("number", 0, port_max, "the port that clients use; 0 with a Unix socket", required),
    protocol<&Port::protocol>(
        "protocol", server_protocols,
        "HTTP, HTTPS, TLS or TCP; HTTP2, GRPC and GRPC-WEB are HTTP, and the last one also translates gRPC-Web",
        required),
    field<&Port::name>("name", "a label of the port, unique in its Gateway", required),
    no_effect("targetPort", "deprecated in the API; the ingress gateway's Service maps ports"),
};

constexpr FieldSchema tls_certificate_fields[] = {
    field<&TlsCertificate::server_certificate>("serverCertificate", "path of the certificate chain", required),
    field<&TlsCertificate::private_key>("privateKey", "path of the key", required),
    field<&TlsCertificate::ca_certificates>("caCertificates", "path of the CA certificates for client certificates"),
};

constexpr FieldSchema server_tls_fields[] = {
    field<&ServerTls::https_redirect>("httpsRedirect", "answer plain HTTP requests with a redirect (301) to https"),
    choice<&ServerTls::mode>("mode", tls_modes, "who shows a certificate; PASSTHROUGH when it is not given"),
    field<&ServerTls::credential_name>("credentialName", "the Secret with certificate chain and key"),
    choice<&ServerTls::min_protocol_version>("minProtocolVersion", tls_versions,
                                             "the lowest TLS version; 1.2 by default"),
    choice<&ServerTls::max_protocol_version>("maxProtocolVersion", tls_versions,
                                             "the highest TLS version; 1.3 by default"),
    field<&ServerTls::cipher_suites>("cipherSuites", "the suites of TLS 1.2, in order of preference"),
    field<&ServerTls::credential_names>("credentialNames", "two Secrets, one with an RSA and one with an ECDSA key"),
    field<&ServerTls::tls_certificates>("tlsCertificates", "the same from files"),
    field<&ServerTls::server_certificate>("serverCertificate", "path of the certificate chain"),
    field<&ServerTls::private_key>("privateKey", "path of the key"),
    field<&ServerTls::ca_certificates>("caCertificates", "path of the CA certificates for client certificates"),
    field<&ServerTls::ca_crl>("caCrl", "path of the revocation list for client certificates"),
    field<&ServerTls::ca_cert_credential_name>(
        "caCertCredentialName", "a Secret or ConfigMap with the CA certificates for client certificates"),
    field<&ServerTls::subject_alt_names>("subjectAltNames", "client certificates that are accepted, by name"),
    field<&ServerTls::verify_certificate_spki>("verifyCertificateSpki",
                                               "client certificates that are accepted, by hash of the public key"),
    field<&ServerTls::verify_certificate_hash>("verifyCertificateHash",
                                               "client certificates that are accepted, by hash"),
    choice<&ServerTls::ecdh_curves>("ecdhCurves", curves, "the groups of the key exchange"),
};

constexpr FieldSchema server_fields[] = {
    field<&Server::port>("port", "the port", required),
    field<&Server::bind>("bind",
                         "the IP address to listen on, or unix:///path or unix://@name; all IPv4 addresses by default"),
    field<&Server::hosts>("hosts", "the hosts that are served: [namespace/]name, *.name or *", required),
    field<&Server::tls>("tls", "TLS settings, or the redirect to https"),
    no_effect("defaultEndpoint", "not used by gateways"),
    no_effect("name", "a label of the server"),
};

constexpr FieldSchema gateway_spec_fields[] = {
    field<&GatewaySpec::selector>("selector", "labels of the gateway's pods; finds the Service that maps ports"),
    field<&GatewaySpec::servers>("servers", "the ports that are listened on", required),
};

constexpr FieldSchema gateway_fields[] = {
    no_effect("apiVersion", "group and version of this document"),
    no_effect("kind", "what this document is"),
    field<&Gateway::metadata, Gateway>("metadata", "name and labels", required),
    field<&Gateway::spec>("spec", "what is listened on", required),
    no_effect("status", "written by controllers"),
};

}  // namespace

constinit const ObjectSchema Port::schema{"Port", port_fields};
constinit const ObjectSchema TlsCertificate::schema{"TLSCertificate", tls_certificate_fields};
constinit const ObjectSchema ServerTls::schema{"ServerTLSSettings", server_tls_fields};
constinit const ObjectSchema Server::schema{"Server", server_fields};
constinit const ObjectSchema GatewaySpec::schema{"GatewaySpec", gateway_spec_fields};
constinit const ObjectSchema Gateway::schema{"Gateway", gateway_fields};

}  // namespace sluice::config

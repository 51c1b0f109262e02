// A client's verified certificate as an element of x-forwarded-client-cert, as Envoy writes it and Istio sets it up:
//
//   By=<our URI>;Hash=<SHA-256 of the DER>;Cert="<PEM, URL-encoded>";Subject="<RFC 2253>";URI=<URI>;DNS=<name>
//
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
#pragma once

#include "tls/local_certificate.h"
#include "tls/peer_certificate.h"

#include <string>

namespace sluice::tls {

// By is there if we have a URI, URI always (perhaps empty), DNS once for each name. A value with a character that has a
// meaning between elements is quoted. `own` may be null. Empty when there is no memory.
[[nodiscard]] std::string forwarded_certificate(const PeerCertificate& client, const LocalCertificate* own);

// A certificate as a header field can carry it: PEM with %0A, %20, %2B, %2F and %3D.
[[nodiscard]] std::string url_encoded_pem(const PeerCertificate& certificate);

}  // namespace sluice::tls

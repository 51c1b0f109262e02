"""Who the client is, in fields that a VirtualService sets: %DOWNSTREAM_PEER_*%, %DOWNSTREAM_TLS_*%, %DOWNSTREAM_LOCAL_*%."""

import contextlib
import datetime
import hashlib
import ssl
import subprocess
import types
import urllib.parse

import pytest

from harness import documents
from harness.authority import Authority, fingerprint
from harness.certificates import self_signed
from harness.client import Client, tls_context
from harness.gateway import Gateway
from harness.upstream import Upstream

HOST = "identity.example.com"
NAMES = ("URI:spiffe://example.com/billing", "URI:https://example.com/b", "DNS:billing.example.com", "IP:192.0.2.7",
         "email:billing@example.com")
FIELDS = {
    "X-Subject": "%DOWNSTREAM_PEER_SUBJECT%",
    "X-Issuer": "%DOWNSTREAM_PEER_ISSUER%",
    "X-Serial": "%DOWNSTREAM_PEER_SERIAL%",
    "X-Fingerprint": "%DOWNSTREAM_PEER_FINGERPRINT_256%",
    "X-Old-Fingerprint": "%DOWNSTREAM_PEER_FINGERPRINT_1%",
    "X-Uris": "%DOWNSTREAM_PEER_URI_SAN%",
    "X-Dns": "%DOWNSTREAM_PEER_DNS_SAN%",
    "X-Ip": "%DOWNSTREAM_PEER_IP_SAN%",
    "X-Email": "%DOWNSTREAM_PEER_EMAIL_SAN%",
    "X-Certificate": "%DOWNSTREAM_PEER_CERT%",
    "X-From": "%DOWNSTREAM_PEER_CERT_V_START%",
    "X-Until": "%DOWNSTREAM_PEER_CERT_V_END(%Y-%m-%d %H:%M)%",
}
CONNECTION_FIELDS = {
    "X-Version": "%DOWNSTREAM_TLS_VERSION%",
    "X-Cipher": "%DOWNSTREAM_TLS_CIPHER%",
    "X-Gateway": "%DOWNSTREAM_LOCAL_SUBJECT% %DOWNSTREAM_LOCAL_DNS_SAN%",
}


@pytest.fixture(scope="module", name="world")
def make_world(tmp_path_factory):
    authority = Authority("Clients CA")
    pair = self_signed(HOST, name="server")
    with contextlib.ExitStack() as stack:
        upstream = Upstream().serve()
        stack.callback(upstream.stop)
        secret = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate}
        tls = {"mode": "OPTIONAL_MUTUAL", "credentialName": "pair"}
        texts = {
            "all.yaml": documents.join(
                documents.gateway(
                    "identity",
                    documents.server(443, "HTTPS", [HOST], tls),
                    documents.server(80, "HTTP", [HOST]),
                ),
                documents.opaque_secret("pair", secret),
                documents.service_entry("app", upstream.port),
                documents.header_routes("app", [HOST], {"request": {"set": FIELDS | CONNECTION_FIELDS}}, "app",
                                        gateways=["kyma-system/identity"]),
            )
        }
        gateway = stack.enter_context(Gateway(tmp_path_factory.mktemp("identity"), texts, concurrency=1))
        yield types.SimpleNamespace(authority=authority, gateway=gateway, upstream=upstream, server=pair)


def ask(world, context, pair=None, headers=(), requests=1):
    """The request as the upstream got it."""
    if pair is not None:
        context.load_cert_chain(pair.certificate_file, pair.key_file)
    port = world.gateway.port(443 if context else 80)
    client = Client(port, HOST, tls=context)
    for _ in range(requests):
        assert client.request("GET", "/", headers).status == 200
    client.close()
    return world.upstream.requests[-1]


def x509(pair, *what):
    shown = subprocess.run(["openssl", "x509", "-in", pair.certificate_file, "-noout", *what], check=True,
                           capture_output=True, text=True, timeout=60)
    return shown.stdout.strip().partition("=")[2]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_certificate(world, version):
    pair = world.authority.issue("billing", *NAMES)
    seen = ask(world, tls_context(minimum=version, maximum=version), pair, requests=2)
    der = ssl.PEM_cert_to_DER_cert(pair.certificate)
    assert seen.get("x-subject") == x509(pair, "-subject", "-nameopt", "RFC2253")
    assert seen.get("x-issuer") == x509(pair, "-issuer", "-nameopt", "RFC2253")
    assert seen.get("x-serial") == x509(pair, "-serial").lower()
    assert seen.get("x-fingerprint") == fingerprint(pair)
    assert seen.get("x-old-fingerprint") == hashlib.sha1(der).hexdigest()
    assert seen.get("x-uris") == "spiffe://example.com/billing,https://example.com/b"
    assert seen.get("x-dns") == "billing.example.com"
    assert seen.get("x-ip") == "192.0.2.7"
    assert seen.get("x-email") == "billing@example.com"
    assert ssl.PEM_cert_to_DER_cert(urllib.parse.unquote(seen.get("x-certificate"))) == der

    def date(what):
        return datetime.datetime.strptime(x509(pair, what), "%b %d %H:%M:%S %Y GMT")

    assert seen.get("x-from") == date("-startdate").strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert seen.get("x-until") == date("-enddate").strftime("%Y-%m-%d %H:%M")


def test_tls_of_the_connection(world):
    seen = ask(world, tls_context(maximum=ssl.TLSVersion.TLSv1_2))
    assert seen.get("x-version") == "TLSv1.2"
    assert seen.get("x-cipher").startswith("ECDHE-RSA-")
    assert seen.get("x-gateway") == f"{x509(world.server, '-subject', '-nameopt', 'RFC2253')} {HOST}"
    seen = ask(world, tls_context(minimum=ssl.TLSVersion.TLSv1_3))
    assert seen.get("x-version") == "TLSv1.3"
    assert seen.get("x-cipher").startswith("TLS_")


def test_a_client_without_a_certificate_cannot_claim_one(world):
    claims = [(name, "CN=admin") for name in FIELDS]
    for context in (tls_context(), None):
        seen = ask(world, context, headers=claims)
        for name in FIELDS:
            assert seen.get(name.lower()) is None, name


def test_a_resumed_session_has_its_certificate(world):
    """Servers that ask for certificates resume nothing: the second connection shows the certificate anew."""
    context = tls_context()
    pair = world.authority.issue("billing", *NAMES)
    for _ in range(2):
        assert ask(world, context, pair).get("x-subject") == "CN=billing"

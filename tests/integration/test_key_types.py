"""A server with an RSA and an ECDSA certificate: each client sees the one that it can verify."""

import shutil
import subprocess

import pytest

from harness import documents
from harness.certificates import self_signed
from harness.commands import s_client
from harness.documents import DOMAIN
from harness.limits import IO_SECONDS

APP = f"app.{DOMAIN}"
RSA = self_signed(f"*.{DOMAIN}", name="rsa")
ECDSA = self_signed(f"*.{DOMAIN}", name="ecdsa", key=("ec", "P-256"))
RSA_ONLY = "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256:RSA+SHA384"
ECDSA_ONLY = "ECDSA+SHA256:ECDSA+SHA384"


@pytest.fixture(name="gateway_with")
def make_gateway(own_gateway, own_upstream):
    """gateway_with("rsa", "ecdsa") has these certificates, in this order."""

    def make(*names):
        tls = {"mode": "SIMPLE", "credentialNames": list(names)}
        return own_gateway(
            {
                "gateway.yaml": documents.gateway("kyma-gateway", documents.server(443, "HTTPS", [f"*.{DOMAIN}"], tls)),
                "secret.yaml": documents.join(documents.secret(RSA, "rsa"), documents.secret(ECDSA, "ecdsa")),
                "app.yaml": documents.join(
                    documents.service_entry("app", own_upstream.port),
                    documents.virtual_service("app", [APP], "app", gateways=[documents.GATEWAY]),
                ),
            }
        )

    return make


def presented(gateway, *arguments):
    """The certificate that s_client was shown; the request must have been answered, too."""
    request = f"GET / HTTP/1.1\r\nHost: {APP}\r\nConnection: close\r\n\r\n"
    shown = s_client(gateway.port(443), APP, "-ign_eof", *arguments, text=request)
    assert "HTTP/1.1 200" in shown.stdout, shown.stdout + shown.stderr
    end = "-----END CERTIFICATE-----"
    return shown.stdout[shown.stdout.index("-----BEGIN CERTIFICATE-----") : shown.stdout.index(end)] + end


@pytest.mark.parametrize("names", [("rsa", "ecdsa"), ("ecdsa", "rsa")], ids="-".join)
@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["-tls1_3"], ECDSA),
        (["-tls1_3", "-sigalgs", ECDSA_ONLY], ECDSA),
        (["-tls1_3", "-sigalgs", RSA_ONLY], RSA),
        (["-tls1_2"], ECDSA),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], ECDSA),
        (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], RSA),
        (["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384"], ECDSA),
        (["-tls1_2", "-sigalgs", RSA_ONLY], RSA),
        (["-tls1_2", "-sigalgs", ECDSA_ONLY], ECDSA),
        (["-sigalgs", RSA_ONLY], RSA),
        ([], ECDSA),
    ],
    ids=lambda value: " ".join(value) or "any" if isinstance(value, list) else "",
)
def test_client_sees_the_certificate_that_suits_it(gateway_with, names, arguments, expected):
    """ECDSA where the client can have either: its signatures cost a fraction. The order of the names has no say."""
    assert presented(gateway_with(*names), *arguments) == expected.certificate.strip()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_one_certificate_is_shown_to_those_who_can_take_it(gateway_with, version):
    gateway = gateway_with("ecdsa")
    assert presented(gateway, version) == ECDSA.certificate.strip()
    shown = s_client(gateway.port(443), APP, version, "-sigalgs", RSA_ONLY)
    assert "Cipher is (NONE)" in shown.stdout
    assert "handshake failure" in shown.stderr, shown.stderr


@pytest.mark.skipif(shutil.which("gnutls-cli") is None, reason="gnutls-cli is missing (Debian package gnutls-bin)")
@pytest.mark.parametrize(
    "priority, expected",
    [
        ("NORMAL:-VERS-ALL:+VERS-TLS1.3", "EC/ECDSA"),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.2", "EC/ECDSA"),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA", "RSA"),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.3:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256", "RSA"),
    ],
)
def test_gnutls_sees_it_too(gateway_with, priority, expected):
    gateway = gateway_with("rsa", "ecdsa")
    shown = subprocess.run(
        [
            *("gnutls-cli", "--insecure", "--sni-hostname", APP, "--priority", priority),
            *("-p", str(gateway.port(443)), "127.0.0.1"),
        ],
        input=f"GET / HTTP/1.1\r\nHost: {APP}\r\nConnection: close\r\n\r\n",
        capture_output=True,
        text=True,
        timeout=IO_SECONDS,
        check=False,
    )
    assert f"{expected} key" in shown.stdout and "hello" in shown.stdout, shown.stdout + shown.stderr

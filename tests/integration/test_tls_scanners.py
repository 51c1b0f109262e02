"""What security scanners say of kyma-gateway: as it was with its five suites, and as it is today, without a list.

docs/threat_model.md names everything that they may find. testssl.sh runs with SLUICE_FULL=1: it takes minutes.
"""

import dataclasses
import shutil

import pytest

from harness import documents, scanners
from harness.authority import Authority
from harness.documents import CIPHER_SUITES, DOMAIN
from harness.limits import FULL

APP = f"app.{DOMAIN}"
TLS_1_3_SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
GROUPS = {"x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)"}


@dataclasses.dataclass(frozen=True)
class Kyma:
    """A kyma-gateway, its suites for TLS 1.2, and what these imply: in testssl.sh's names."""

    document: str
    suites: list
    weaknesses: set
    refused_clients: set


# Nothing newer than TLS 1.0; nothing of TLS 1.2 but CBC.
TLS_1_0_CLIENTS = {"ie_6_xp", "ie_8_win7", "ie_8_xp", "java_7u25"}
CBC_CLIENTS = {"ie_11_win7", "ie_11_win81", "ie_11_winphone81"}

FIVE_SUITES = Kyma(
    documents.kyma_gateway(), list(CIPHER_SUITES), {"cipherlist_AVERAGE", "LUCKY13"}, TLS_1_0_CLIENTS
)
TODAY = Kyma(
    documents.kyma_gateway_of_today(),
    ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES256-GCM-SHA384"],
    set(),
    TLS_1_0_CLIENTS | CBC_CLIENTS,
)
each_kyma = pytest.mark.parametrize("kyma", [FIVE_SUITES, TODAY], ids=["five suites", "of today"])


@pytest.fixture(name="authority", scope="module")
def make_authority():
    return Authority("Public CA")


@pytest.fixture(name="port")
def serve(own_gateway, own_upstream, authority, kyma):
    """Of a gateway with this kyma-gateway."""
    gateway = own_gateway(
        {
            "gateway.yaml": kyma.document,
            "secret.yaml": documents.secret(authority.issue(f"*.{DOMAIN}", key="rsa")),
            "app.yaml": documents.join(
                documents.service_entry("app", own_upstream.port),
                documents.virtual_service("app", [APP], "app", gateways=[documents.GATEWAY]),
            ),
        }
    )
    return gateway.port(443)


@pytest.mark.skipif(shutil.which("sslscan") is None, reason="sslscan is missing (Debian package sslscan)")
@each_kyma
def test_sslscan_sees_the_configured_suites_in_their_order(port, kyma):
    scan = scanners.sslscan(port, APP)
    assert scan.suites == {"TLSv1.3": TLS_1_3_SUITES, "TLSv1.2": kyma.suites}
    assert scan.versions == {"TLSv1.2", "TLSv1.3"}
    assert scan.groups == {"TLSv1.2": GROUPS, "TLSv1.3": GROUPS}
    assert not scan.renegotiates


# Checks of testssl.sh that cannot be made here.
NO_VERDICT = {
    "engine_problem",  # OpenSSL 3 has no GOST
    "secure_renego",  # asks without a server name, and gets no handshake; test_cipher_suites.py has it
    "sessionresumption_ticket",  # hangs up before the ticket of TLS 1.3 comes; test_session_resumption.py has it
}


@pytest.mark.skipif(not FULL, reason="takes minutes: SLUICE_FULL=1")
@pytest.mark.skipif(shutil.which("testssl") is None, reason="testssl.sh is missing (Debian package testssl.sh)")
@pytest.mark.timeout(scanners.TESTSSL_SECONDS + 60)
@each_kyma
def test_testssl_finds_no_more_than_the_suites_imply(port, kyma, authority):
    """All checks but those of HTTP headers, which are the application's. The certificate is its owner's matter, too."""
    checks = ("--protocols", "--standard", "--fs", "--server-preference", "--server-defaults", "--vulnerable")
    found = scanners.testssl(port, APP, str(authority.file), *checks, "--client-simulation", "--grease")
    assert found["cipherorder_TLSv1_2"].text.split() == kyma.suites
    assert found["cipherorder_TLSv1_3"].text.split() == TLS_1_3_SUITES
    assert found["cipher_order"].text == "server"
    clients = {name: finding.text for name, finding in found.items() if name.startswith("clientsimulation-")}
    refused = {name.removeprefix("clientsimulation-") for name, text in clients.items() if text == "No connection"}
    assert refused == kyma.refused_clients and len(clients) >= 30, clients
    unexpected = {
        name: finding
        for name, finding in found.items()
        if finding.severity not in ("OK", "INFO")
        and not (finding.severity == "WARN" and name in NO_VERDICT)
        and not name.startswith("cert_")
    }
    assert set(unexpected) == kyma.weaknesses, unexpected
    assert all(finding.severity == "LOW" for finding in unexpected.values()), unexpected

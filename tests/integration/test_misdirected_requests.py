"""Hosts of several TLS servers on one connection: 421, unless the servers are the same to clients."""

import pytest

from harness import documents
from harness.certificates import self_signed
from harness.gateway import Gateway
from harness.upstream import Upstream

CATCH_ALL, SECOND, WILDCARD, FOURTH = "*", "second.example.org", "*.wildcard.org", "fourth.wildcard.org"

# As the conformance tests of the Gateway API have it. (SNI, Host) -> status; the last without SNI.
TABLE = [
    ("example.org", "example.org", 200),
    ("example.org", SECOND, 421),
    ("example.org", "unknown.example.org", 404),
    (SECOND, SECOND, 200),
    (SECOND, "example.org", 421),
    (SECOND, "unknown.example.org", 421),
    ("third.wildcard.org", "third.wildcard.org", 200),
    ("third.wildcard.org", "fifth.wildcard.org", 200),
    ("third.wildcard.org", FOURTH, 421),
    ("third.wildcard.org", SECOND, 421),
    ("third.wildcard.org", "unknown.example.org", 421),
    (FOURTH, FOURTH, 200),
    (FOURTH, "fifth.wildcard.org", 421),
    ("unknown.example.org", "example.org", 200),
    ("unknown.example.org", "unknown.example.org", 404),
    ("", "example.org", 200),
]


def https_server(name, host, pair, **tls):
    """A Gateway of its own with one server, and its Secret."""
    settings = {"mode": "SIMPLE", "credentialName": f"{name}-certs"} | tls
    server = documents.server(443, "HTTPS", [host], settings, name=f"https-{name}")
    return documents.join(documents.gateway(name, server), documents.secret(pair, f"{name}-certs"))


def answer_host(peer, request):
    peer.read_body(request)
    peer.respond(body=request.get("host").encode())


@pytest.fixture(scope="module")
def app():
    running = Upstream().serve(answer_host)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def gateway_of_table(tmp_path_factory, app):
    servers = {"all": CATCH_ALL, "second": SECOND, "wildcard": WILDCARD, "fourth": FOURTH}
    texts = {"app.yaml": documents.service_entry("app", app.port)}
    for name, host in servers.items():
        routed = "example.org" if host == CATCH_ALL else host
        texts[f"{name}.yaml"] = documents.join(
            https_server(name, host, self_signed(routed, name=name)),
            documents.virtual_service(name, [routed], "app", gateways=[f"kyma-system/{name}"]),
        )
    with Gateway(tmp_path_factory.mktemp("misdirected"), texts) as running:
        yield running


@pytest.mark.parametrize("server_name, host, status", TABLE)
def test_host_of_another_server(gateway_of_table, server_name, host, status):
    """HTTP/1 as well as HTTP/2; the connection goes on."""
    options = {"tls": True, "server_name": server_name}
    with gateway_of_table.connect(host, **options) as client:
        for _ in range(2):
            assert client.request().status == status
    with gateway_of_table.connect_http2(host, **options) as client:
        for _ in range(2):
            assert client.request().status == status


def test_it_is_logged(gateway_of_table):
    with gateway_of_table.connect(SECOND, tls=True, server_name="example.org") as client:
        assert client.request("GET", "/of-another").status == 421
    assert " 421 NR misdirected_request " in gateway_of_table.wait_for_access_line("/of-another")


def test_servers_that_are_the_same_serve_each_other(own_gateway, app):
    """Two Gateways with the same certificate and settings, as browsers meet them: one connection is enough."""
    pair = self_signed("*.shared.test", name="shared")
    texts = {"app.yaml": documents.service_entry("app", app.port)}
    for name, tls in (("a", {}), ("b", {}), ("strict", {"minProtocolVersion": "TLSV1_3"})):
        texts[f"{name}.yaml"] = documents.join(
            https_server(name, f"{name}.shared.test", pair, **tls),
            documents.virtual_service(name, [f"{name}.shared.test"], "app", gateways=[f"kyma-system/{name}"]),
        )
    gateway = own_gateway(texts)
    with gateway.connect_http2("a.shared.test", tls=True) as client:
        for name in ("a", "b", "a"):
            response = client.request(host=f"{name}.shared.test")
            assert (response.status, response.body) == (200, f"{name}.shared.test".encode())
        assert client.request(host="strict.shared.test").status == 421
        assert client.request(host="nobody.shared.test").status == 404


def test_mutual_tls_is_not_avoided(own_gateway, app):
    """A connection on which no certificate was asked for does not reach the host that asks for one."""
    pair = self_signed("*.shared.test", name="shared")
    texts = {
        "app.yaml": documents.service_entry("app", app.port),
        "open.yaml": https_server("open", "open.shared.test", pair),
        "mutual.yaml": https_server("mutual", "mutual.shared.test", pair, mode="MUTUAL"),
        "ca.yaml": documents.opaque_secret("mutual-certs-cacert", {"ca.crt": pair.certificate}),
        "routes.yaml": documents.virtual_service(
            "both", ["*.shared.test"], "app", gateways=["kyma-system/open", "kyma-system/mutual"]
        ),
    }
    gateway = own_gateway(texts)
    before = len(app.requests)
    with gateway.connect_http2("open.shared.test", tls=True) as client:
        assert client.request().status == 200
        assert client.request(host="mutual.shared.test").status == 421
        assert client.request(host="MUTUAL.shared.test.:443").status == 421
    assert len(app.requests) == before + 1

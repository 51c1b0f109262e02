"""Bytes without HTTP may travel to the destination over TLS, whatever they came in by."""

import contextlib

import pytest

from harness import documents, pattern
from harness.authority import Authority
from harness.certificates import self_signed
from harness.client import tls_context
from harness.gateway import Gateway
from harness.limits import MIB
from harness.raw import RawServer, digest_of_all, echo, echoed_digest
from harness.tls_upstream import server_context

HOST = "tcp.example.com"
RIGHT, WRONG = 9000, 9001
TLS_OFFSET = 100
SIZE = 8 * MIB


@pytest.fixture(scope="module", name="gateway")
def make_gateway(tmp_path_factory):
    """Port 9000 leads to a server of the right CA, 9001 to one of another; each plus 100 takes TLS from clients."""
    authority = Authority()
    names = {RIGHT: authority, WRONG: Authority("Another CA")}
    with contextlib.ExitStack() as stack:
        destinations = {}
        for number, issuer in names.items():
            destinations[number] = RawServer(echo, server_context(issuer.issue("inner.example.com")))
            stack.callback(destinations[number].stop)
        tls = {"mode": "SIMPLE", "credentialName": "tcp-certs"}
        to_destination = {"mode": "SIMPLE", "credentialName": "destinations", "sni": "inner.example.com"}
        servers = [documents.server(number, "TCP", ["*"]) for number in names]
        servers += [documents.server(number + TLS_OFFSET, "TLS", [HOST], tls) for number in names]
        routes = [
            documents.connection_route(f"s{number}", {"port": number + offset}, number)
            for number in names
            for offset in (0, TLS_OFFSET)
        ]
        texts = {
            "tcp.yaml": documents.join(
                documents.gateway("tcp", *servers),
                documents.secret(self_signed(HOST, name="tcp"), "tcp-certs"),
                documents.opaque_secret("destinations", {"ca.crt": authority.certificate}),
                *[documents.tcp_service_entry(f"s{number}", destinations[number].port, number) for number in names],
                *[documents.destination_rule(f"s{number}", to_destination) for number in names],
                documents.document(
                    "VirtualService", "tcp", {"hosts": ["*"], "gateways": ["kyma-system/tcp"], "tcp": routes}
                ),
            )
        }
        numbers = [number + offset for number in names for offset in (0, TLS_OFFSET)]
        folder = tmp_path_factory.mktemp("tcp-upstream-tls")
        yield stack.enter_context(Gateway(folder, texts, service_ports=numbers))


def connect(gateway, tls, number):
    context = tls_context(alpn=()) if tls else None
    return gateway.connect(HOST, tls=context, number=number + (TLS_OFFSET if tls else 0))


def test_bytes_come_back(gateway, tls):
    with connect(gateway, tls, RIGHT) as client:
        assert echoed_digest(client.socket, SIZE) == pattern.digest(SIZE)


def test_destination_of_another_ca_gets_nothing(gateway, tls):
    before = len(gateway.access_lines())
    with contextlib.suppress(ConnectionResetError), connect(gateway, tls, WRONG) as client:
        client.send(b"secret")
        assert digest_of_all(client.socket)[0] == 0
    line = gateway.wait_for_access_line(f"outbound|{WRONG}||", start=before)
    assert '"- - -" 0 UF,URX ' in line and '"TLS_error: the server\'s certificate (CN=inner.example.com)' in line, line

"""After every kind of failure the process has as many descriptors as before, and its gauges are back at their start."""

import socket
import time

import pytest

from harness import documents, ports, tls_hello, websocket
from harness.client import Client
from harness.documents import DOMAIN
from harness.gateway import is_sanitized, wait_until
from harness.limits import MIB
from harness.websocket import WebSocket

APP = f"app.{DOMAIN}"
REFUSED = f"refused.{DOMAIN}"


@pytest.fixture
def leaky(own_gateway, own_upstream):
    refusing = ports.ReservedPort()
    gateway = own_gateway(
        {
            "app.yaml": documents.routes("app", own_upstream.port),
            "refused.yaml": documents.routes("refused", refusing.number),
        },
        concurrency=2,
    )
    yield gateway
    refusing.close()


def mistreat(gateway, upstream):
    """Every way in which a connection can end badly, once."""

    def swallow(peer, request):
        peer.wait_for_close()

    def die(peer, request):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200_000)
        peer.reset()

    def flood(peer, request):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
        for _ in range(1024):
            peer.send(b"x" * 65536)

    for tls in (False, True):
        Client(gateway.port(443 if tls else 8080), APP).close()  # says nothing
        with gateway.connect(APP, tls=tls) as client:
            client.send(b"GET / HT")  # half a head
        with gateway.connect(APP, tls=tls) as client:
            client.send(b"nonsense\r\n\r\n")
            client.read_to_end()
        with gateway.connect(REFUSED, tls=tls) as client:
            assert client.request().status == 503
        with upstream.answering(swallow), gateway.connect(APP, tls=tls) as client:
            count = len(upstream.requests)
            client.send_head()
            upstream.wait_for_requests(count + 1)
            client.reset()
        with upstream.answering(die), gateway.connect(APP, tls=tls) as client:
            client.send_head()
            client.read_to_end()
        with upstream.answering(flood), gateway.connect(APP, tls=tls) as client:  # spliced when plain
            client.send_head()
            client.reader.read_head()
            client.reader.read_exactly(300_000)
            client.reset()
        with upstream.answering(websocket.echo_script), gateway.connect(APP, tls=tls) as client:
            WebSocket(client).echo(b"x")
            client.reset()
        with gateway.connect(APP, tls=tls) as client:
            client.send_head("POST", "/", [("content-length", "100000")])
            client.send(b"x" * 1000)
            client.reset()
    with Client(gateway.port(443), APP) as client:
        client.send(tls_hello.client_hello(0x0302, APP))
        client.read_to_end()
    with Client(gateway.port(443), APP) as client:
        client.send(tls_hello.client_hello(0x0303, "unknown.example.com"))
        client.read_to_end()
    with Client(gateway.port(443), APP) as client:
        client.send(tls_hello.client_hello(0x0303, APP)[:100])
    with socket.create_connection((ports.LOOPBACK, gateway.admin_port), timeout=5) as silent:
        silent.send(b"GET /stat")


def test_descriptors_return(leaky, own_upstream):
    def settle():
        """No client connections, and the upstream's side of the pool closed."""
        assert wait_until(lambda: leaky.metric("sluice_downstream_connections_active") == 0), "connections stay open"
        for peer in own_upstream.open_connections:
            peer.socket.shutdown(socket.SHUT_RDWR)
        assert wait_until(
            lambda: leaky.metric("sluice_upstream_connections_active") == 0
        ), "upstream connections stay open"

    def count():
        return len([name for name in leaky.descriptors()])

    mistreat(leaky, own_upstream)  # warm-up: pipes and the like are kept for reuse
    settle()
    before = count()
    for _ in range(5):
        mistreat(leaky, own_upstream)
    settle()
    assert wait_until(lambda: count() <= before + 2), (before, leaky.descriptors())
    for gauge in ("sluice_requests_active", "sluice_tls_handshakes_active", "sluice_tunnels_active"):
        assert leaky.metric(gauge) == 0, gauge


def test_memory_returns(leaky, own_upstream):
    for _ in range(3):
        mistreat(leaky, own_upstream)
    before = leaky.memory_bytes()
    for _ in range(10):
        mistreat(leaky, own_upstream)
    time.sleep(0.2)
    assert is_sanitized() or leaky.memory_bytes() - before < 16 * MIB

"""Certificates are changed while everybody goes on: no connection notices, and every new handshake is up to date.

20 swaps under 50 connections and 4 WebSockets; 100 under 200 and under 1000, with 100 WebSockets, by SLUICE_FULL=1.
"""

import ssl
import time

import pytest

from harness import documents, websocket
from harness.certificates import self_signed
from harness.client import tls_context
from harness.documents import DOMAIN
from harness.limits import FULL
from harness.load import Load
from harness.websocket import WebSocket

APP = f"app.{DOMAIN}"
SWAPS = 100 if FULL else 20
CONNECTIONS = (50, 200, 1000) if FULL else (50,)
THREADS = 4
SOCKETS = 100 if FULL else 4
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def script(peer, request):
    if "upgrade" in request:
        websocket.echo_script(peer, request)
    else:
        peer.read_body(request)
        peer.respond(body=request.target.encode())


def context_of(version):
    return tls_context(minimum=version, maximum=version)


class World:
    """The gateway under load, and which of the certificates are the ones that a handshake may show now."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.pairs = [self_signed(f"*.{DOMAIN}", name=f"swap {index}") for index in range(SWAPS + 1)]
        self.index_of = {pair.certificate.strip(): index for index, pair in enumerate(self.pairs)}
        self.written = 0  # the last one that the gateway may have
        self.acknowledged = 0  # the last one that it must have

    def swap(self):
        """The next certificate."""
        self.written += 1
        self.gateway.write("secret.yaml", documents.secret(self.pairs[self.written]))
        self.gateway.reload()
        self.acknowledged = self.written

    def shown_to(self, client):
        return self.index_of[ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True)).strip()]

    def check_handshake(self, version):
        """One that begins now shows the certificate of now, and its connection works."""
        least = self.acknowledged
        with self.gateway.connect(APP, tls=context_of(version)) as client:
            assert least <= self.shown_to(client) <= self.written
            assert client.request("GET", "/fresh").body == b"/fresh"


@pytest.mark.parametrize("count", CONNECTIONS)
def test_no_connection_notices(own_gateway, own_upstream, count):
    own_upstream.script = script
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, concurrency=2)
    world, load = World(gateway), Load()
    gateway.write("secret.yaml", documents.secret(world.pairs[0]))
    gateway.reload()

    def keep_asking(clients):
        """Every connection of the thread in turn, all of them under way at once."""
        number = 0
        while not load.stopping.is_set():
            number += 1
            for client in clients:
                client.send_head("GET", f"/{number}")
            for client in clients:
                response = client.read_response()
                assert response is not None and response.status == 200, response
                assert response.body == f"/{number}".encode()
                load.count += 1
            time.sleep(0.02)

    def keep_shaking_hands(version):
        while not load.stopping.is_set():
            world.check_handshake(version)
            load.count += 1

    clients = [gateway.connect(APP, tls=context_of(VERSIONS[index % 2])) for index in range(count)]
    sockets = [gateway.connect(APP, tls=index % 2 == 0) for index in range(SOCKETS)]
    for index in range(THREADS):
        load.start(keep_asking, clients[index::THREADS])
    websockets = [WebSocket(client) for client in sockets]
    for index in range(THREADS):
        load.start(load.keep_echoing, websockets[index::THREADS])
    for version in VERSIONS:
        load.start(keep_shaking_hands, version)
    try:
        for _ in range(SWAPS):
            world.swap()
            for version in VERSIONS:
                world.check_handshake(version)
            assert not load.failures, load.failures
            time.sleep(0.05)
    finally:
        load.stop()
    assert not load.failures, load.failures

    assert world.acknowledged == SWAPS
    assert load.count > SWAPS * 20, f"only {load.count} answers: not much of a load"
    for client in clients:
        assert client.request("GET", "/end").body == b"/end", "a connection from the start is gone"
        assert world.shown_to(client) == 0
    for client in clients + sockets:
        client.close()


@pytest.mark.parametrize("version", VERSIONS, ids=["tls1.2", "tls1.3"])
def test_broken_certificate_changes_nothing(own_gateway, own_upstream, version):
    """The old one stays (a key of another certificate), and the next good one is taken."""
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)})
    first, second, third = (self_signed(f"*.{DOMAIN}", name=f"swap {index}") for index in range(3))

    def shows(pair):
        with gateway.connect(APP, tls=context_of(version)) as client:
            shown = ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True)).strip()
            return shown == pair.certificate.strip() and client.request("GET", "/").status == 200

    gateway.write("secret.yaml", documents.secret(first))
    gateway.reload()
    assert shows(first)
    gateway.write("secret.yaml", documents.secret(second, key=third.key))
    gateway.reload(expect_success=False)
    assert shows(first)
    gateway.write("secret.yaml", documents.secret(second))
    gateway.reload()
    assert shows(second)

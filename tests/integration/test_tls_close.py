"""The end of a TLS connection: who says that nothing more comes, and who merely goes (RFC 8446 6.1 and 6.2)."""

import os
import socket
import ssl
import threading

import pytest

from harness import ports, websocket
from harness.client import tls_context
from harness.limits import IO_SECONDS
from harness.websocket import WebSocket


@pytest.fixture
def tls():
    return True


class ByHand:
    """A TLS client whose records go over the socket exactly when the test says so."""

    def __init__(self, port, host):
        self.socket = socket.create_connection((ports.LOOPBACK, port), timeout=IO_SECONDS)
        self.arrived, self.to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls_context().wrap_bio(self.arrived, self.to_send, server_hostname=host)

    def until_done(self, action):
        """Repeats what wants to read until it has."""
        while True:
            try:
                result = action()
                self.socket.sendall(self.to_send.read())
                return result
            except ssl.SSLWantReadError:
                self.socket.sendall(self.to_send.read())
                data = self.socket.recv(65536)
                if not data:
                    raise EOFError("FIN came first") from None
                self.arrived.write(data)


@pytest.mark.parametrize("requests", [0, 1])
def test_close_notify_is_answered_by_one(gateway, upstream, requests):
    client = ByHand(gateway.port(443), upstream.host)
    with client.socket:
        client.until_done(client.tls.do_handshake)
        for _ in range(requests):
            client.tls.write(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % upstream.host.encode())
            received = b""
            while not received.endswith(b"hello"):
                received += client.until_done(lambda: client.tls.read(65536))
        client.until_done(client.tls.unwrap)
        assert client.socket.recv(1) == b""


def test_alert_tells_of_a_bad_record_in_mid_body(client, upstream):
    """A reset in its place would say nothing of the cause."""
    upstream.script = lambda peer, request: peer.wait_for_close()
    client.send_head("POST", "/", [("content-length", "1000")])
    client.send(b"x" * 500)
    assert upstream.wait_for_requests(1)
    os.write(client.socket.fileno(), b"\x17\x03\x03\x00\x40" + b"?" * 64)
    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        client.socket.recv(1)
    assert upstream.wait_for(lambda: not upstream.open_connections)


@pytest.fixture
def how_it_ended(client, upstream):
    """Opens a tunnel; call it to hear how its end looked to the upstream."""
    seen = []
    over = threading.Event()

    def script(peer, request):
        websocket.accept(peer, request)
        try:
            seen.append(peer.socket.recv(1))
        except ConnectionResetError:
            seen.append("reset")
        over.set()

    upstream.script = script
    assert WebSocket(client).response.status == 101
    return lambda: seen[0] if over.wait(IO_SECONDS) else None


def test_tunnel_ends_in_order_after_close_notify(client, how_it_ended):
    client.socket.unwrap().shutdown(socket.SHUT_WR)
    assert how_it_ended() == b""


def test_tunnel_that_was_cut_does_not_look_complete(client, how_it_ended):
    """FIN alone may be an attacker's."""
    client.socket.shutdown(socket.SHUT_WR)
    assert how_it_ended() == "reset"

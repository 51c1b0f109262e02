"""WebSocket: the upgrade, frames of any size, and every way to end (RFC 6455, RFC 9110 7.8)."""

import os
import threading

import pytest

from harness import documents, message, websocket
from harness.limits import MIB
from harness.websocket import WebSocket


@pytest.fixture
def socket(client, upstream):
    upstream.script = websocket.echo_script
    return WebSocket(client)


def test_messages_are_echoed(socket):
    assert socket.response.status == 101
    assert socket.response.get("upgrade") == "websocket"
    assert socket.response.get("connection").lower() == "upgrade"
    for index in range(100):
        socket.echo(f"message {index}".encode(), websocket.TEXT)


def test_upstream_gets_the_whole_handshake(socket, upstream):
    socket.echo(b"x")
    request = upstream.requests[0]
    assert request.get("upgrade") == "websocket"
    assert request.get("connection").lower() == "upgrade"
    assert request.get("sec-websocket-version") == "13"
    assert request.get("x-forwarded-proto") in ("http", "https")
    assert "content-length" not in request and "transfer-encoding" not in request


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, MIB, 8 * MIB])
def test_frame_of_any_size(socket, size):
    socket.echo(os.urandom(size))


def test_ping_passes(socket):
    socket.send(b"are you there", websocket.PING)
    assert socket.receive() == (websocket.PING, b"are you there")


def test_close_by_the_client_is_answered(socket, upstream):
    socket.send(b"\x03\xe8bye", websocket.CLOSE)
    assert socket.receive() == (websocket.CLOSE, b"\x03\xe8bye")
    assert socket.client.is_closed_by_peer()
    assert upstream.wait_for(lambda: not upstream.open_connections)


def test_close_by_the_upstream_reaches_the_client(client, upstream):
    def script(peer, request):
        websocket.accept(peer, request)
        peer.send(websocket.frame(websocket.CLOSE, b"\x03\xe9going", masked=False))
        peer.close()

    upstream.script = script
    socket = WebSocket(client)
    assert socket.receive() == (websocket.CLOSE, b"\x03\xe9going")
    assert client.is_closed_by_peer()


def test_client_that_vanishes_ends_the_upstream(socket, upstream):
    socket.echo(b"x")
    socket.client.reset()
    assert upstream.wait_for(lambda: not upstream.open_connections)


def test_upstream_that_vanishes_ends_the_client(client, upstream):
    def script(peer, request):
        websocket.accept(peer, request)
        peer.send(websocket.frame(*websocket.read_frame(peer.reader), masked=False))
        peer.reset()

    upstream.script = script
    WebSocket(client).echo(b"x")
    assert client.is_closed_by_peer()


def test_bytes_right_after_the_handshake_are_not_lost(client, upstream):
    """Both sides may speak in the segment of their handshake, or at least right behind it."""

    def script(peer, request):
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "
            + websocket.accept_value(request.get("sec-websocket-key")).encode()
            + b"\r\n\r\n"
            + websocket.frame(websocket.TEXT, b"first", masked=False)
        )
        assert websocket.read_frame(peer.reader) == (websocket.TEXT, b"early")
        peer.send(websocket.frame(websocket.TEXT, b"second", masked=False))
        peer.wait_for_close()

    upstream.script = script
    head = message.head_bytes(
        "GET /ws HTTP/1.1",
        [
            ("host", client.host),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
    )
    client.send(head + websocket.frame(websocket.TEXT, b"early", masked=True))
    assert client.read_response().status == 101
    assert websocket.read_frame(client.reader) == (websocket.TEXT, b"first")
    assert websocket.read_frame(client.reader) == (websocket.TEXT, b"second")


def test_upstream_that_refuses_the_upgrade(client, upstream):
    """An ordinary response, after which the connection goes on."""

    def script(peer, request):
        peer.read_body(request)
        peer.respond(403 if "upgrade" in request else 200, body=b"answer")

    upstream.script = script
    assert WebSocket(client).response.status == 403
    assert client.request().body == b"answer"


def test_upgrade_is_not_forwarded_without_the_connection_option(client, upstream):
    """RFC 9110 7.8: an Upgrade field alone asks for nothing."""
    client.request("GET", "/", [("upgrade", "websocket")])
    assert "upgrade" not in upstream.requests[0]


def test_h2c_is_not_forwarded(client, upstream):
    """An upgrade to HTTP/2 would carry requests past the gateway."""
    response = client.request(
        "GET", "/", [("connection", "upgrade, http2-settings"), ("upgrade", "h2c"), ("http2-settings", "AAA")]
    )
    assert response.status == 200
    request = upstream.requests[0]
    assert "upgrade" not in request and "http2-settings" not in request and "connection" not in request


def test_101_that_nobody_asked_for_is_an_error(client, upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw bytes")
        peer.wait_for_close()

    upstream.script = script
    response = client.request()
    assert response is None or response.status in (502, 503)


def test_both_directions_at_once(gateway, upstream):
    """Neither direction waits for the other: 16 MiB each way at the same time. (Plain: a Python TLS socket is not for
    two threads.)"""
    count, block = 256, os.urandom(64 * 1024)
    received = []

    def send_all(connection):
        for _ in range(count):
            connection.send(block)

    def script(peer, request):
        websocket.accept(peer, request)
        sender = threading.Thread(target=send_all, args=(peer,))
        sender.start()
        received.append(sum(len(piece) for piece in peer.reader.iterate(count * len(block))))
        sender.join()
        peer.wait_for_close()

    upstream.script = script
    with gateway.connect(upstream.host) as client:
        WebSocket(client)
        sender = threading.Thread(target=send_all, args=(client,))
        sender.start()
        assert sum(len(piece) for piece in client.reader.iterate(count * len(block))) == count * len(block)
        sender.join()
        assert upstream.wait_for(lambda: received == [count * len(block)])


def test_sample_upstream_echoes(tls, sample_upstream, own_gateway):
    gateway = own_gateway({"sample.yaml": documents.routes("sample", sample_upstream)})
    with gateway.connect(f"sample.{documents.DOMAIN}", tls=tls) as client:
        socket = WebSocket(client)
        assert socket.response.status == 101
        for size in (0, 5, 126, 70_000):
            socket.echo(os.urandom(size))
        socket.send(b"\x03\xe8", websocket.CLOSE)
        assert socket.receive()[0] == websocket.CLOSE


def test_tunnels_are_counted(gateway, client, upstream):
    upstream.script = websocket.echo_script

    def count():
        return gateway.metric("sluice_tunnels_active")

    assert upstream.wait_for(lambda: count() == 0), "tunnels of earlier tests are still open"
    socket = WebSocket(client)
    socket.echo(b"x")
    assert upstream.wait_for(lambda: count() == 1)
    socket.send(b"", websocket.CLOSE)
    socket.receive()
    client.close()
    assert upstream.wait_for(lambda: count() == 0)

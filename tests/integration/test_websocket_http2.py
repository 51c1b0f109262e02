"""WebSocket where one side or both speak HTTP/2 (RFC 8441): the handshake as each version has it, bytes both ways, and
every way to end. What both sides with HTTP/1.1 do is in test_websocket.py, and here again in the same words."""

import asyncio
import base64
import contextlib
import os
import signal
import socket
import threading

import pytest
import websockets
from conftest import Slots

from harness import chromium, documents, haproxy, message, ports, websocket
from harness.documents import DOMAIN
from harness.gateway import wait_until
from harness.http2_client import ErrorCodes, SettingCodes, StreamReset
from harness.http2_upstream import Http2Upstream
from harness.limits import FULL, IO_SECONDS, MIB
from harness.upstream import Upstream

TAKES_CONNECT = {SettingCodes.ENABLE_CONNECT_PROTOCOL: 1}
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
# Python cannot end one direction of TLS.
PLAIN_ONLY = pytest.mark.parametrize("tls", [False], ids=["plain"], indirect=True)


# --- both versions, by the same words ----------------------------------------------------------------


class Http1Socket:
    """A client's WebSocket on a connection of its own."""

    def __init__(self, gateway, host, tls, headers=()):
        self.client = gateway.connect(host, tls=tls)
        fields = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")]
        self.client.send_head("GET", "/ws?room=1", [*fields, ("sec-websocket-key", KEY), *headers])
        self.response = self.client.read_response()
        self.is_open = self.response is not None and self.response.status == 101
        self.send = self.client.send

    def read(self, count):
        return b"".join(self.client.reader.iterate(count))

    def finish(self):
        self.client.shutdown_write()

    def read_to_end(self):
        return self.client.reader.read_to_end()

    def is_aborted(self):
        return self.client.is_closed_by_peer()

    def reset(self):
        self.client.reset()

    def close(self):
        self.client.close()


class Http2Socket:
    """The same on a stream."""

    def __init__(self, gateway, host, tls, headers=(), *, client=None):
        self.client = client or gateway.connect_http2(host, tls=tls)
        self.client.wait_for(lambda: self.client.http2.remote_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1)
        self.stream = self.client.open(
            pseudo=pseudo_fields(host, tls), headers=[("sec-websocket-version", "13"), *headers], end=False
        )
        with contextlib.suppress(StreamReset):
            self.client.read_head(self.stream)
        self.response = self.stream.response
        self.is_open = self.response is not None and self.response.status == 200

    def send(self, data):
        assert self.client.send(self.stream, data)

    def read(self, count):
        self.client.wait_for(lambda: len(self.stream.body) >= count or self.stream.reset_code is not None)
        taken = bytes(self.stream.body[:count])
        del self.stream.response.body[:count]
        return taken

    def finish(self):
        self.client.end(self.stream)

    def read_to_end(self):
        self.client.read_response(self.stream)
        return bytes(self.stream.body)

    def is_aborted(self):
        return self.client.wait_for_reset(self.stream) not in (None, ErrorCodes.NO_ERROR)

    def reset(self):
        self.client.reset(self.stream)

    def close(self):
        self.client.close()


def pseudo_fields(host, tls, protocol="websocket"):
    return [
        (":method", "CONNECT"),
        (":protocol", protocol),
        (":scheme", "https" if tls else "http"),
        (":authority", host),
        (":path", "/ws?room=1"),
    ]


class Http1End:
    """The upstream's."""

    def __init__(self, peer, request):
        self.peer, self.request = peer, request
        self.send = peer.send

    def accept(self, headers=()):
        lines = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-accept", websocket.accept_value(self.request.get("sec-websocket-key"))),
        ]
        self.send(message.head_bytes("HTTP/1.1 101 Switching Protocols", [*lines, *headers]))

    def refuse(self, status, body=b""):
        self.peer.respond(status, body=body)

    def pieces(self):
        return self.peer.reader.iterate(None)

    def finish(self):
        self.peer.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.peer.reset()

    def wait_for_end(self):
        self.peer.wait_for_close()


class Http2End:
    """The same."""

    def __init__(self, stream):
        self.stream, self.request = stream, stream.request
        self.send = stream.send

    def accept(self, headers=()):
        self.stream.send_head(200, headers)

    def refuse(self, status, body=b""):
        self.stream.respond(status, body=body)

    def pieces(self):
        return iter(self.stream.read, b"")

    def finish(self):
        self.stream.end()

    def reset(self):
        self.stream.reset()

    def wait_for_end(self):
        self.stream.wait_for_end()


def echo(end):
    end.accept()
    for piece in end.pieces():
        end.send(piece)
    end.finish()


# --- fixtures ----------------------------------------------------------------------------------------

SOCKETS = {"http1": Http1Socket, "http2": Http2Socket}
UPSTREAMS = {"http1": "HTTP", "http2": "HTTP2"}


@pytest.fixture(name="places", scope="module")
def make_places():
    return {name: Slots(200, prefix=f"ws-{name}-", protocol=protocol) for name, protocol in UPSTREAMS.items()}


@pytest.fixture(name="gateway")
def check_gateway(shared_gateway):
    shared_gateway.check_health()
    yield shared_gateway
    shared_gateway.check_health()


@pytest.fixture(name="make_upstream")
def make_make_upstream(places, shared_gateway):  # pylint: disable=unused-argument
    """make_upstream(version, script): script(end) gets Http1End or Http2End."""
    with contextlib.ExitStack() as stack:

        def make(version, script, settings=None):
            host, port = places[version].take()
            if version == "http1":
                made = Upstream(port.listen()).serve(lambda peer, request: script(Http1End(peer, request)))
            else:
                made = Http2Upstream(listener=port.listen(), settings=TAKES_CONNECT if settings is None else settings)
                made.serve(lambda stream: script(Http2End(stream)))
            made.host, made.version = host, version
            stack.callback(made.stop)
            return made

        yield make


@pytest.fixture(name="serve", params=list(UPSTREAMS))
def choose_upstream(request, make_upstream):
    return lambda script=echo, **options: make_upstream(request.param, script, **options)


@pytest.fixture(name="connect", params=list(SOCKETS))
def choose_client(request, gateway, tls):
    with contextlib.ExitStack() as stack:

        def make(upstream, headers=()):
            made = SOCKETS[request.param](gateway, upstream.host, tls, headers)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture(name="connect_http2")
def make_http2_socket(gateway, tls):
    with contextlib.ExitStack() as stack:

        def make(upstream, headers=(), **options):
            made = Http2Socket(gateway, upstream.host, tls, headers, **options)
            stack.callback(made.close)
            return made

        yield make


# --- the handshake -----------------------------------------------------------------------------------


def test_upstream_is_asked_in_its_version(connect, serve):
    upstream = serve()
    tunnel = connect(upstream, [("origin", "https://page.example"), ("sec-websocket-protocol", "chat")])
    assert tunnel.is_open
    request = upstream.requests[0]
    assert request.get("origin") == "https://page.example"
    assert request.get("sec-websocket-protocol") == "chat"
    assert request.get("sec-websocket-version") == "13"
    assert "content-length" not in request and "transfer-encoding" not in request
    if upstream.version == "http1":
        assert request.start_line == "GET /ws?room=1 HTTP/1.1"
        assert request.get("upgrade") == "websocket" and request.get("connection").lower() == "upgrade"
        assert len(base64.b64decode(request.get("sec-websocket-key"))) == 16
    else:
        assert request.pseudo[":method"] == "CONNECT" and request.pseudo[":protocol"] == "websocket"
        assert request.pseudo[":path"] == "/ws?room=1" and request.pseudo[":authority"] == upstream.host
        assert request.pseudo[":scheme"] == request.get("x-forwarded-proto")
        for name in ("upgrade", "connection", "sec-websocket-key"):
            assert name not in request


def test_client_is_answered_in_its_version(connect, serve):
    upstream = serve(lambda end: (end.accept([("sec-websocket-protocol", "chat"), ("x-mine", "1")]), end.wait_for_end()))
    tunnel = connect(upstream)
    response = tunnel.response
    assert response.get("sec-websocket-protocol") == "chat" and response.get("x-mine") == "1"
    assert "content-length" not in response and "transfer-encoding" not in response
    if isinstance(tunnel, Http1Socket):
        assert response.status == 101
        assert response.get("upgrade") == "websocket" and response.get("connection").lower() == "upgrade"
        assert response.get("sec-websocket-accept") == websocket.accept_value(KEY)
    else:
        assert response.status == 200
        for name in ("upgrade", "connection", "sec-websocket-accept"):
            assert name not in response


def test_keys_are_not_the_same_twice(connect_http2, make_upstream):
    upstream = make_upstream("http1", echo)
    for _ in range(2):
        connect_http2(upstream)
    first, second = (request.get("sec-websocket-key") for request in upstream.requests)
    assert first != second


@PLAIN_ONLY
def test_access_log_has_it_as_an_upgrade(gateway, connect, serve):
    upstream = serve()
    before = len(gateway.access_lines())
    tunnel = connect(upstream)
    tunnel.send(b"12345")
    assert tunnel.read(5) == b"12345"
    tunnel.finish()
    tunnel.read_to_end()
    line = gateway.wait_for_access_line(upstream.host, start=before)
    version = "HTTP/2" if isinstance(tunnel, Http2Socket) else "HTTP/1.1"
    assert f'"GET /ws?room=1 {version}" 101 - via_upstream - "-" 5 5 ' in line, line


@pytest.mark.parametrize("status", [400, 403, 426, 503])
def test_refusal_is_told(connect, serve, status):
    tunnel = connect(serve(lambda end: end.refuse(status, b"no")))
    assert not tunnel.is_open
    assert tunnel.response.status == status


def test_connection_goes_on_after_a_refusal(connect_http2, serve):
    upstream = serve(lambda end: end.refuse(403 if end.request.get("sec-websocket-version") else 200, b"answer"))
    tunnel = connect_http2(upstream)
    assert tunnel.response.status == 403
    assert tunnel.client.request(host=upstream.host).body == b"answer"


def test_upgrade_is_left_out_where_the_upstream_takes_none(gateway, make_upstream, tls):
    """RFC 8441 3: nobody may send what was not announced. RFC 9110 7.8: an Upgrade may be ignored."""
    upstream = make_upstream("http2", lambda end: end.refuse(200, b"a page"), settings={})
    with contextlib.closing(Http1Socket(gateway, upstream.host, tls)) as tunnel:
        assert tunnel.response.status == 200 and tunnel.response.body == b"a page"
    request = upstream.requests[0]
    assert request.pseudo[":method"] == "GET" and ":protocol" not in request.pseudo


def test_page_is_no_answer_to_an_extended_connect(connect_http2, make_upstream, serve):
    """2xx would say that the protocols were switched."""
    assert connect_http2(make_upstream("http2", lambda end: end.refuse(200, b"a page"), settings={})).response.status == 502
    upstream = serve(lambda end: end.refuse(200, b"a page"))
    if upstream.version == "http1":
        assert connect_http2(upstream).response.status == 502


@pytest.mark.parametrize(
    "lines",
    [
        ["Upgrade: websocket"],
        ["Upgrade: websocket", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
        ["Upgrade: other", "Sec-WebSocket-Accept: {accept}"],
        ["Sec-WebSocket-Accept: {accept}"],
    ],
    ids=["no answer to the key", "wrong answer to the key", "another protocol", "no protocol"],
)
def test_upstream_that_did_not_understand(connect_http2, make_upstream, lines):
    """What a client of HTTP/1.1 checks itself."""

    def script(end):
        accept = websocket.accept_value(end.request.get("sec-websocket-key"))
        text = "".join(f"{line.format(accept=accept)}\r\n" for line in lines)
        end.send(f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n{text}\r\n".encode())
        end.wait_for_end()

    assert connect_http2(make_upstream("http1", script)).response.status == 502


@pytest.mark.parametrize(
    "protocol, headers",
    [("h2c", []), ("a b", []), ("websocket, h2c", []), ("websocket", [("content-length", "0")])],
    ids=["h2c", "no token", "list", "with a length"],
)
def test_malformed_extended_connect(gateway, make_upstream, tls, protocol, headers):
    upstream = make_upstream("http1", echo)
    with gateway.connect_http2(upstream.host, tls=tls) as client:
        stream = client.open(pseudo=pseudo_fields(upstream.host, tls, protocol), headers=headers, end=False)
        assert client.read_response(stream).status == 400
        stream = client.open(pseudo=pseudo_fields(upstream.host, tls)[:3], end=False)
        with pytest.raises(StreamReset):
            client.read_response(stream)
    assert not upstream.requests


def test_other_protocols_pass(gateway, make_upstream, tls):
    """As any Upgrade does."""

    def script(end):
        end.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: Mine\r\n\r\n")
        for piece in end.pieces():
            end.send(piece.upper())
        end.finish()

    upstream = make_upstream("http1", script)
    with gateway.connect_http2(upstream.host, tls=tls) as client:
        stream = client.open(pseudo=pseudo_fields(upstream.host, tls, "mine"), end=False)
        assert client.read_head(stream).status == 200
        assert upstream.requests[0].get("upgrade") == "mine"
        assert "sec-websocket-key" not in upstream.requests[0]
        client.send(stream, b"hello", end=True)
        assert client.read_response(stream).body == b"HELLO"


# --- bytes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 65_536, 4 * MIB])
def test_bytes_come_back(connect, serve, size):
    tunnel = connect(serve())
    for begin in range(0, size, 65_536):
        data = os.urandom(min(size - begin, 65_536))
        tunnel.send(data)
        assert tunnel.read(len(data)) == data


@PLAIN_ONLY
def test_both_directions_at_once(connect, serve):
    """Neither waits for the other: 8 MiB each way. (A Python TLS socket is not for two threads.)"""
    data, heard = os.urandom(8 * MIB), []

    def script(end):
        end.accept()
        sender = threading.Thread(target=end.send, args=(data,))
        sender.start()
        heard.append(b"".join(end.pieces()) == data)
        sender.join()
        end.finish()

    tunnel = connect(serve(script))
    if isinstance(tunnel, Http1Socket):
        sender = threading.Thread(target=lambda: (tunnel.send(data), tunnel.finish()))
        sender.start()
        assert tunnel.read_to_end() == data
        sender.join()
    else:
        tunnel.send(data)  # reads meanwhile
        tunnel.finish()
        assert tunnel.read_to_end() == data
    assert wait_until(lambda: heard == [True])


def test_upstream_speaks_first(connect, serve):
    def script(end):
        end.accept()
        end.send(b"welcome")
        end.wait_for_end()

    assert connect(serve(script)).read(7) == b"welcome"


def test_tunnels_and_requests_share_a_connection(connect_http2, serve):
    def script(end):
        if end.request.get("sec-websocket-version"):
            echo(end)
        else:
            end.refuse(200, b"page")

    upstream = serve(script)
    first = connect_http2(upstream)
    tunnels = [first] + [connect_http2(upstream, client=first.client) for _ in range(30)]
    for number, tunnel in enumerate(tunnels):
        tunnel.send(b"%03d" % number)
    assert first.client.request(host=upstream.host).body == b"page"
    for number, tunnel in enumerate(tunnels):
        assert tunnel.read(3) == b"%03d" % number


def test_slow_reader_stops_the_upstream(connect_http2, serve):
    """Its own tunnel alone."""
    sent = []

    def script(end):
        end.accept()
        with contextlib.suppress(OSError):
            for _ in range(1024):
                end.send(bytes(64 * 1024))
                sent.append(64 * 1024)

    upstream = serve(script)
    tunnel = connect_http2(upstream)
    tunnel.client.opens_windows = False
    tunnel.client.wait_for(lambda: len(tunnel.stream.body) >= 65_535)
    assert not wait_until(lambda: sum(sent) > 32 * MIB, seconds=1)
    tunnel.reset()
    assert tunnel.client.ping()


# --- ends --------------------------------------------------------------------------------------------


@PLAIN_ONLY
def test_end_of_the_client_is_not_the_upstreams(connect, serve):
    def script(end):
        end.accept()
        end.send(b"".join(end.pieces()) + b" and more")
        end.finish()

    tunnel = connect(serve(script))
    tunnel.send(b"the end")
    tunnel.finish()
    assert tunnel.read_to_end() == b"the end and more"


@PLAIN_ONLY
def test_end_of_the_upstream_is_not_the_clients(connect, serve):
    heard = []

    def script(end):
        end.accept()
        end.send(b"bye")
        end.finish()
        heard.append(b"".join(end.pieces()))

    tunnel = connect(serve(script))
    assert tunnel.read_to_end() == b"bye"
    tunnel.send(b"not yet")
    tunnel.finish()
    assert wait_until(lambda: heard == [b"not yet"])


def test_client_that_vanishes_ends_the_upstream(gateway, connect, serve):
    ended = []

    def script(end):
        end.accept()
        with contextlib.suppress(OSError):
            for piece in end.pieces():
                end.send(piece)
        end.wait_for_end()
        ended.append(True)

    upstream = serve(script)
    before = len(gateway.access_lines())
    tunnel = connect(upstream)
    tunnel.send(b"x")
    assert tunnel.read(1) == b"x"
    tunnel.reset()
    assert wait_until(lambda: ended == [True])
    assert " 101 DC " in gateway.wait_for_access_line(upstream.host, start=before)


def test_upstream_that_vanishes_ends_the_client(connect, serve):
    def script(end):
        end.accept()
        next(end.pieces())
        end.reset()

    tunnel = connect(serve(script))
    tunnel.send(b"x")
    assert tunnel.is_aborted()


@PLAIN_ONLY
def test_tunnels_are_counted(gateway, connect, serve):
    def count():
        return gateway.metric("sluice_tunnels_active")

    assert wait_until(lambda: count() == 0), "tunnels of earlier tests are still open"
    tunnel = connect(serve())
    tunnel.send(b"x")
    assert tunnel.read(1) == b"x"
    assert wait_until(lambda: count() == 1)
    tunnel.finish()
    assert tunnel.read_to_end() == b""
    assert wait_until(lambda: count() == 0)


def test_tunnel_lasts_until_the_end_of_a_drain(own_gateway, own_upstream, tls):
    own_upstream.serve(lambda peer, request: echo(Http1End(peer, request)))
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, drain_seconds=3)
    with contextlib.closing(Http2Socket(gateway, f"app.{DOMAIN}", tls)) as tunnel:
        gateway.signal(signal.SIGTERM)
        tunnel.client.wait_for(lambda: tunnel.client.goaways)
        tunnel.send(b"still open")
        assert tunnel.read(10) == b"still open"
        tunnel.client.wait_for_close()
    assert gateway.wait_for_exit() == 0


# --- what others wrote -------------------------------------------------------------------------------


async def say_back(connection):
    async for text in connection:
        await connection.send(text)


async def converse(port):
    """The library checks the handshake, frames and the closing."""
    uri = f"ws://app.{DOMAIN}/chat"
    async with websockets.connect(uri, host=ports.LOOPBACK, port=port, subprotocols=["chat"]) as connection:
        assert connection.subprotocol == "chat"
        for text in ("", "hello", "x" * 100_000, os.urandom(200_000)):
            await connection.send(text)
            assert await connection.recv() == text
        await (await connection.ping())
        await connection.close(code=4321, reason="enough")
    assert connection.close_code == 4321


@pytest.mark.skipif(haproxy.PROGRAM is None, reason="HAProxy is missing (Debian package haproxy)")
@pytest.mark.parametrize("client", ["http1", "http2"])
@pytest.mark.parametrize("upstream", ["http1", "http2"])
def test_real_peers(own_gateway, client, upstream):
    """A library's client and server, each behind HAProxy where it is to speak HTTP/2."""

    async def run():
        listener = ports.listen()
        port = listener.getsockname()[1]
        async with websockets.serve(say_back, sock=listener, subprotocols=["chat"]):
            with contextlib.ExitStack() as stack:
                if upstream == "http2":
                    port = stack.enter_context(haproxy.proxy(port, bind_options="proto h2"))
                gateway = own_gateway({"app.yaml": documents.routes("app", port, protocol=UPSTREAMS[upstream])})
                port = gateway.port(8080)
                if client == "http2":
                    port = stack.enter_context(haproxy.proxy(port, server_options="proto h2 ws h2"))
                before = len(gateway.access_lines())
                await asyncio.wait_for(converse(port), IO_SECONDS)
                line = gateway.wait_for_access_line("/chat", start=before)
                assert f'"GET /chat {"HTTP/2" if client == "http2" else "HTTP/1.1"}" 101 ' in line

    asyncio.run(run())


PAGE = b"""<!doctype html><title>WebSocket</title><img src="/wait"><script>
const socket = new WebSocket(`wss://${location.host}/ws`);
socket.onopen = () => socket.send("from the browser");
socket.onmessage = event => fetch("/report?" + encodeURIComponent(event.data));
socket.onerror = () => fetch("/report?error");
</script>"""


@pytest.mark.skipif(not FULL, reason="Chromium is large and slow: SLUICE_FULL=1")
@pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is missing (Debian package chromium)")
def test_browser(gateway, make_upstream, certificate):
    """It opens a WebSocket on the connection of HTTP/2 that its page has come by."""
    reported = threading.Event()

    def script(end):
        path = end.request.target
        if path == "/ws":
            end.accept()
            opcode, text = websocket.read_frame(end.peer.reader)
            end.send(websocket.frame(opcode, text + b" and back", masked=False))
            end.wait_for_end()
        elif path == "/":
            end.peer.respond(200, [("content-type", "text/html")], PAGE)
        else:
            if path.startswith("/report"):
                reported.set()
            else:  # the page is complete when this image is
                reported.wait(IO_SECONDS)
            end.refuse(404)

    upstream = make_upstream("http1", script)
    before = len(gateway.access_lines())
    chromium.page(upstream.host, gateway.port(443), certificate, version="TLSv1.3")
    assert "/report?from%20the%20browser%20and%20back" in [request.target for request in upstream.requests]
    assert '"GET /ws HTTP/2" 101 ' in gateway.wait_for_access_line("/ws", start=before)

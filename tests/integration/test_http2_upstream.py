"""HTTP/2 to upstreams: what arrives there, what comes back to clients of HTTP/1, which connections carry it."""

import contextlib
import signal
import threading

import pytest

from harness import documents, message, pattern
from harness.documents import DOMAIN
from harness.gateway import wait_until
from harness.http2_upstream import ErrorCodes, Http2Upstream, h2
from harness.limits import IO_SECONDS, MIB
from harness.tls_upstream import TlsUpstream, server_context
from harness.upstream import Upstream, in_turn

APP = f"app.{DOMAIN}"
LARGE = 10 * MIB
TRAILERS = [("x-checksum", "abc123"), ("x-count", "2")]
TLS_ONLY = pytest.mark.parametrize("http2_upstream", ["tls"], indirect=True)
PLAIN_ONLY = pytest.mark.parametrize("http2_upstream", ["prior-knowledge"], indirect=True)
MAX_CONCURRENT_STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS


@contextlib.contextmanager
def clients_of(gateway, host, count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(gateway.connect(host)) for _ in range(count)]


@contextlib.contextmanager
def stopped(gateway):
    """What clients send meanwhile is there at once when the gateway goes on."""
    gateway.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        gateway.signal(signal.SIGCONT)


def ask_at_once(gateway, host, count):
    """Statuses of as many requests."""
    with clients_of(gateway, host, count) as clients:
        with stopped(gateway):
            for number, client in enumerate(clients):
                client.send_head("GET", f"/{number}")
        return [client.read_response().status for client in clients]


# --- what arrives ---


@pytest.mark.parametrize("client_tls", [False, True], ids=["http", "https"])
def test_request_head(http2_gateway, http2_upstream, client_tls):
    upstream = http2_upstream()
    fields = [
        ("connection", "keep-alive, x-mine"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("x-mine", "of this connection"),
        ("te", "trailers"),
        ("X-Upper", "Case"),
    ]
    with http2_gateway.connect(upstream.host, tls=client_tls) as client:
        assert client.request("GET", "/a/b?c=d", fields).body == b"hello"
    request = upstream.requests[0]
    scheme = "https" if client_tls else "http"
    assert request.pseudo == {
        ":method": "GET",
        ":scheme": scheme,
        ":authority": upstream.host,
        ":path": "/a/b?c=d",
    }
    for name in ("connection", "keep-alive", "proxy-connection", "x-mine", "host", "transfer-encoding", "upgrade"):
        assert name not in request
    assert "content-length" not in request
    assert request.get("te") == "trailers"
    assert request.get("x-upper") == "Case"
    assert request.get("x-forwarded-for") == "127.0.0.1"
    assert request.get("x-forwarded-proto") == scheme
    assert request.get("x-request-id")
    assert all(name == name.lower() for name, _ in request.headers)


def test_body_of_known_length(http2_gateway, http2_upstream):
    upstream = http2_upstream()
    with http2_gateway.connect(upstream.host) as client:
        assert client.request("POST", "/", body=b"content").status == 200
        assert client.request("POST", "/", body=b"").status == 200
    assert [request.body for request in upstream.requests] == [b"content", b""]
    assert [request.get("content-length") for request in upstream.requests] == ["7", "0"]


def test_chunked_body_and_its_trailers(http2_gateway, http2_upstream):
    upstream = http2_upstream()
    with http2_gateway.connect(upstream.host) as client:
        client.send_head("POST", "/", [("transfer-encoding", "chunked"), ("trailer", "x-checksum")])
        client.send(message.chunked(b"one", b"two", trailers=TRAILERS))
        assert client.read_response().status == 200
    request = upstream.requests[0]
    assert request.body == b"onetwo"
    assert request.trailers == TRAILERS
    assert "content-length" not in request and "transfer-encoding" not in request


def test_cookies(http2_gateway, http2_upstream):
    """RFC 9113 8.2.3: they may come as one field or as several; what they are must not change."""
    cookies = [("set-cookie", "first=1; Path=/"), ("set-cookie", "second=2; Path=/")]
    upstream = http2_upstream(lambda stream: stream.respond(headers=cookies, body=b"ok"))
    with http2_gateway.connect(upstream.host) as client:
        response = client.request("GET", "/", [("cookie", "a=b; c=d")])
    assert "; ".join(upstream.requests[0].all("cookie")) == "a=b; c=d"
    assert response.all("set-cookie") == [value for _, value in cookies]


@pytest.mark.parametrize("is_chunked", [False, True], ids=["content-length", "chunked"])
def test_large_upload(http2_gateway, http2_upstream, is_chunked):
    upstream = http2_upstream()
    with http2_gateway.connect(upstream.host) as client:
        if is_chunked:
            client.send_head("POST", "/", [("transfer-encoding", "chunked")])
            for block in pattern.blocks(LARGE):
                client.send(b"%x\r\n%s\r\n" % (len(block), block))
            client.send(b"0\r\n\r\n")
        else:
            client.send_head("POST", "/", [("content-length", str(LARGE))])
            for block in pattern.blocks(LARGE):
                client.send(block)
        assert client.read_response().status == 200
    assert pattern.digest_of([upstream.requests[0].body]) == pattern.digest(LARGE)


@pytest.mark.parametrize("has_length", [True, False], ids=["content-length", "no-length"])
def test_large_download(http2_gateway, http2_upstream, has_length):
    content = b"".join(pattern.blocks(LARGE))
    upstream = http2_upstream(lambda stream: stream.respond(body=content, has_length=has_length))
    with http2_gateway.connect(upstream.host) as client:
        for _ in range(2):
            response = client.request("GET", "/")
            assert pattern.digest_of([response.body]) == pattern.digest(LARGE)
            assert (response.get("content-length"), response.get("transfer-encoding")) == (
                (str(LARGE), None) if has_length else (None, "chunked")
            )


@PLAIN_ONLY
def test_large_bodies_with_small_windows(http2_gateway, http2_upstream):
    """Both ways at once, and the upstream's window is less than a frame."""
    size = MIB

    def echo(stream):
        stream.send_head()
        for piece in iter(stream.read, b""):
            stream.send(piece)
        stream.end()

    window = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 5000}
    upstream = http2_upstream(echo, settings=window)
    with http2_gateway.connect(upstream.host) as client:
        client.send_head("POST", "/", [("content-length", str(size))])
        sender = threading.Thread(target=lambda: [client.send(block) for block in pattern.blocks(size)])
        sender.start()
        response = client.read_response("POST")
        sender.join()
    assert pattern.digest_of([response.body]) == pattern.digest(size)


# --- what comes back ---


def test_head_request(http2_gateway, http2_upstream):
    upstream = http2_upstream(lambda stream: stream.send_head(200, [("content-length", "5")], is_end=True))
    with http2_gateway.connect(upstream.host) as client:
        for _ in range(2):
            response = client.request("HEAD", "/")
            assert (response.status, response.get("content-length"), response.body) == (200, "5", b"")


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_content(http2_gateway, http2_upstream, status):
    upstream = http2_upstream(lambda stream: stream.respond(status, [("etag", '"1"')]))
    with http2_gateway.connect(upstream.host) as client:
        for _ in range(2):
            response = client.request("GET", "/")
            assert (response.status, response.get("etag"), response.body) == (status, '"1"', b"")
            assert "transfer-encoding" not in response


def test_informational_responses(http2_gateway, http2_upstream):
    def script(stream):
        stream.send_head(103, [("link", "</style.css>; rel=preload")])
        stream.send_head(103, [("link", "</script.js>; rel=preload")])
        stream.respond(body=b"final")

    upstream = http2_upstream(script)
    with http2_gateway.connect(upstream.host) as client:
        for _ in range(2):
            client.send_head("GET", "/")
            responses = [client.read_response(keep_informational=True) for _ in range(3)]
            assert [response.status for response in responses] == [103, 103, 200]
            assert responses[1].get("link") == "</script.js>; rel=preload"
            assert responses[2].body == b"final"


def test_expect_100_continue(http2_gateway, http2_upstream):
    """The gateway says it itself; the upstream's own is not passed on a second time."""

    def script(stream):
        stream.send_head(100)
        stream.read_body()
        stream.respond(body=b"done")

    upstream = http2_upstream(script)
    with http2_gateway.connect(upstream.host) as client:
        client.send_head("POST", "/", [("expect", "100-continue"), ("content-length", "7")])
        assert client.read_response(keep_informational=True).status == 100
        client.send(b"content")
        response = client.read_response(keep_informational=True)
        assert (response.status, response.body) == (200, b"done")
    assert upstream.requests[0].body == b"content"


def test_response_of_unknown_length(http2_gateway, http2_upstream):
    upstream = http2_upstream(lambda stream: stream.respond(body=b"content", has_length=False))
    with http2_gateway.connect(upstream.host) as client:
        response = client.request("GET", "/")
        assert (response.get("transfer-encoding"), response.body) == ("chunked", b"content")
        assert client.request("GET", "/").body == b"content"
    with http2_gateway.connect(upstream.host) as client:
        response = client.request("GET", "/", version="HTTP/1.0")
        assert "transfer-encoding" not in response and "content-length" not in response
        assert response.body == b"content"  # which ended with the connection


def test_content_comes_before_the_response_is_complete(http2_gateway, http2_upstream):
    go_on = threading.Event()

    def script(stream):
        stream.send_head()
        stream.send(b"first")
        go_on.wait(IO_SECONDS)
        stream.send(b"second", is_end=True)

    upstream = http2_upstream(script)
    with http2_gateway.connect(upstream.host) as client:
        client.send_head("GET", "/")
        response = client.reader.read_head()
        pieces = client.reader.iterate_chunked(response)
        assert next(pieces) == b"first"
        go_on.set()
        assert b"".join(pieces) == b"second"


def test_trailers_of_a_response(http2_gateway, http2_upstream):
    upstream = http2_upstream(lambda stream: stream.respond(body=b"content", trailers=TRAILERS, has_length=False))
    with http2_gateway.connect(upstream.host) as client:
        for _ in range(2):
            response = client.request("GET", "/", [("te", "trailers")])
            assert (response.body, response.trailers) == (b"content", TRAILERS)
    with http2_gateway.connect(upstream.host) as client:
        response = client.request("GET", "/", version="HTTP/1.0")
        assert (response.body, response.trailers) == (b"content", [])


def test_response_before_the_request_is_complete(http2_gateway, http2_upstream):
    """The upstream wants no more of it (RFC 9113 8.1): the response arrives, and the client's connection ends."""

    def script(stream):
        stream.respond(413, body=b"too much")
        stream.reset(ErrorCodes.NO_ERROR)

    upstream = http2_upstream(in_turn(script, lambda stream: stream.respond(body=b"next")))
    with http2_gateway.connect(upstream.host) as client:
        client.send_head("POST", "/", [("content-length", str(LARGE))])
        response = client.read_response()
        assert (response.status, response.body) == (413, b"too much")
    with http2_gateway.connect(upstream.host) as client:
        assert client.request("GET", "/").body == b"next"
    assert len(upstream.http2_connections) == 1


def test_upgrade_is_left_out(http2_gateway, http2_upstream):
    """RFC 9113 8.6: there is none; the upstream answers as if nobody had asked (RFC 9110 7.8)."""
    upstream = http2_upstream()
    fields = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    with http2_gateway.connect(upstream.host) as client:
        response = client.request("GET", "/ws", fields)
        assert (response.status, response.body) == (200, b"hello")
        assert "upgrade" not in response
    assert "upgrade" not in upstream.requests[0] and "connection" not in upstream.requests[0]


# --- connections ---


def test_many_clients_share_a_connection(http2_gateway, http2_upstream):
    go_on = threading.Event()

    def script(stream):
        go_on.wait(IO_SECONDS)
        stream.respond(body=stream.request.target.encode())

    upstream = http2_upstream(script)
    with clients_of(http2_gateway, upstream.host, 50) as clients:
        for number, client in enumerate(clients):
            client.send_head("GET", f"/{number}")
        upstream.wait_for_requests(50)
        assert len(upstream.connections) == 1
        go_on.set()
        assert [client.read_response().body for client in clients] == [b"/%d" % number for number in range(50)]
    assert len(upstream.connections) == 1


def test_more_streams_than_we_open_on_a_connection(http2_gateway, http2_upstream):
    go_on = threading.Event()

    def script(stream):
        go_on.wait(IO_SECONDS)
        stream.respond(body=b"ok")

    upstream = http2_upstream(script)
    with clients_of(http2_gateway, upstream.host, 130) as clients:
        for client in clients:
            client.send_head("GET", "/")
        upstream.wait_for_requests(130)
        assert sorted(len(connection.streams) for connection in upstream.http2_connections) == [30, 100]
        go_on.set()
        assert [client.read_response().status for client in clients] == [200] * 130


@pytest.mark.parametrize("count", [6, 20])
def test_concurrent_streams_that_the_upstream_allows(http2_gateway, http2_upstream, count):
    go_on = threading.Event()

    def script(stream):
        if stream.request.target != "/first":
            go_on.wait(IO_SECONDS)
        stream.respond(body=b"ok")

    upstream = http2_upstream(script, settings={MAX_CONCURRENT_STREAMS: 2})
    with clients_of(http2_gateway, upstream.host, count) as clients:
        assert clients[0].request("GET", "/first").status == 200
        with stopped(http2_gateway):
            for client in clients:
                client.send_head("GET", "/")
        assert upstream.wait_for(lambda: len(upstream.requests) >= min(count, 6) + 1)
        go_on.set()
        assert [client.read_response().status for client in clients] == [200] * count
    assert len(upstream.http2_connections) > 1
    assert len(upstream.requests) == count + 1  # each was executed once


def test_access_log_has_the_upstream_connection(http2_gateway, http2_upstream):
    upstream = http2_upstream()
    with http2_gateway.connect(upstream.host) as client:
        for number in range(2):
            assert client.request("GET", f"/logged/{upstream.host}/{number}").status == 200
    for number in range(2):
        line = http2_gateway.wait_for_access_line(f"/logged/{upstream.host}/{number} ")
        assert f'"127.0.0.1:{upstream.port}"' in line
        assert f" 127.0.0.1:{upstream.http2_connections[0].gateway_port} " in line


# --- what ALPN chooses ---


@TLS_ONLY
def test_alpn_chooses_http2_in_the_first_burst(http2_gateway, http2_upstream):
    upstream = http2_upstream()
    assert ask_at_once(http2_gateway, upstream.host, 20) == [200] * 20
    assert len(upstream.http2_connections) == 1


@pytest.mark.parametrize("alpn", [["http/1.1"], []], ids=["http1", "no-alpn"])
def test_upstream_that_has_no_http2_is_served_by_http1(http2_gateway, http2_slots, upstream_pair, alpn):
    host, port = http2_slots["tls"].take()
    upstream = TlsUpstream(server_context(upstream_pair, alpn=alpn), listener=port.listen()).serve()
    try:
        assert ask_at_once(http2_gateway, host, 20) == [200] * 20
        assert sorted(upstream.paths) == sorted(f"/{number}" for number in range(20))
        opened = len(upstream.connections)
        assert opened <= 21
        with http2_gateway.connect(host) as client:
            for _ in range(5):
                assert client.request("GET", "/").status == 200
        assert len(upstream.connections) == opened
        assert upstream.requests[0].version == "HTTP/1.1"
    finally:
        upstream.stop()


# --- reloads and the end ---


@pytest.fixture(name="own_http2")
def make_own_http2(own_gateway):
    """(gateway, upstream): a gateway of the test's own before an upstream without TLS."""
    upstream = Http2Upstream().serve()
    yield own_gateway({"app.yaml": documents.routes("app", upstream.port, protocol="HTTP2")}), upstream
    upstream.stop()


def test_reload_keeps_the_connection(own_http2):
    gateway, upstream = own_http2
    go_on = threading.Event()

    def wait(stream):
        go_on.wait(IO_SECONDS)
        stream.respond(body=b"late")

    upstream.script = in_turn(lambda stream: stream.respond(), wait, lambda stream: stream.respond())
    with gateway.connect(APP) as client, gateway.connect(APP) as waiting:
        assert client.request("GET", "/").status == 200
        waiting.send_head("GET", "/")
        upstream.wait_for_requests(2)
        gateway.write("more.yaml", documents.routes("more", 1))
        gateway.reload()
        assert client.request("GET", "/").status == 200
        go_on.set()
        assert waiting.read_response().body == b"late"
    assert len(upstream.connections) == 1


def test_reload_without_the_destination_closes_the_idle_connection(own_http2):
    gateway, upstream = own_http2
    with gateway.connect(APP) as client:
        assert client.request("GET", "/").status == 200
        assert len(upstream.open_http2) == 1
        gateway.write("app.yaml", documents.routes("app", 1, protocol="HTTP2"))
        gateway.reload()
        assert upstream.wait_for(lambda: not upstream.open_http2)
        assert client.request("GET", "/").status == 503


def test_reload_without_the_destination_lets_a_request_end(own_http2):
    gateway, upstream = own_http2
    go_on = threading.Event()

    def wait(stream):
        stream.send_head()
        go_on.wait(IO_SECONDS)
        stream.send(b"late", is_end=True)

    upstream.script = wait
    with gateway.connect(APP) as client:
        client.send_head("GET", "/")
        upstream.wait_for_requests(1)
        gateway.write("app.yaml", documents.routes("app", 1, protocol="HTTP2"))
        gateway.reload()
        go_on.set()
        assert client.read_response().body == b"late"
        assert upstream.wait_for(lambda: not upstream.open_http2)


def test_drain_ends_an_idle_connection(own_http2):
    gateway, upstream = own_http2
    with gateway.connect(APP) as client:
        assert client.request("GET", "/").status == 200
    assert len(upstream.open_http2) == 1
    gateway.stop()  # insists on exit code 0
    assert wait_until(lambda: not upstream.open_http2)


def test_idle_connection_is_ended_by_goaway(own_gateway, http2_upstream, upstream_authority):
    """RFC 9113 6.8: an upstream that sees a mere end cannot tell whether something was lost."""
    upstream = http2_upstream()
    texts = {"app.yaml": documents.routes("app", upstream.port, protocol="HTTP2")}
    if upstream.context:
        tls = {"mode": "SIMPLE", "credentialName": "upstream-tls"}
        texts["rule.yaml"] = documents.destination_rule("app", tls)
        texts["ca.yaml"] = documents.opaque_secret("upstream-tls", {"ca.crt": upstream_authority.certificate})
    gateway = own_gateway(texts)
    with gateway.connect(APP) as client:
        assert client.request("GET", "/").status == 200
    gateway.stop()
    assert upstream.wait_for(lambda: not upstream.open_http2)
    assert upstream.http2_connections[0].goaway == (ErrorCodes.NO_ERROR, 0)


def test_drain_lets_a_request_end(own_http2):
    gateway, upstream = own_http2
    go_on = threading.Event()

    def wait(stream):
        go_on.wait(IO_SECONDS)
        stream.respond(body=b"late")

    upstream.script = wait
    with gateway.connect(APP) as client:
        client.send_head("GET", "/")
        upstream.wait_for_requests(1)
        gateway.signal(signal.SIGTERM)
        assert wait_until(lambda: gateway.status() != 200)
        go_on.set()
        assert client.read_response().body == b"late"
    assert gateway.wait_for_exit() == 0


# --- which version, by DestinationRule ---


def http_settings(name, **settings):
    policy = {"connectionPool": {"http": settings}}
    return documents.document("DestinationRule", name, {"host": f"{name}.upstream.test", "trafficPolicy": policy})


@contextlib.contextmanager
def upstream_of_both(own_gateway, **settings):
    """A gateway to an upstream of HTTP/1.1 and one of HTTP/2, whose ports say http; both have these settings."""
    http1, http2 = Upstream().serve(), Http2Upstream().serve()
    texts = {
        name: documents.join(documents.routes(name, upstream.port), http_settings(name, **settings))
        for name, upstream in (("one", http1), ("two", http2))
    }
    try:
        yield own_gateway({f"{name}.yaml": text for name, text in texts.items()})
    finally:
        http1.stop()
        http2.stop()


def test_upgrade_policy(own_gateway):
    with upstream_of_both(own_gateway, h2UpgradePolicy="UPGRADE") as gateway:
        with gateway.connect(f"two.{DOMAIN}") as client:
            assert client.request().body == b"hello"
        with gateway.connect(f"one.{DOMAIN}") as client:
            assert client.request().status == 503, "it answers HTTP/2's preface with what is no HTTP/2"


def test_protocol_of_the_client(own_gateway):
    with upstream_of_both(own_gateway, useClientProtocol=True) as gateway:
        with gateway.connect_http2(f"two.{DOMAIN}") as client:
            assert client.request().body == b"hello"
        with gateway.connect(f"one.{DOMAIN}") as client:
            assert client.request().body == b"hello"


def test_concurrent_streams_that_the_rule_allows(own_gateway):
    """More requests at a time go over more connections."""
    released = threading.Event()

    def wait(stream):
        assert released.wait(IO_SECONDS)
        stream.respond(body=b"hello")

    upstream = Http2Upstream().serve(wait)
    try:
        settings = http_settings("app", h2UpgradePolicy="UPGRADE", maxConcurrentStreams=2)
        gateway = own_gateway({"app.yaml": documents.join(documents.routes("app", upstream.port), settings)})
        with clients_of(gateway, APP, 5) as clients:
            for client in clients:
                client.send_head()
            upstream.wait_for_requests(5)
            released.set()
            assert [client.read_response().body for client in clients] == [b"hello"] * 5
        most = max(len(connection.streams) for connection in upstream.http2_connections)
        assert (most, len(upstream.http2_connections)) == (2, 3)
    finally:
        released.set()
        upstream.stop()

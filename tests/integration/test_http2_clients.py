"""HTTP/2 from clients: what arrives at upstreams of either version, what comes back, and whom a failure concerns."""

import contextlib
import re
import shutil
import ssl
import subprocess
import threading

import pytest
from conftest import Slots

from harness import documents, message, pattern, ports, scripted
from harness.client import tls_context
from harness.commands import curl
from harness.documents import DOMAIN
from harness.gateway import is_listening, is_sanitized, wait_until
from harness.http2_client import PREFACE, ErrorCodes, SettingCodes, StreamReset
from harness.http2_upstream import Http2Upstream
from harness.limits import IO_SECONDS, MIB
from harness.upstream import Upstream

APP = f"app.{DOMAIN}"
NOBODY = f"nobody.{DOMAIN}"
LARGE = 10 * MIB
STREAMS_MAX = 100
STREAM_WINDOW = 256 * 1024
TRAILERS = [("x-checksum", "abc123"), ("x-count", "2")]
VERSIONS = {"http1": ("HTTP", Upstream, scripted.for_http1), "http2": ("HTTP2", Http2Upstream, scripted.for_http2)}
HTTP1_ONLY = pytest.mark.parametrize("serve", ["http1"], indirect=True)
PLAIN_ONLY = pytest.mark.parametrize("tls", [False], ids=["plain"], indirect=True)


@pytest.fixture(name="places", scope="module")
def make_places():
    """Endpoints by the version that they are to speak."""
    return {name: Slots(400, prefix=f"{name}-", protocol=protocol) for name, (protocol, _, _) in VERSIONS.items()}


@pytest.fixture(name="gateway")
def check_gateway(shared_gateway):
    """The test must leave it alive and well."""
    shared_gateway.check_health()
    yield shared_gateway
    shared_gateway.check_health()


@pytest.fixture(name="serve", params=list(VERSIONS))
def make_serve(request, places, shared_gateway):  # pylint: disable=unused-argument
    """serve(script) is an upstream of either version: its `host` leads to it. script(answer): harness/scripted.py.

    `window` is what the window of each connection has beyond 65535, where there is one.
    """
    _, kind, adapt = VERSIONS[request.param]
    running = []

    def make(script=scripted.answer_hello, window=0):
        host, port = places[request.param].take()
        made = kind(listener=port.listen(), **({"window": window} if request.param == "http2" else {}))
        made.host = host
        made.version = request.param
        running.append(made.serve(adapt(script)))
        return made

    yield make
    for made in running:
        made.stop()


@pytest.fixture(name="connect")
def make_connect(gateway, tls):
    """connect(upstream) is a new client of HTTP/2, plain or TLS."""
    with contextlib.ExitStack() as stack:
        yield lambda upstream, **options: stack.enter_context(
            gateway.connect_http2(getattr(upstream, "host", upstream), tls=tls, **options)
        )


def by_path(**scripts):
    """A script for each first segment of the path; "other" for the rest."""

    def script(answer):
        name = answer.request.target.split("/")[1].partition("?")[0]
        scripts.get(name, scripts.get("other", scripted.answer_hello))(answer)

    return script


def echo(answer):
    """Content as it comes."""
    answer.send_head()
    for piece in answer.pieces():
        answer.send(piece)
    answer.end()


def answer_path(answer):
    answer.read_body()
    answer.respond(body=answer.request.target.encode())


class Held:
    """Scripts that wait until release()."""

    def __init__(self):
        self._go_on = threading.Event()

    def release(self):
        self._go_on.set()

    def wait(self):
        assert self._go_on.wait(IO_SECONDS)

    def answer(self, answer):
        answer.read_body()
        self.wait()
        answer.respond(body=b"late")

    def answer_in_two(self, answer):
        answer.read_body()
        answer.send_head()
        answer.send(b"first")
        self.wait()
        answer.send(b"second")
        answer.end()


def assert_refused(client, stream):
    """Malformed (RFC 9113 8.1.1)."""
    try:
        assert client.read_response(stream).status == 400
    except StreamReset as reset:
        assert reset.code == ErrorCodes.PROTOCOL_ERROR


# --- which version is spoken ---


def test_alpn_chooses_http2(gateway, serve):
    upstream = serve()
    port = gateway.port(443)
    result = curl("-v", "-k", "--http2", f"https://{upstream.host}:{port}/", host=upstream.host, port=port)
    assert result.stdout == "hello", result.stderr
    assert "ALPN: server accepted h2" in result.stderr
    assert re.search(r"^< HTTP/2 200", result.stderr, re.M)


@pytest.mark.parametrize("offer", [("http/1.1",), ()], ids=["http1", "no-alpn"])
def test_client_that_does_not_offer_http2_gets_http1(gateway, serve, offer):
    upstream = serve()
    with gateway.connect(upstream.host, tls=tls_context(alpn=offer)) as client:
        assert client.socket.selected_alpn_protocol() == (offer[0] if offer else None)
        response = client.request()
        assert (response.version, response.body) == ("HTTP/1.1", b"hello")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("offer", [("h2",), ("h2", "http/1.1"), ("http/1.1", "h2"), ("x", "h2")], ids=",".join)
def test_alpn_offers_and_versions_of_tls(gateway, serve, version, offer):
    """The server's order counts."""
    upstream = serve()
    context = tls_context(minimum=version, maximum=version, alpn=offer)
    with gateway.connect_http2(upstream.host, tls=context) as client:
        assert client.socket.version() == version.name.replace("_", ".")
        assert client.request().body == b"hello"


def test_http1_on_a_connection_that_chose_http2_is_refused(gateway):
    with gateway.connect(APP, tls=tls_context(alpn=("h2",))) as client:
        client.send_head()
        assert b"HTTP/1.1" not in client.read_to_end()


def test_prior_knowledge(gateway, serve):
    upstream = serve()
    port = gateway.port(8080)
    result = curl("-v", "--http2-prior-knowledge", f"http://{upstream.host}:{port}/", host=upstream.host, port=port)
    assert result.stdout == "hello", result.stderr
    assert re.search(r"^< HTTP/2 200", result.stderr, re.M)


def test_preface_byte_by_byte(gateway, serve):
    upstream = serve()
    with gateway.connect_raw_http2(preface=None) as client, gateway.connect_http2(upstream.host) as writer:
        for byte in PREFACE:
            client.send(bytes([byte]))
        client.send(b"\0\0\0\4\0\0\0\0\0")
        block = writer.http2.encoder.encode(
            [(":method", "GET"), (":scheme", "http"), (":authority", upstream.host), (":path", "/")]
        )
        for byte in len(block).to_bytes(3, "big") + b"\1\5\0\0\0\1" + block:
            client.send(bytes([byte]))
        assert client.read_until(lambda: client.is_over(1))
        assert (client.statuses, client.bodies) == ({1: 200}, {1: b"hello"})


@pytest.mark.parametrize("method", ["PROPFIND", "PROPPATCH", "PUT", "POST", "PATCH", "PURGE"])
def test_methods_of_http1_that_begin_like_the_preface(gateway, serve, method):
    upstream = serve()
    with gateway.connect(upstream.host) as client:
        for byte in f"{method} /x HTTP/1.1\r\nhost: {upstream.host}\r\ncontent-length: 0\r\n\r\n".encode():
            client.send(bytes([byte]))
        assert client.read_response().body == b"hello"
        assert client.request(method, "/y", body=b"").body == b"hello"
    assert [request.method for request in upstream.requests] == [method, method]


@pytest.mark.parametrize(
    "start",
    ["PRI /x HTTP/1.1", "PRI * HTTP/1.1", "PRI * HTTP/2.1", "PRI * HTTP/2.0 ", "PR / HTTP/1.1"],
)
def test_what_only_begins_like_the_preface_is_refused(gateway, start):
    with gateway.connect(APP) as client:
        client.send(f"{start}\r\nhost: {APP}\r\n\r\n".encode())
        assert client.read_response().status in (400, 501, 505)
        assert client.is_closed_by_peer()


@pytest.mark.parametrize("count", [1, 3, 20, len(PREFACE) - 1])
def test_preface_that_ends_early(gateway, count):
    with gateway.connect(APP) as client:
        client.send(PREFACE[:count])
        client.shutdown_write()
        answer = client.read_to_end()
        assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 "))


def test_preface_after_a_request_of_http1_is_refused(gateway, serve):
    upstream = serve()
    with gateway.connect(upstream.host) as client:
        assert client.request().body == b"hello"
        client.send(PREFACE)
        assert client.read_response().status in (400, 505)


def test_upgrade_to_h2c_is_not_taken(gateway, serve):
    """RFC 9113 3.1: it is obsolete; the request is served as if nobody had asked."""
    upstream = serve()
    fields = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQAAP__")]
    with gateway.connect(upstream.host) as client:
        response = client.request("GET", "/", fields)
        assert (response.status, response.version) == (200, "HTTP/1.1")
    assert "upgrade" not in upstream.requests[0]


# --- what arrives ---


def test_request_head(connect, serve, tls):
    upstream = serve()
    fields = [("te", "trailers"), ("x-mixed", "Value"), ("accept", "a"), ("accept", "b"), ("x-empty", "")]
    assert connect(upstream).request("GET", "/a/b?c=d", fields).body == b"hello"
    request = upstream.requests[0]
    assert (request.method, request.target) == ("GET", "/a/b?c=d")
    if upstream.version == "http1":
        assert request.version == "HTTP/1.1"
        assert request.all("host") == [upstream.host]
    else:
        assert request.pseudo[":authority"] == upstream.host
        assert "host" not in request
    for name in ("connection", "keep-alive", "transfer-encoding", "upgrade", "content-length"):
        assert name not in request
    assert not any(name.startswith(":") for name, _ in request.headers)
    assert request.get("te") == "trailers"
    assert request.get("x-mixed") == "Value"
    assert request.get("x-empty") == ""
    assert request.get("accept") in ("a, b", "a,b")
    assert request.get("x-forwarded-proto") == ("https" if tls else "http")
    assert request.get("x-forwarded-for") == "127.0.0.1"
    assert request.get("x-request-id")


@pytest.mark.parametrize("cookies", [["a=b"], ["a=b", "c=d"], ["a=b; c=d", "e=f", "g=h"]], ids=len)
def test_pieces_of_a_cookie_are_joined(connect, serve, cookies):
    """RFC 9113 8.2.3."""
    upstream = serve()
    fields = [("x-before", "1"), *[("cookie", piece) for piece in cookies], ("x-after", "1")]
    assert connect(upstream).request("GET", "/", fields).status == 200
    received = upstream.requests[0].all("cookie")
    assert "; ".join(received) == "; ".join(cookies)
    if upstream.version == "http1":
        assert len(received) == 1


def test_host_instead_of_authority(connect, serve):
    """RFC 9113 8.3.1: a request that was HTTP/1 once may have it."""
    upstream = serve()
    pseudo = [(":method", "GET"), (":scheme", "http"), (":path", "/")]
    assert connect(upstream).request(pseudo=pseudo, headers=[("host", upstream.host)]).body == b"hello"


def test_host_beside_the_same_authority(connect, serve):
    upstream = serve()
    assert connect(upstream).request(headers=[("host", upstream.host)]).body == b"hello"
    if upstream.version == "http1":
        assert upstream.requests[0].all("host") == [upstream.host]


@pytest.mark.parametrize("port", [":443", ":8080", ""])
def test_authority_with_port_and_upper_case(connect, serve, port):
    upstream = serve()
    authority = upstream.host.upper() + port
    assert connect(upstream).request(host=authority).body == b"hello"
    request = upstream.requests[0]
    assert (request.get("host") or request.pseudo[":authority"]) == authority


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proto_is_that_of_the_connection(connect, serve, tls, scheme):
    """Whatever :scheme and x-forwarded-proto say."""
    upstream = serve()
    connect(upstream).request(scheme=scheme, headers=[("x-forwarded-proto", scheme)])
    assert upstream.requests[0].get("x-forwarded-proto") == ("https" if tls else "http")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"])
def test_methods(connect, serve, method):
    upstream = serve()
    assert connect(upstream).request(method, "/").body == b"hello"
    assert upstream.requests[0].method == method


def test_options_asterisk(connect, serve):
    upstream = serve()
    connect(upstream).request("OPTIONS", "*")
    assert upstream.paths in ([], ["*"])


def test_path_is_normalised(connect, serve):
    upstream = serve()
    connect(upstream).request("GET", "/a/../b/%7Ec?d=/../e")
    assert upstream.paths == ["/b/~c?d=/../e"]


def test_bodies_of_known_length(connect, serve):
    upstream = serve()
    client = connect(upstream)
    assert client.request("POST", "/", body=b"content").status == 200
    assert client.request("POST", "/", body=b"").status == 200
    assert [request.body for request in upstream.requests] == [b"content", b""]
    assert [request.get("content-length") for request in upstream.requests] == ["7", "0"]
    assert all("transfer-encoding" not in request for request in upstream.requests)


def test_body_of_unknown_length(connect, serve):
    upstream = serve()
    client = connect(upstream)
    stream = client.open("POST", end=False)
    client.send(stream, b"one")
    client.send(stream, b"two")
    client.end(stream)
    assert client.read_response(stream).status == 200
    request = upstream.requests[0]
    assert request.body == b"onetwo"
    assert "content-length" not in request
    assert request.get("transfer-encoding") == ("chunked" if upstream.version == "http1" else None)


def test_post_without_content_or_length(connect, serve):
    """END_STREAM is in the head: nothing follows, and HTTP/1 must be told so."""
    upstream = serve()
    client = connect(upstream)
    for _ in range(2):
        assert client.request("POST", "/").status == 200
    assert [request.body for request in upstream.requests] == [b"", b""]


def test_content_arrives_before_the_request_is_complete(connect, serve):
    upstream = serve(echo)
    client = connect(upstream)
    stream = client.open("POST", end=False)
    for piece in (b"one", b"two", b"three"):
        client.send(stream, piece)
        client.wait_for(lambda piece=piece: stream.body.endswith(piece))
    client.end(stream)
    assert client.read_response(stream).body == b"onetwothree"


@pytest.mark.parametrize("has_length", [True, False], ids=["length", "no-length"])
def test_trailers_of_a_request(connect, serve, has_length):
    upstream = serve()
    client = connect(upstream)
    stream = client.open("POST", "/", [("content-length", "7")] if has_length else [], end=False)
    client.send(stream, b"content")
    client.send_trailers(stream, TRAILERS)
    assert client.read_response(stream).status == 200
    assert upstream.requests[0].body == b"content"
    if upstream.version == "http2" or not has_length:  # with a length HTTP/1 has no place for them
        assert upstream.requests[0].trailers == TRAILERS


def test_trailers_without_content(connect, serve):
    upstream = serve()
    client = connect(upstream)
    stream = client.open("POST", end=False)
    client.send_trailers(stream, TRAILERS)
    assert client.read_response(stream).status == 200
    assert (upstream.requests[0].body, upstream.requests[0].trailers) == (b"", TRAILERS)


# --- what comes back ---


def test_response_head(connect, serve):
    def script(answer):
        answer.read_body()
        fields = [("X-Upper", "Case"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("server", "mine")]
        if isinstance(answer, scripted.Http1Answer):
            fields += [("Connection", "keep-alive, x-mine"), ("Keep-Alive", "timeout=5"), ("x-mine", "1")]
            fields += [("Proxy-Connection", "keep-alive"), ("Upgrade", "h2c")]
        else:
            fields[0] = ("x-upper", "Case")
        answer.respond(201, fields, b"content")

    response = connect(serve(script)).request()
    assert (response.status, response.body) == (201, b"content")
    assert response.get("content-length") == "7"
    assert response.get("x-upper") == "Case"
    assert response.all("set-cookie") == ["a=1", "b=2"]
    assert response.get("server") == "istio-envoy"
    assert response.get("date") and response.get("x-envoy-upstream-service-time")
    for name in ("connection", "keep-alive", "x-mine", "proxy-connection", "upgrade", "transfer-encoding"):
        assert name not in response
    assert all(name == name.lower() for name, _ in response.headers)


def test_response_of_unknown_length(connect, serve):
    upstream = serve(lambda answer: answer.respond(body=b"content", has_length=False))
    client = connect(upstream)
    for _ in range(2):
        response = client.request()
        assert response.body == b"content"
        assert "content-length" not in response and "transfer-encoding" not in response


def test_response_without_content(connect, serve):
    upstream = serve(lambda answer: answer.respond(body=b"", has_length="length" in answer.request.target))
    client = connect(upstream)
    assert (client.request(target="/length").body, client.request(target="/none").body) == (b"", b"")


@HTTP1_ONLY
def test_response_until_close(connect, serve):
    def script(answer):
        answer.send_head_alone(200, [])
        answer.peer.send(b"until the end")
        answer.peer.close()

    client = connect(serve(script))
    for _ in range(2):
        response = client.request()
        assert response.body == b"until the end"
        assert "connection" not in response


@HTTP1_ONLY
def test_response_of_http_1_0(connect, serve):
    def script(answer):
        answer.peer.send(b"HTTP/1.0 200 OK\r\n\r\nold")
        answer.peer.close()

    assert connect(serve(script)).request().body == b"old"


def test_head(connect, serve):
    upstream = serve(lambda answer: answer.send_head_alone(200, [("content-length", "5")]))
    client = connect(upstream)
    for _ in range(2):
        response = client.request("HEAD", "/")
        assert (response.status, response.get("content-length"), response.body) == (200, "5", b"")


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_content(connect, serve, status):
    upstream = serve(lambda answer: answer.respond(status, [("etag", '"1"')]))
    client = connect(upstream)
    for _ in range(2):
        response = client.request()
        assert (response.status, response.get("etag"), response.body) == (status, '"1"', b"")
        assert "content-length" not in response


def test_informational_responses(connect, serve):
    def script(answer):
        answer.send_informational(103, [("link", "</a.css>; rel=preload")])
        answer.send_informational(103, [("link", "</b.css>")])
        answer.respond(body=b"final")

    client = connect(serve(script))
    for _ in range(2):
        stream = client.open()
        assert client.read_response(stream).body == b"final"
        links = [(response.status, response.get("link")) for response in stream.informational]
        assert links == [(103, "</a.css>; rel=preload"), (103, "</b.css>")]


def test_expect_100_continue(connect, serve):
    """Said once, before the content."""

    def script(answer):
        if answer.request.get("expect"):
            answer.send_informational(100)
        answer.read_body()
        answer.respond(body=answer.request.body)

    upstream = serve(script)
    client = connect(upstream)
    stream = client.open("POST", "/", [("expect", "100-continue"), ("content-length", "7")], end=False)
    client.wait_for(lambda: stream.informational)
    client.send(stream, b"content", end=True)
    assert client.read_response(stream).body == b"content"
    assert [response.status for response in stream.informational] == [100]


def test_expect_100_continue_of_a_client_that_does_not_wait(connect, serve):
    client = connect(serve(echo))
    stream = client.open("POST", "/", [("expect", "100-continue")], end=False)
    client.send(stream, b"content", end=True)
    assert client.read_response(stream).body == b"content"


def test_refusal_instead_of_100_continue(connect, serve):
    upstream = serve(by_path(no=lambda answer: answer.respond(417, body=b"no")))
    client = connect(upstream)
    stream = client.open("POST", "/no", [("expect", "100-continue"), ("content-length", str(MIB))], end=False)
    assert (client.read_response(stream).status, stream.body) == (417, b"no")
    assert client.wait_for_reset(stream) == ErrorCodes.NO_ERROR
    assert client.request().body == b"hello"


@pytest.mark.parametrize("body", [b"content", b""], ids=["content", "empty"])
def test_trailers_of_a_response(connect, serve, body):
    upstream = serve(lambda answer: answer.respond(body=body, trailers=TRAILERS))
    client = connect(upstream)
    for _ in range(2):
        response = client.request("GET", "/", [("te", "trailers")])
        assert (response.body, response.trailers) == (body, TRAILERS)


def test_trailers_behind_a_closed_window(connect, serve):
    """They need no window, but come after content that does."""
    content = b"x" * 1000
    upstream = serve(lambda answer: answer.respond(body=content, trailers=TRAILERS))
    client = connect(upstream, settings={SettingCodes.INITIAL_WINDOW_SIZE: 100}, opens_windows=False)
    stream = client.open()
    client.wait_for(lambda: len(stream.body) == 100)
    client.ping()
    assert stream.reset_code is None and not stream.is_complete
    client.open_windows()
    response = client.read_response(stream)
    assert (response.body, response.trailers) == (content, TRAILERS)


@pytest.mark.parametrize("has_length", [True, False], ids=["length", "no-length"])
def test_response_that_fills_the_window_to_the_byte(connect, serve, has_length):
    content = b"x" * 100
    upstream = serve(lambda answer: answer.respond(body=content, has_length=has_length))
    client = connect(upstream, settings={SettingCodes.INITIAL_WINDOW_SIZE: 100}, opens_windows=False)
    streams = [client.open() for _ in range(3)]
    client.wait_for(lambda: all(len(stream.body) == 100 for stream in streams))
    client.ping()
    client.open_windows()
    for stream in streams:
        assert client.read_response(stream).body == content
        assert stream.reset_code is None


def test_direct_response_that_fills_the_window_to_the_byte(connect):
    """A local reply is written at once."""
    client = connect(NOBODY, settings={SettingCodes.INITIAL_WINDOW_SIZE: 0}, opens_windows=False)
    stream = client.open()
    assert client.read_response(stream).status == 404


# --- large bodies ---


@pytest.mark.parametrize("has_length", [True, False], ids=["length", "no-length"])
def test_large_upload(connect, serve, has_length):
    digests = []

    def script(answer):
        digests.append(pattern.digest_of(answer.pieces()))
        answer.respond(body=b"done")

    client = connect(serve(script))
    stream = client.open("POST", "/", [("content-length", str(LARGE))] if has_length else [], end=False)
    for block in pattern.blocks(LARGE):
        assert client.send(stream, block)
    client.end(stream)
    assert client.read_response(stream).body == b"done"
    assert digests == [pattern.digest(LARGE)]


@pytest.mark.parametrize("window", [None, 1000, 2 * MIB], ids=["default", "small", "large"])
@pytest.mark.parametrize("has_length", [True, False], ids=["length", "no-length"])
def test_large_download(connect, serve, has_length, window):
    size = MIB if window == 1000 else LARGE

    def script(answer):
        answer.send_head(200, [("content-length", str(size))] if has_length else [])
        for block in pattern.blocks(size):
            answer.send(block)
        answer.end()

    settings = {SettingCodes.INITIAL_WINDOW_SIZE: window} if window else {}
    client = connect(serve(script), settings=settings, window=window if window and window > MIB else 0)
    response = client.request()
    assert pattern.digest_of([response.body]) == pattern.digest(size)
    assert response.get("content-length") == (str(size) if has_length else None)


@pytest.mark.parametrize("window", [None, 5000], ids=["default", "small"])
def test_large_bodies_both_ways_at_once(connect, serve, window):
    size = MIB if window else LARGE
    settings = {SettingCodes.INITIAL_WINDOW_SIZE: window} if window else {}
    client = connect(serve(echo), settings=settings)
    stream = client.open("POST", "/", [("content-length", str(size))], end=False)
    for block in pattern.blocks(size):
        assert client.send(stream, block)
    client.end(stream)
    assert pattern.digest_of([client.read_response(stream).body]) == pattern.digest(size)


def test_large_bodies_of_several_streams_at_once(connect, serve):
    """Each gets its own bytes."""
    client = connect(serve(echo))
    streams = [client.open("POST", f"/{number}", end=False) for number in range(8)]
    for index, block in enumerate(pattern.blocks(MIB)):
        for number, stream in enumerate(streams):
            assert client.send(stream, bytes([number]) + index.to_bytes(3, "big") + block)
    for stream in streams:
        client.end(stream)
    for number, stream in enumerate(streams):
        numbered = enumerate(pattern.blocks(MIB))
        expected = [bytes([number]) + index.to_bytes(3, "big") + block for index, block in numbered]
        assert pattern.digest_of([client.read_response(stream).body]) == pattern.digest_of(expected)


# --- many streams ---


def test_many_streams_get_their_own_answers(connect, serve):
    upstream = serve(answer_path)
    client = connect(upstream)
    streams = [client.open(target=f"/{number}") for number in range(STREAMS_MAX)]
    assert [client.read_response(stream).body for stream in streams] == [f"/{n}".encode() for n in range(STREAMS_MAX)]
    assert sorted(upstream.paths) == sorted(f"/{number}" for number in range(STREAMS_MAX))
    if upstream.version == "http2":
        assert len(upstream.connections) == 1


def test_answers_out_of_order(connect, serve):
    """The first asked is the last answered, and holds nobody up."""
    turns = [threading.Event() for _ in range(10)]

    def script(answer):
        number = int(answer.request.target[1:])
        assert turns[number].wait(IO_SECONDS)
        answer_path(answer)

    client = connect(serve(script))
    streams = [client.open(target=f"/{number}") for number in range(10)]
    for number in reversed(range(10)):
        turns[number].set()
        assert client.read_response(streams[number]).body == f"/{number}".encode()
        assert not any(stream.is_complete for stream in streams[:number])


def test_many_requests_one_after_the_other(connect, serve):
    upstream = serve(answer_path)
    client = connect(upstream)
    for number in range(300):
        assert client.request(target=f"/{number}").body == f"/{number}".encode()
    assert len(upstream.connections) == 1


def test_slow_stream_does_not_hold_up_others(connect, serve):
    held = Held()
    client = connect(serve(by_path(slow=held.answer_in_two)))
    slow = client.open(target="/slow")
    client.wait_for(lambda: slow.body == b"first")
    for _ in range(20):
        assert client.request().body == b"hello"
    held.release()
    assert client.read_response(slow).body == b"firstsecond"


def test_slow_upload_does_not_hold_up_others(connect, serve):
    client = connect(serve(by_path(echo=echo)))
    slow = client.open("POST", "/echo", end=False)
    client.send(slow, b"first")
    for _ in range(20):
        assert client.request("POST", "/", body=b"x").body == b"hello"
    client.send(slow, b"second", end=True)
    assert client.read_response(slow).body == b"firstsecond"


def test_upload_that_nobody_reads_does_not_hold_up_others(connect, serve):
    """Its window is closed, that of the connection is not."""
    held = Held()

    def script(answer):
        held.wait()
        assert pattern.digest_of(answer.pieces()) == pattern.digest(LARGE)
        answer.respond(body=b"read")

    client = connect(serve(by_path(slow=script), window=MIB))
    slow = client.open("POST", "/slow", end=False)
    blocks = pattern.blocks(LARGE)
    waiting = b""
    while client.window_of(slow) > 0 or client.ping() and client.window_of(slow) > 0:
        waiting = waiting or next(blocks)
        size = min(len(waiting), client.window_of(slow))
        client.send(slow, waiting[:size])
        waiting = waiting[size:]
    for _ in range(5):
        assert client.request("POST", "/", body=b"x" * 1000).body == b"hello"
    held.release()
    client.send(slow, waiting)
    for block in blocks:
        client.send(slow, block)
    client.end(slow)
    assert client.read_response(slow).body == b"read"


def test_most_concurrent_streams(connect, serve):
    """RFC 9113 5.1.2: what SETTINGS say (one more: test_http2_hostile.py)."""
    held = Held()
    upstream = serve(held.answer)
    client = connect(upstream)
    client.ping()
    assert client.http2.remote_settings.max_concurrent_streams == STREAMS_MAX
    streams = [client.open(target=f"/{number}") for number in range(STREAMS_MAX)]
    upstream.wait_for_requests(STREAMS_MAX)
    held.release()
    assert [client.read_response(stream).body for stream in streams] == [b"late"] * STREAMS_MAX
    assert client.request().body == b"late"


def test_more_streams_once_others_are_over(connect, serve):
    client = connect(serve(answer_path))
    client.ping()
    waiting = []
    for number in range(500):
        if len(waiting) == STREAMS_MAX:
            first = waiting.pop(0)
            assert client.read_response(first).status == 200
        waiting.append(client.open(target=f"/{number}"))
    for stream in waiting:
        assert client.read_response(stream).status == 200


@HTTP1_ONLY
def test_streams_to_an_upstream_that_closes_after_each(connect, serve):
    def script(answer):
        answer.read_body()
        answer.respond(headers=[("connection", "close")], body=b"bye")
        answer.peer.close()

    client = connect(serve(script))
    for _ in range(3):
        streams = [client.open("POST", "/", [("content-length", "0")]) for _ in range(20)]
        assert [client.read_response(stream).body for stream in streams] == [b"bye"] * 20


@HTTP1_ONLY
def test_streams_to_an_upstream_that_closes_without_saying_so(connect, serve):
    """Its idle connections are stale; an idempotent request is tried again."""

    def script(answer):
        answer.read_body()
        answer.respond(body=b"bye")
        answer.peer.close()

    client = connect(serve(script))
    for _ in range(50):
        assert client.request().body == b"bye"


# --- what goes wrong with a stream stays there ---


@pytest.mark.parametrize("content", [b"short", b"much too long"], ids=["less", "more"])
def test_content_that_differs_from_its_length(connect, serve, content):
    """RFC 9113 8.1.1: malformed; the upstream must not take it for complete."""
    complete = []

    def script(answer):
        answer.read_body()
        complete.append(answer.request.body)
        answer.respond(body=b"taken")

    upstream = serve(by_path(bad=script))
    client = connect(upstream)
    other = client.open("POST", "/other", end=False)
    stream = client.open("POST", "/bad", [("content-length", "10")], end=False)
    client.http2.send_data(stream.id, content, end_stream=True)
    assert_refused(client, stream)
    client.send(other, b"x", end=True)
    assert client.read_response(other).body == b"hello"
    assert client.request().body == b"hello"
    assert not complete


def test_length_without_content(connect, serve):
    upstream = serve()
    client = connect(upstream)
    stream = client.open("POST", "/", [("content-length", "10")])
    assert_refused(client, stream)
    assert client.request().body == b"hello"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("when", ["before-the-head", "in-the-content", "in-the-upload"])
def test_client_resets_a_stream(connect, serve, when):
    """The upstream need not go on with it; the others do."""
    held = Held()
    ends = []

    def script(answer):
        if when == "in-the-content":
            answer.send_head()
            answer.send(b"some")
        try:
            if when == "in-the-upload":
                answer.read_body()
            else:
                ends.append(answer.wait_for_end())
        except (OSError, message.Truncated):
            ends.append(True)

    upstream = serve(by_path(reset=script, slow=held.answer))
    client = connect(upstream)
    slow = client.open(target="/slow")
    stream = client.open("POST", "/reset", end=when != "in-the-upload")
    if when == "in-the-upload":
        client.send(stream, b"some")
    upstream.wait_for_requests(2)
    if when == "in-the-content":
        client.wait_for(lambda: stream.body == b"some")
    client.reset(stream)
    assert upstream.wait_for(lambda: ends)
    assert ends == [True]
    assert client.request().body == b"hello"
    held.release()
    assert client.read_response(slow).body == b"late"


def test_client_resets_a_download_that_it_does_not_read(connect, serve):
    """The window of the connection is free again for others."""
    ends = []

    def script(answer):
        answer.send_head()
        try:
            while True:
                answer.send(b"x" * 65536)
        except OSError:
            ends.append(True)

    upstream = serve(by_path(endless=script, large=lambda answer: answer.respond(body=b"y" * MIB)))
    client = connect(upstream, opens_windows=False)
    for _ in range(5):
        stream = client.open(target="/endless")
        client.wait_for(lambda stream=stream: len(stream.body) == 65535)
        client.reset(stream)
        client.enlarge_window(65535)
    assert upstream.wait_for(lambda: len(ends) == 5)
    client.opens_windows = True
    assert client.request(target="/large").body == b"y" * MIB


@pytest.mark.parametrize("reads", [True, False], ids=["reads-on", "ends"])
def test_response_before_the_request_is_complete(connect, serve, reads):
    """RFC 9113 8.1: the whole response, then RST_STREAM without an error."""

    def script(answer):
        answer.respond(413, body=b"too much")
        if isinstance(answer, scripted.Http2Answer):
            if not reads:
                answer.stream.reset(ErrorCodes.NO_ERROR)
        elif reads:
            answer.peer.wait_for_close()
        else:
            answer.peer.close()

    client = connect(serve(by_path(large=script)))
    stream = client.open("POST", "/large", [("content-length", str(LARGE))], end=False)
    response = client.read_response(stream)
    assert (response.status, response.body) == (413, b"too much")
    assert client.wait_for_reset(stream) == ErrorCodes.NO_ERROR
    assert client.request().body == b"hello"


def test_large_response_before_the_request_is_complete(connect, serve):
    """The client goes on sending meanwhile."""
    content = b"".join(pattern.blocks(MIB))
    client = connect(serve(by_path(large=lambda answer: answer.respond(413, body=content))))
    stream = client.open("POST", "/large", [("content-length", str(LARGE))], end=False)
    for block in pattern.blocks(LARGE):
        if stream.is_complete or not client.send(stream, block):
            break
    response = client.read_response(stream)
    assert pattern.digest_of([response.body]) == pattern.digest(MIB)
    assert client.wait_for_reset(stream) == ErrorCodes.NO_ERROR
    assert client.request().body == b"hello"


def test_upstream_that_dies_before_the_head(connect, serve):
    held = Held()

    def script(answer):
        answer.read_body()
        answer.die()

    client = connect(serve(by_path(die=script, slow=held.answer)))
    slow = client.open(target="/slow")
    stream = client.open("POST", "/die", [("content-length", "1")], end=False)
    client.send(stream, b"x", end=True)
    response = client.read_response(stream)
    assert response.status == 503
    assert response.body.startswith(b"upstream connect error or disconnect/reset before headers.")
    held.release()
    assert client.read_response(slow).body == b"late"


@pytest.mark.parametrize("has_length", [True, False], ids=["length", "no-length"])
def test_upstream_that_dies_within_its_content(connect, serve, has_length):
    """The client must not take what it has for complete, and nothing else is concerned."""
    held = Held()
    dying = Held()

    def script(answer):
        answer.send_head(200, [("content-length", "100")] if has_length else [])
        answer.send(b"half")
        dying.wait()
        answer.die()

    client = connect(serve(by_path(die=script, slow=held.answer_in_two)))
    slow = client.open(target="/slow")
    stream = client.open(target="/die")
    client.wait_for(lambda: stream.body == b"half" and slow.body == b"first")
    dying.release()
    with pytest.raises(StreamReset) as reset:
        client.read_response(stream)
    assert reset.value.code == ErrorCodes.INTERNAL_ERROR
    assert client.request().body == b"hello"
    held.release()
    assert client.read_response(slow).body == b"firstsecond"


def test_refused_upstream(gateway, places, tls):
    for slots in places.values():
        host, _ = slots.take()
        with gateway.connect_http2(host, tls=tls) as client:
            streams = [client.open() for _ in range(5)]
            assert [client.read_response(stream).status for stream in streams] == [503] * 5


# --- what the gateway answers itself ---


def test_unknown_host(connect, serve):
    upstream = serve()
    client = connect(upstream)
    for _ in range(3):
        response = client.request(host=NOBODY)
        assert (response.status, response.body) == (404, b"")
        assert response.get("server") == "istio-envoy"
        assert "connection" not in response
        assert client.request().body == b"hello"


def test_unknown_host_of_an_upload(connect, serve):
    """Nobody wants the content; the connection goes on."""
    client = connect(serve())
    stream = client.open("POST", "/", [("content-length", str(LARGE))], host=NOBODY, end=False)
    assert client.read_response(stream).status == 404
    assert client.wait_for_reset(stream) == ErrorCodes.NO_ERROR
    assert client.request().body == b"hello"


def test_refused_uploads_give_their_windows_back(connect, serve):
    """More than the connection's window comes for nobody."""
    client = connect(serve())
    sent = 0
    for _ in range(40):
        stream = client.open("POST", host=NOBODY, end=False)
        for _ in range(4):
            if not stream.reset_code and client.send(stream, b"x" * 16384):
                sent += 16384
        assert client.read_response(stream).status == 404
    assert sent > MIB
    assert client.request("POST", "/", body=b"y" * MIB).body == b"hello"


def test_redirect_to_https(gateway):
    with gateway.connect_http2(APP, number=80) as client:
        for method in ("GET", "HEAD", "POST"):
            response = client.request(method, "/a?b=c")
            assert (response.status, response.get("location")) == (301, f"https://{APP}/a?b=c")
            assert response.body == b""


@pytest.mark.parametrize("size", [5, 100_000])
def test_direct_response(own_gateway, size):
    rules = f"""
  - directResponse: {{status: 418, body: {{string: "{'x' * size}"}}}}
"""
    gateway = own_gateway({"app.yaml": documents.virtual_service_of(rules, APP)})
    with gateway.connect_http2(APP) as client:
        for method, body in (("GET", b"x" * size), ("HEAD", b""), ("POST", b"x" * size)):
            response = client.request(method)
            assert (response.status, response.body) == (418, body)
            assert response.get("content-length") == str(size)


def test_direct_response_that_is_longer_than_the_window(own_gateway):
    rules = f"""
  - directResponse: {{status: 200, body: {{string: "{'x' * 100_000}"}}}}
"""
    gateway = own_gateway({"app.yaml": documents.virtual_service_of(rules, APP)})
    for window in (0, 1000, 100_000):
        settings = {SettingCodes.INITIAL_WINDOW_SIZE: window}
        with gateway.connect_http2(APP, settings=settings, window=MIB, opens_windows=False) as client:
            stream = client.open()
            client.wait_for(lambda stream=stream, window=window: stream.response and len(stream.body) == window)
            client.ping()
            if stream.reset_code is None and not stream.is_complete:
                client.enlarge_window(MIB, stream)
            assert client.read_response(stream).body == b"x" * 100_000


@pytest.mark.parametrize(
    "fields",
    [
        [("x-large", "y" * 70_000)],
        [(f"x-{number}", "y" * 1000) for number in range(70)],
        [(f"x-{number}", "y") for number in range(150)],
    ],
    ids=["one-field", "bytes", "fields"],
)
def test_head_that_is_too_large(connect, serve, fields):
    """431 on its stream (RFC 6585 5), and the connection goes on."""
    held = Held()
    upstream = serve(by_path(slow=held.answer))
    client = connect(upstream)
    slow = client.open(target="/slow")
    upstream.wait_for_requests(1)
    assert client.request("GET", "/large", fields).status == 431
    assert client.request("POST", "/large", fields, body=b"content").status == 431
    assert client.request().body == b"hello"
    held.release()
    assert client.read_response(slow).body == b"late"
    assert "/large" not in upstream.paths


def test_target_that_is_too_long(connect, serve):
    upstream = serve()
    client = connect(upstream)
    assert client.request("GET", "/" + "a" * 20_000).status == 414
    assert client.request().body == b"hello"
    assert upstream.paths == ["/"]


def test_head_within_the_bounds(connect, serve):
    upstream = serve()
    fields = [(f"x-{number}", "y" * 300) for number in range(80)] + [("cookie", "c" * 20_000)]
    assert connect(upstream).request("GET", "/" + "a" * 8000, fields).status == 200
    assert all(field in upstream.requests[0].headers for field in fields)


def test_connect_is_refused(connect, serve):
    upstream = serve()
    client = connect(upstream)
    response = client.request("CONNECT", pseudo=[(":method", "CONNECT"), (":authority", f"{upstream.host}:443")])
    assert response.status == 405
    assert client.request().body == b"hello"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "field",
    [
        ("connection", "keep-alive"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
    ],
    ids="=".join,
)
def test_fields_of_connections_are_refused(connect, serve, field):
    """RFC 9113 8.2.2: malformed."""
    upstream = serve()
    client = connect(upstream)
    stream = client.open(headers=[field])
    assert_refused(client, stream)
    assert client.request().body == b"hello"
    assert len(upstream.requests) == 1


def test_route_timeout(own_gateway, own_upstream):
    """504 on its stream, and nothing else is concerned."""
    rules = """
  - match: [{uri: {prefix: /slow}}]
    timeout: 0.3s
    route: [{destination: {host: app.upstream.test, port: {number: 80}}}]
  - route: [{destination: {host: app.upstream.test, port: {number: 80}}}]
"""
    entry = documents.service_entry("app", own_upstream.port)
    gateway = own_gateway({"app.yaml": documents.join(entry, documents.virtual_service_of(rules, APP))})
    held = Held()
    own_upstream.script = scripted.for_http1(by_path(slow=lambda answer: answer.wait_for_end(), waiting=held.answer))
    with gateway.connect_http2(APP) as client:
        waiting = client.open(target="/waiting")
        slow = client.open(target="/slow")
        assert (client.read_response(slow).status, slow.body) == (504, b"upstream request timeout")
        assert client.request().body == b"hello"
        held.release()
        assert client.read_response(waiting).body == b"late"


# --- clients that leave or do not read ---


@pytest.mark.parametrize("how", ["close", "reset_connection"])
def test_client_that_leaves_with_streams_open(connect, serve, how):
    ends = []

    def wait(answer):
        answer.read_body()
        ends.append(answer.wait_for_end())

    def upload(answer):
        with contextlib.suppress(OSError, message.Truncated):
            answer.read_body()
            return
        ends.append(True)

    upstream = serve(by_path(wait=wait, upload=upload))
    client = connect(upstream)
    for number in range(5):
        client.open(target=f"/wait/{number}")
        client.send(client.open("POST", f"/upload/{number}", end=False), b"some")
    upstream.wait_for_requests(10)
    getattr(client, how)()
    assert upstream.wait_for(lambda: len(ends) == 10)
    assert ends == [True] * 10


def test_client_that_ends_its_side_with_streams_open(connect, serve, tls):
    """FIN: no answer can be expected (there is no half of HTTP/2), but nothing hangs, and upstreams are let go."""
    ends = []

    def wait(answer):
        answer.read_body()
        ends.append(answer.wait_for_end())

    upstream = serve(wait)
    client = connect(upstream)
    for number in range(3):
        client.open(target=f"/{number}")
    upstream.wait_for_requests(3)
    if tls:
        client.close()
    else:
        client.shutdown_write()
        client.wait_for_close()
    assert upstream.wait_for(lambda: len(ends) == 3)
    assert ends == [True] * 3


@PLAIN_ONLY
def test_client_that_says_goaway(connect, serve):
    """RFC 9113 6.8: what is under way goes on."""
    held = Held()
    upstream = serve(held.answer_in_two)
    client = connect(upstream)
    stream = client.open()
    client.wait_for(lambda: stream.body == b"first")
    client.go_away()
    client.ping()
    held.release()
    assert client.read_response(stream).body == b"firstsecond"


def test_connections_leave_nothing_behind(gateway, connect, serve):
    upstream = serve(by_path(wait=lambda answer: answer.wait_for_end()))

    def sockets():
        return len([name for name in gateway.descriptors() if name.startswith("socket:")])

    before = None
    for _ in range(3):
        for how in ("close", "reset_connection"):
            for _ in range(10):
                client = connect(upstream)
                assert client.request().body == b"hello"
                client.reset(client.open(target="/wait"))
                client.open(target="/wait")
                client.open("POST", "/wait", end=False)
                getattr(client, how)()
        assert upstream.wait_for(lambda: len(upstream.open_connections) <= 30)
        before = before or sockets()
    assert wait_until(lambda: sockets() <= before + 5), (before, sockets())


def endless(answer):
    """Until the gateway gives it up."""
    answer.send_head()
    with contextlib.suppress(OSError):
        for _ in range(16 * 1024):
            answer.send(b"x" * 65536)


def test_stream_that_is_not_read_does_not_hold_up_others(connect, serve):
    client = connect(serve(by_path(endless=endless)), window=16 * MIB)
    client.opens_windows = False
    stream = client.open(target="/endless")
    client.wait_for(lambda: len(stream.body) == 65535)
    for _ in range(20):
        assert client.request().body == b"hello"
    assert len(stream.body) == 65535


def test_client_whose_windows_are_closed_costs_little(gateway, connect, serve):
    upstream = serve(endless)
    before = gateway.memory_bytes()
    clients = [connect(upstream, opens_windows=False) for _ in range(4)]
    for client in clients:
        for _ in range(50):
            client.open()
    for client in clients:
        client.wait_for(lambda client=client: all(stream.response for stream in client.streams.values()))
        client.ping()
    if not is_sanitized():
        # All receive buffers of a shard, and for each stream what the window of an upstream of HTTP/2 holds.
        assert gateway.memory_bytes() - before < 64 * MIB + 4 * 50 * STREAM_WINDOW + 16 * MIB
    for client in clients:
        client.close()


@PLAIN_ONLY
def test_client_that_does_not_read_its_socket(gateway, connect, serve):
    """Its windows are wide open; what it does not take is not fetched, and others get their answers."""
    upstream = serve(by_path(endless=endless))
    before = gateway.memory_bytes()
    settings = {SettingCodes.INITIAL_WINDOW_SIZE: 2**31 - 1}
    client = connect(upstream, settings=settings, window=2**31 - 1 - 65535, receive_buffer=64 * 1024)
    for number in range(20):
        client.open(target=f"/endless/{number}")
    upstream.wait_for_requests(20)
    other_upstream = serve()
    with gateway.connect_http2(other_upstream.host) as other:
        for _ in range(20):
            assert other.request().body == b"hello"
    if not is_sanitized():
        assert gateway.memory_bytes() - before < 64 * MIB + 20 * STREAM_WINDOW + 16 * MIB
    with gateway.connect_http2(upstream.host) as other:
        for _ in range(20):
            assert other.request().body == b"hello"


# --- connections ---


def test_ping_is_answered(connect, serve):
    client = connect(serve())
    assert client.ping() and client.request().body == b"hello" and client.ping()


def test_settings_change_the_windows_of_open_streams(connect, serve):
    """RFC 9113 6.9.2."""
    content = b"x" * 10_000
    client = connect(
        serve(lambda answer: answer.respond(body=content)),
        settings={SettingCodes.INITIAL_WINDOW_SIZE: 100},
        opens_windows=False,
    )
    stream = client.open()
    client.wait_for(lambda: len(stream.body) == 100)
    client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 20_000})
    assert client.read_response(stream).body == content


def test_header_table_of_the_client(connect, serve):
    """RFC 7541 4.2: none, then one."""
    upstream = serve()
    client = connect(upstream, settings={SettingCodes.HEADER_TABLE_SIZE: 0})
    for size in (0, 4096, 100, 65536, 0):
        client.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
        for _ in range(3):
            assert client.request().get("content-type") == "text/plain"


@pytest.fixture(name="own", params=list(VERSIONS))
def start_own(request, own_gateway):
    """(gateway, upstream): of the test's own, with one route, app.local.kyma.dev."""
    protocol, kind, adapt = VERSIONS[request.param]
    upstream = kind().serve(adapt(scripted.answer_hello))
    upstream.answer = lambda script: setattr(upstream, "script", adapt(script))
    yield own_gateway({"app.yaml": documents.routes("app", upstream.port, protocol=protocol)}), upstream
    upstream.stop()


def test_drain(own, tls):
    """GOAWAY; what is under way ends, and so does the process."""
    gateway, upstream = own
    held = Held()
    upstream.answer(held.answer_in_two)
    with gateway.connect_http2(APP, tls=tls) as client, gateway.connect_http2(APP, tls=tls) as idle:
        stream = client.open()
        client.wait_for(lambda: stream.body == b"first")
        idle.ping()
        gateway.signal(15)
        client.wait_for(lambda: client.goaways)
        assert client.goaways[0] == (ErrorCodes.NO_ERROR, 2**31 - 1), "the notice: RFC 9113 6.8"
        client.wait_for(lambda: len(client.goaways) == 2)
        assert client.goaways[1] == (ErrorCodes.NO_ERROR, stream.id)
        assert wait_until(lambda: not is_listening(gateway.port(8080)))
        held.release()
        assert client.read_response(stream).body == b"firstsecond"
        assert client.wait_for_close() == ErrorCodes.NO_ERROR
        assert idle.wait_for_close() == ErrorCodes.NO_ERROR
        assert not client.was_reset and not idle.was_reset
    assert gateway.wait_for_exit() == 0


def test_request_after_the_notice_of_a_drain_is_served(own, tls):
    gateway, upstream = own
    held = Held()
    upstream.answer(by_path(slow=held.answer))
    with gateway.connect_http2(APP, tls=tls) as client:
        slow = client.open(target="/slow")
        upstream.wait_for_requests(1)
        gateway.signal(15)
        client.wait_for(lambda: client.goaways)
        late = client.open(target="/late")
        assert client.read_response(late).body == b"hello"
        held.release()
        assert client.read_response(slow).body == b"late"
        assert client.wait_for_close() == ErrorCodes.NO_ERROR
        assert client.goaways[-1][1] == late.id
    assert gateway.wait_for_exit() == 0


def test_drain_of_idle_connections(own, tls):
    gateway, _ = own
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gateway.connect_http2(APP, tls=tls)) for _ in range(10)]
        for client in clients[:5]:
            assert client.request().body == b"hello"
        gateway.signal(15)
        for client in clients:
            assert client.wait_for_close() == ErrorCodes.NO_ERROR
    assert gateway.wait_for_exit() == 0


def test_drain_timeout_bounds_it(own_gateway, own_upstream, tls):
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)}, drain_seconds=1)
    own_upstream.script = lambda peer, _: peer.wait_for_close()
    with gateway.connect_http2(APP, tls=tls) as client:
        stream = client.open()
        own_upstream.wait_for_requests(1)
        gateway.signal(15)
        assert gateway.wait_for_exit() == 0
        with pytest.raises((StreamReset, message.Truncated)):
            client.read_response(stream)


def test_reload_keeps_connection_and_streams(own, tls):
    gateway, upstream = own
    held = Held()
    upstream.answer(by_path(slow=held.answer_in_two))
    with gateway.connect_http2(APP, tls=tls) as client:
        slow = client.open(target="/slow")
        client.wait_for(lambda: slow.body == b"first")
        assert client.request(host=f"new.{DOMAIN}").status == 404
        gateway.write("new.yaml", documents.routes("new", 1))
        gateway.write("app.yaml", documents.routes("other", 1))
        gateway.reload()
        assert client.request(host=f"new.{DOMAIN}").status == 503
        assert client.request().status == 404
        held.release()
        assert client.read_response(slow).body == b"firstsecond"
        assert client.ping() and not client.goaways


# --- what is logged and counted ---

LINE = re.compile(r'"(\S+) (\S+) (\S+)" (\d+) (\S+) (\S+) \S+ "[^"]*" (\d+) (\d+) ')


@pytest.fixture(name="logged")
def make_logged(gateway):
    """logged("/path"): (method, protocol, code, flags, details, received, sent)."""

    def find(path):
        fields = LINE.search(gateway.wait_for_access_line(f" {path} "))
        return tuple(fields.groups()[index] for index in (0, 2, 3, 4, 5, 6, 7))

    return find


def test_access_log(connect, serve, logged):
    upstream = serve(lambda answer: answer.respond(body=answer.read_body() * 2, trailers=TRAILERS))
    path = f"/log/{upstream.host}"
    connect(upstream).request("POST", path, body=b"12345")
    assert logged(path) == ("POST", "HTTP/2", "200", "-", "via_upstream", "5", "10")


def test_access_log_of_concurrent_streams(connect, serve, logged):
    upstream = serve(lambda answer: answer.respond(body=b"x" * int(answer.request.target.rpartition("/")[2])))
    client = connect(upstream)
    paths = {f"/log/{upstream.host}/{size}": size for size in (0, 1, 1000, 100_000)}
    for stream in [client.open(target=path) for path in paths]:
        client.read_response(stream)
    for path, size in paths.items():
        assert logged(path) == ("GET", "HTTP/2", "200", "-", "via_upstream", "0", str(size))


def test_access_log_of_a_reset(connect, serve, logged):
    upstream = serve(lambda answer: answer.wait_for_end())
    path = f"/log/{upstream.host}"
    client = connect(upstream)
    stream = client.open(target=path)
    upstream.wait_for_requests(1)
    client.reset(stream)
    assert logged(path)[:5] == ("GET", "HTTP/2", "0", "DC", "downstream_remote_disconnect")


def test_access_log_of_an_unknown_host(connect, logged, tls):
    path = f"/log/http2/unknown/{tls}"
    connect(NOBODY).request(target=path)
    assert logged(path) == ("GET", "HTTP/2", "404", "NR", "route_not_found", "0", "0")


@pytest.mark.parametrize("field", [("content-length", "x"), ("x-a", "b\n"), ("connection", "close")], ids="=".join)
def test_access_log_of_a_malformed_request(own_gateway, field):
    """DPE: downstream protocol error."""
    gateway = own_gateway()
    with gateway.connect_http2(NOBODY) as client:
        stream = client.open(target="/malformed", headers=[field])
        with contextlib.suppress(StreamReset):
            assert client.read_response(stream).status == 400
    line = gateway.wait_for_access_line(" DPE ")
    assert 'HTTP/2" ' in line and " http2." in line


def test_access_log_of_a_broken_connection(own_gateway, own_upstream):
    """What was under way is logged with the reason."""
    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)})
    own_upstream.script = lambda peer, _: peer.wait_for_close()
    with gateway.connect_http2(APP) as client:
        client.open(target="/broken")
        own_upstream.wait_for_requests(1)
        client.send_raw(b"\0\0\1\6\0\0\0\0\0x")  # a PING of one byte
        assert client.wait_for_close() == ErrorCodes.FRAME_SIZE_ERROR
    line = gateway.wait_for_access_line(" /broken ")
    assert re.search(r'"GET /broken HTTP/2" (0|400) (DPE|DC) ', line), line


def test_metrics_count_each_stream(gateway, connect, serve):
    upstream = serve()
    name = upstream.host.partition(".")[0]
    client = connect(upstream)
    for stream in [client.open() for _ in range(7)]:
        assert client.read_response(stream).status == 200
    labels = {"destination_service": f"{name}.upstream.test", "response_code": "200"}
    assert wait_until(lambda: gateway.metric("istio_requests_total", **labels) == 7)


# --- clients that others wrote ---


@pytest.mark.parametrize("arguments", [["-n1000", "-c5", "-m10"], ["-n1000", "-c1", "-m100"]], ids=["5x10", "1x100"])
@pytest.mark.skipif(not shutil.which("h2load"), reason="h2load is not installed")
def test_h2load(gateway, serve, tls, arguments):
    upstream = serve()
    scheme, number = ("https", 443) if tls else ("http", 8080)
    url = f"{scheme}://{upstream.host}:{gateway.port(number)}/"
    command = ["h2load", *arguments, f"--connect-to={ports.LOOPBACK}:{gateway.port(number)}", url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "1000 total, 1000 started, 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout" in result.stdout
    assert "status codes: 1000 2xx" in result.stdout


@pytest.mark.skipif(not shutil.which("nghttp"), reason="nghttp is not installed")
def test_nghttp(gateway, serve):
    upstream = serve()
    url = f"http://{ports.LOOPBACK}:{gateway.port(8080)}/nghttp"
    command = ["nghttp", "-v", "-H", f":authority: {upstream.host}", "-m5", url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(":status: 200") == 5
    assert upstream.paths == ["/nghttp"] * 5


def test_curl_asks_in_parallel(gateway, serve, tmp_path):
    upstream = serve(answer_path)
    port = gateway.port(443)
    url = f"https://{upstream.host}:{port}/[1-20]"
    options = ["--parallel", "-k", "--http2", "-o", tmp_path / "#1", "-w", "%{http_code} %{http_version}\n"]
    result = curl(*options, url, host=upstream.host, port=port)
    assert result.stdout == "200 2\n" * 20, result.stderr
    assert [(tmp_path / str(number)).read_text() for number in range(1, 21)] == [f"/{n}" for n in range(1, 21)]

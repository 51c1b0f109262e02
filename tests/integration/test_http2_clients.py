"""HTTP/2 from clients: what arrives at upstreams of HTTP/1.1 and HTTP/2, what comes back, and whom a failure concerns."""

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
from harness.gateway import Gateway, is_listening, is_sanitized, wait_until
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
    return {name: Slots(150, prefix=f"{name}-", protocol=protocol) for name, (protocol, _, _) in VERSIONS.items()}


@pytest.fixture(name="shared_gateway", scope="module")
def start_shared_gateway(tmp_path_factory, places, certificate):
    texts = documents.kyma_texts(certificate) | {f"{name}.yaml": slots.document() for name, slots in places.items()}
    with Gateway(tmp_path_factory.mktemp("http2-clients"), texts) as running:
        yield running


@pytest.fixture(name="gateway")
def check_gateway(shared_gateway):
    """The test must leave it alive and well."""
    shared_gateway.check_health()
    yield shared_gateway
    shared_gateway.check_health()


@pytest.fixture(name="serve", params=list(VERSIONS))
def make_serve(request, places, shared_gateway):  # pylint: disable=unused-argument
    """serve(script) is an upstream of either version: its `host` leads to it. script(answer): harness/scripted.py."""
    _, kind, adapt = VERSIONS[request.param]
    running = []

    def make(script=scripted.answer_hello, **options):
        host, port = places[request.param].take()
        made = kind(listener=port.listen(), **options)
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
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


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
        answer._peer.send(b"until the end")  # pylint: disable=protected-access
        answer._peer.close()  # pylint: disable=protected-access

    client = connect(serve(script))
    for _ in range(2):
        response = client.request()
        assert response.body == b"until the end"
        assert "connection" not in response


@HTTP1_ONLY
def test_response_of_http_1_0(connect, serve):
    def script(answer):
        answer._peer.send(b"HTTP/1.0 200 OK\r\n\r\nold")  # pylint: disable=protected-access
        answer._peer.close()  # pylint: disable=protected-access

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
        expected = [bytes([number]) + index.to_bytes(3, "big") + block for index, block in enumerate(pattern.blocks(MIB))]
        assert pattern.digest_of([client.read_response(stream).body]) == pattern.digest_of(expected)

"""HTTP/2 to upstreams: what goes wrong with a stream, with a connection, and whom it concerns."""

import contextlib
import threading
import time

import pytest

from harness import documents, message
from harness.documents import DOMAIN
from harness.gateway import is_sanitized
from harness.http2_upstream import Ended, ErrorCodes, Http2Upstream
from harness.limits import IO_SECONDS, MIB, QUIET_SECONDS
from harness.upstream import in_turn

APP = f"app.{DOMAIN}"
TRIES_MAX = 4
PLAIN_ONLY = pytest.mark.parametrize("http2_upstream", ["prior-knowledge"], indirect=True)


def answer(stream):
    stream.read_body()
    stream.respond(body=b"ok")


def never_answer(_stream):
    pass


def refuse(stream):
    stream.reset(ErrorCodes.REFUSED_STREAM)


def fields_of(line):
    """`"503 UR details "reason""` of a line of the access log: what follows the request."""
    return line.split('HTTP/1.1" ')[1]


def ask(gateway, host, method="GET", target="/", **options):
    with gateway.connect(host) as client:
        return client.request(method, target, **options)


# --- before there is a connection ---


@pytest.mark.parametrize("kind", ["prior-knowledge", "tls"])
def test_refused_connection(http2_gateway, http2_slots, kind):
    host, _ = http2_slots[kind].take()
    assert ask(http2_gateway, host, target=f"/{host}").status == 503
    line = http2_gateway.wait_for_access_line(f"/{host} ")
    assert fields_of(line).startswith("503 UF,URX upstream_reset_before_response_started{connection_failure} ")


@pytest.mark.parametrize("kind", ["prior-knowledge", "tls"])
def test_refused_connection_of_many(http2_gateway, http2_slots, kind):
    host, _ = http2_slots[kind].take()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(http2_gateway.connect(host)) for _ in range(20)]
        for client in clients:
            client.send_head()
        assert [client.read_response().status for client in clients] == [503] * 20


# --- RST_STREAM ---


@pytest.mark.parametrize("code", [ErrorCodes.INTERNAL_ERROR, ErrorCodes.CANCEL, ErrorCodes.PROTOCOL_ERROR])
def test_reset_before_the_head(http2_gateway, http2_upstream, code):
    upstream = http2_upstream(in_turn(lambda stream: stream.reset(code), answer))
    with http2_gateway.connect(upstream.host) as client:
        assert client.request("GET", f"/{upstream.host}").status == 503
        line = http2_gateway.wait_for_access_line(f"/{upstream.host} ")
        assert fields_of(line).startswith("503 UR upstream_reset_before_response_started{")
        assert client.request("GET", "/").body == b"ok"
    assert len(upstream.requests) == 2
    assert len(upstream.connections) == 1


@pytest.mark.parametrize("has_length", [True, False], ids=["content-length", "chunked"])
def test_reset_after_the_head(http2_gateway, http2_upstream, has_length):
    """The client must not take what it has for complete."""
    go_on = threading.Event()

    def script(stream):
        stream.send_head(200, [("content-length", "100")] if has_length else [])
        stream.send(b"half")
        go_on.wait(IO_SECONDS)
        stream.reset()

    upstream = http2_upstream(in_turn(script, answer))
    with http2_gateway.connect(upstream.host) as client:
        client.send_head("GET", f"/{upstream.host}")
        response = client.reader.read_head()
        assert response.status == 200
        pieces = client.reader.iterate_body(response, is_response=True)
        assert next(pieces) == b"half"
        go_on.set()
        with pytest.raises((message.Truncated, OSError)):
            next(pieces)
    line = http2_gateway.wait_for_access_line(f"/{upstream.host} ")
    assert fields_of(line).startswith("200 UR upstream_reset_after_response_started{")
    assert ask(http2_gateway, upstream.host).body == b"ok"
    assert len(upstream.connections) == 1


def test_end_of_the_stream_before_its_content_is_complete(http2_gateway, http2_upstream):
    """RFC 9113 8.1.1: a malformed message."""

    def script(stream):
        stream.send_head(200, [("content-length", "100")])
        stream.send(b"half", is_end=True)

    upstream = http2_upstream(in_turn(script, answer))
    with http2_gateway.connect(upstream.host) as client:
        client.send_head()
        with contextlib.suppress(message.Truncated, OSError):
            response = client.read_response()
            assert response is None or response.status == 502
    assert ask(http2_gateway, upstream.host).body == b"ok"
    assert len(upstream.connections) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refused_stream_is_tried_again(http2_gateway, http2_upstream, method):
    """RFC 9113 8.7: nothing was done with it, so the method does not matter."""
    upstream = http2_upstream(in_turn(refuse, answer))
    assert ask(http2_gateway, upstream.host, method, headers=[("content-length", "0")]).body == b"ok"
    assert [request.method for request in upstream.requests] == [method] * 2


def test_refused_stream_whose_content_was_not_sent_is_tried_again(http2_gateway, http2_upstream):
    upstream = http2_upstream(in_turn(refuse, answer))
    with http2_gateway.connect(upstream.host) as client:
        client.send_head("POST", "/", [("content-length", "7")])
        upstream.wait_for_requests(2)
        client.send(b"content")
        assert client.read_response().body == b"ok"
    assert upstream.requests[1].body == b"content"
    assert len(upstream.requests) == 2


def test_refused_stream_whose_content_was_sent_is_not(http2_gateway, http2_upstream):
    """Nobody has kept it."""

    def read_and_refuse(stream):
        stream.read_body()
        refuse(stream)

    upstream = http2_upstream(in_turn(read_and_refuse, answer))
    assert ask(http2_gateway, upstream.host, "POST", body=b"content").status == 503
    assert len(upstream.requests) == 1


def test_stream_that_is_always_refused(http2_gateway, http2_upstream):
    upstream = http2_upstream(refuse)
    assert ask(http2_gateway, upstream.host, target=f"/{upstream.host}").status == 503
    assert 2 <= len(upstream.requests) <= TRIES_MAX
    assert fields_of(http2_gateway.wait_for_access_line(f"/{upstream.host} ")).startswith("503 UR")


# --- GOAWAY ---


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_goaway_below_our_stream(http2_gateway, http2_upstream, method):
    """RFC 9113 6.8: streams beyond the last one were not processed."""

    def go_away(stream):
        stream.connection.go_away(last_stream_id=stream.id - 2)

    upstream = http2_upstream(in_turn(answer, go_away, answer))
    assert ask(http2_gateway, upstream.host).body == b"ok"
    response = ask(http2_gateway, upstream.host, method, "/again", headers=[("content-length", "0")])
    assert response.body == b"ok"
    assert [request.connection for request in upstream.requests] == [0, 0, 1]
    assert upstream.wait_for(lambda: upstream.http2_connections[0].closed)


def test_graceful_goaway(http2_gateway, http2_upstream):
    """What runs ends as if nothing had been said; what is new goes elsewhere; then the old connection ends."""
    go_on = threading.Event()

    def script(stream):
        if stream.request.target == "/slow":
            stream.send_head()
            stream.send(b"first")
            go_on.wait(IO_SECONDS)
            stream.send(b"second", is_end=True)
        else:
            answer(stream)

    upstream = http2_upstream(script)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(http2_gateway.connect(upstream.host)) for _ in range(5)]
        for client in clients:
            client.send_head("GET", "/slow")
        upstream.wait_for_requests(5)
        old = upstream.http2_connections[0]
        old.go_away()
        old.go_away(last_stream_id=max(old.streams))
        time.sleep(QUIET_SECONDS)
        assert ask(http2_gateway, upstream.host).body == b"ok"
        assert upstream.requests[-1].connection == 1
        go_on.set()
        assert [client.read_response().body for client in clients] == [b"firstsecond"] * 5
        assert upstream.wait_for(lambda: old.closed)
    assert ask(http2_gateway, upstream.host).body == b"ok"
    assert len(upstream.connections) == 2


def test_goaway_of_an_idle_connection(http2_gateway, http2_upstream):
    upstream = http2_upstream()
    assert ask(http2_gateway, upstream.host).status == 200
    upstream.http2_connections[0].go_away(last_stream_id=1)
    assert upstream.wait_for(lambda: upstream.http2_connections[0].closed)
    assert ask(http2_gateway, upstream.host).status == 200
    assert len(upstream.connections) == 2


# --- connections that end ---


@pytest.mark.parametrize("how", ["close", "reset"])
def test_connection_that_ends_in_the_middle_of_streams(http2_gateway, http2_upstream, how):
    """Five have their head and some content, five nothing."""

    def script(stream):
        if stream.request.target == "/begun":
            stream.send_head(200, [("content-length", "100")])
            stream.send(b"half")
        elif stream.request.target != "/silent":
            answer(stream)

    upstream = http2_upstream(script)
    with contextlib.ExitStack() as stack:
        begun, silent = (
            [stack.enter_context(http2_gateway.connect(upstream.host)) for _ in range(5)] for _ in range(2)
        )
        for client in begun:
            client.send_head("GET", "/begun")
        for client in silent:
            client.send_head("POST", "/silent", [("content-length", "0")])
        heads = [client.reader.read_head() for client in begun]
        upstream.wait_for_requests(10)
        upstream.http2_connections[0].end(how)
        for client, head in zip(begun, heads):
            with pytest.raises((message.Truncated, OSError)):
                client.reader.read_body(head, is_response=True)
        assert [client.read_response().status for client in silent] == [503] * 5
        assert ask(http2_gateway, upstream.host).body == b"ok"
    assert len(upstream.requests) == 11
    assert len(upstream.connections) == 2


@pytest.mark.parametrize("how", ["close", "reset"])
def test_connection_that_ends_while_idle_is_not_used_again(http2_gateway, http2_upstream, how):
    upstream = http2_upstream()
    for number in range(3):
        assert ask(http2_gateway, upstream.host, "POST", body=b"content").status == 200
        upstream.http2_connections[number].end(how)
        upstream.wait_for(lambda of=number: upstream.http2_connections[of].closed)
        time.sleep(0.1)
    assert len(upstream.requests) == 3


# --- what is malformed ---


MALFORMED_HEADS = {
    "uppercase": [(":status", "200"), ("X-Upper", "1")],
    "connection": [(":status", "200"), ("connection", "close")],
    "transfer-encoding": [(":status", "200"), ("transfer-encoding", "chunked")],
    "no-status": [("x-field", "1")],
    "two-status": [(":status", "200"), (":status", "200")],
    "status-of-words": [(":status", "fine")],
    "pseudo-after-field": [("x-field", "1"), (":status", "200")],
    "unknown-pseudo": [(":status", "200"), (":path", "/")],
    "switching-protocols": [(":status", "101")],
    "content-length-twice": [(":status", "200"), ("content-length", "1"), ("content-length", "2")],
    "new-line": [(":status", "200"), ("x-field", "a\r\nb: c")],
}


@pytest.mark.parametrize("fields", list(MALFORMED_HEADS.values()), ids=list(MALFORMED_HEADS))
@PLAIN_ONLY
def test_malformed_head(http2_gateway, http2_upstream, fields):
    """The stream is refused, and only that."""
    upstream = http2_upstream(in_turn(answer, lambda stream: stream.send_fields(fields), answer))
    assert ask(http2_gateway, upstream.host).body == b"ok"
    assert ask(http2_gateway, upstream.host, target=f"/{upstream.host}").status == 502
    line = http2_gateway.wait_for_access_line(f"/{upstream.host} ")
    assert fields_of(line).startswith("502 UPE upstream_reset_before_response_started{protocol_error} ")
    bad = upstream.streams[1]
    assert bad.wait_for_end() and bad.reset_code == ErrorCodes.PROTOCOL_ERROR
    assert ask(http2_gateway, upstream.host).body == b"ok"
    assert len(upstream.connections) == 1


# Each a whole frame: length, type, flags, stream.
BAD_FRAMES = {
    "data-on-stream-0": b"\0\0\1\0\0\0\0\0\0x",
    "too-long": b"\xff\xff\xff\0\0\0\0\0\1",
    "settings-of-odd-size": b"\0\0\5\4\0\0\0\0\0abcde",
    "broken-hpack": b"\0\0\3\1\4\0\0\0\1\xff\xff\xff",
    "push-promise": b"\0\0\4\5\4\0\0\0\1\0\0\0\2",
    "headers-of-idle-stream": b"\0\0\1\1\5\0\0\0\x63\x88",
    "continuation-of-nothing": b"\0\0\1\x09\4\0\0\0\1\x88",
    "http1": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("frame", list(BAD_FRAMES.values()), ids=list(BAD_FRAMES))
@PLAIN_ONLY
def test_bad_frame(http2_gateway, http2_upstream, frame):
    """The connection is broken, and its requests fail, and the next one has another."""

    def script(stream):
        stream.connection.send_raw(frame)

    upstream = http2_upstream(in_turn(script, answer))
    assert ask(http2_gateway, upstream.host, target=f"/{upstream.host}").status == 502
    line = http2_gateway.wait_for_access_line(f"/{upstream.host} ")
    assert fields_of(line).startswith("502 UPE upstream_reset_before_response_started{protocol_error} ")
    assert upstream.wait_for(lambda: upstream.http2_connections[0].closed)
    assert ask(http2_gateway, upstream.host).body == b"ok"
    assert len(upstream.connections) == 2


def test_bad_frame_is_answered_by_goaway(http2_gateway, http2_upstream):
    """RFC 9113 5.4.1: the upstream is told why the connection ends."""
    upstream = http2_upstream(lambda stream: stream.connection.send_raw(BAD_FRAMES["data-on-stream-0"]))
    assert ask(http2_gateway, upstream.host).status == 502
    assert upstream.wait_for(lambda: upstream.http2_connections[0].closed)
    assert upstream.http2_connections[0].goaway == (ErrorCodes.PROTOCOL_ERROR, 0)


# --- slow and silent sides ---


def test_upstream_that_does_not_read(own_gateway):
    """Its windows bound what the gateway keeps, whatever the client sends; the client is slowed down, and leaves."""
    upstream = Http2Upstream().serve(never_answer)
    gateway = own_gateway({"app.yaml": documents.routes("app", upstream.port, protocol="HTTP2")})
    with gateway.connect(APP) as client:
        before = gateway.memory_bytes()
        client.send_head("POST", "/", [("content-length", str(256 * MIB))])
        upstream.wait_for_requests(1)
        client.socket.settimeout(2)
        with pytest.raises(TimeoutError):
            for _ in range(256):
                client.send(bytes(MIB))
        if not is_sanitized():
            assert gateway.memory_bytes() - before < 4 * MIB
        stream = upstream.streams[0]
        assert stream.received_bytes == 65535
        client.reset()
    with pytest.raises(Ended):  # a client that is not read is not heard, either: first what it had sent goes on
        while stream.read():
            pass
    assert stream.reset_code == ErrorCodes.CANCEL
    upstream.stop()


def test_client_that_does_not_read(own_gateway):
    """Our windows bound what is kept for it, and others of the connection go on."""

    def script(stream):
        if stream.request.target == "/large":
            stream.send_head()
            for _ in range(64):
                stream.send(bytes(MIB))
            stream.end()
        else:
            answer(stream)

    upstream = Http2Upstream().serve(script)
    gateway = own_gateway({"app.yaml": documents.routes("app", upstream.port, protocol="HTTP2")})
    before = gateway.memory_bytes()
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(gateway.connect(APP, receive_buffer=16 * 1024)).send_head("GET", "/large")
        upstream.wait_for_requests(3)
        time.sleep(1)
        for _ in range(3):
            assert ask(gateway, APP).body == b"ok"
        if not is_sanitized():
            assert gateway.memory_bytes() - before < 8 * MIB
    assert upstream.wait_for(lambda: all(stream.is_over() for stream in upstream.streams[:3]))
    assert [stream.reset_code for stream in upstream.streams[:3]] == [ErrorCodes.CANCEL] * 3
    assert ask(gateway, APP).body == b"ok"
    assert len(upstream.connections) == 1
    upstream.stop()


def test_window_of_the_connection_is_for_all(http2_gateway, http2_upstream):
    """An upload that is not read uses it up, and another waits; until the first is refused and let go."""
    upstream = http2_upstream(lambda stream: answer(stream) if stream.request.target == "/second" else None)
    with http2_gateway.connect(upstream.host) as first, http2_gateway.connect(upstream.host) as second:
        first.send_head("POST", "/first", [("content-length", "100000")])
        first.send(bytes(100_000))
        assert upstream.wait_for(lambda: upstream.streams and upstream.streams[0].received_bytes == 65535)
        second.send_head("POST", "/second", [("content-length", "60000")])
        second.send(bytes(60_000))
        upstream.wait_for_requests(2)
        assert second.stays_silent()
        assert upstream.streams[1].received_bytes == 0
        upstream.streams[0].reset()
        upstream.streams[0].let_go()
        assert first.read_response().status == 503
        assert second.read_response().body == b"ok"
    assert len(upstream.connections) == 1


@pytest.mark.parametrize("when", ["before-the-head", "in-the-response", "in-the-request"])
def test_client_that_leaves(http2_gateway, http2_upstream, when):
    """The upstream is told by RST_STREAM, CANCEL; others of the connection notice nothing."""
    go_on = threading.Event()

    def script(stream):
        if stream.request.target == "/left":
            if when == "in-the-response":
                stream.send_head()
                stream.send(b"first")
        else:
            stream.send_head()
            stream.send(b"first")
            go_on.wait(IO_SECONDS)
            stream.send(b"second", is_end=True)

    upstream = http2_upstream(script)
    with http2_gateway.connect(upstream.host) as other:
        other.send_head("GET", "/other")
        head = other.reader.read_head()
        with http2_gateway.connect(upstream.host) as leaving:
            if when == "in-the-request":
                leaving.send_head("POST", "/left", [("content-length", "100")])
                leaving.send(b"half")
            else:
                leaving.send_head("GET", "/left")
            upstream.wait_for_requests(2)
            if when == "in-the-response":
                assert leaving.reader.read_head().status == 200
            leaving.reset()
        left = upstream.streams[1]
        assert left.wait_for_end()
        assert left.reset_code == ErrorCodes.CANCEL
        go_on.set()
        assert other.reader.read_body(head, is_response=True).body == b"firstsecond"
        assert other.request("GET", "/other").body == b"firstsecond"
    assert len(upstream.connections) == 1


def test_client_that_leaves_while_connecting(own_gateway):
    """No SETTINGS come: only the kernel has accepted. The request is given up, and the next one served."""
    upstream = Http2Upstream()  # does not serve yet
    gateway = own_gateway({"app.yaml": documents.routes("app", upstream.port, protocol="HTTP2")})
    with gateway.connect(APP) as client:
        client.send_head("GET", "/left")
        time.sleep(QUIET_SECONDS)
        client.reset()
    time.sleep(QUIET_SECONDS)
    upstream.serve(answer)
    assert ask(gateway, APP, target="/next").body == b"ok"
    upstream.stop()


def test_route_timeout_resets_the_stream_only(own_gateway):
    upstream = Http2Upstream().serve()
    rule = documents.http_rule("app", match="    - uri:\n        prefix: /slow\n") + "    timeout: 0.5s\n"
    gateway = own_gateway(
        {
            "app.yaml": documents.join(
                documents.service_entry("app", upstream.port, protocol="HTTP2"),
                documents.virtual_service("app", [APP], [rule, documents.http_rule("app")]),
            )
        }
    )
    go_on = threading.Event()

    def script(stream):
        if stream.request.target == "/other":
            go_on.wait(IO_SECONDS)
            answer(stream)

    upstream.script = script
    with gateway.connect(APP) as other, gateway.connect(APP) as client:
        other.send_head("GET", "/other")
        response = client.request("GET", "/slow")
        assert (response.status, response.body) == (504, b"upstream request timeout")
        slow = next(stream for stream in upstream.streams if stream.request.target == "/slow")
        assert slow.wait_for_end() and slow.reset_code == ErrorCodes.CANCEL
        go_on.set()
        assert other.read_response().body == b"ok"
        assert client.request("GET", "/other").body == b"ok"
    assert '" 504 UT response_timeout ' in gateway.wait_for_access_line("/slow")
    assert len(upstream.connections) == 1
    upstream.stop()

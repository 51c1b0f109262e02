"""Upstreams that fail in every way: what the client sees is never a complete response that was none."""

import time

import pytest

from harness import documents, message, ports
from harness.limits import MIB


@pytest.fixture(params=["close", "reset"])
def die(request):
    return lambda peer: getattr(peer, request.param)()


def flags_of(gateway, text):
    """Response code and flags of the access log line that contains `text`."""
    line = gateway.wait_for_access_line(text)
    return line.split('" ', 1)[1].split(" ")[:2]


# --- in the middle of the body ---


@pytest.mark.parametrize("size", [10, 100_000, 4 * MIB])
def test_in_the_middle_of_a_body_with_length(client, upstream, die, size):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * size) + b"x" * size)
        upstream.wait_for(lambda: received[0], seconds=2)
        die(peer)

    received = [False]
    upstream.script = script
    client.send_head()
    head = client.reader.read_head()
    received[0] = True
    assert head.get("content-length") == str(2 * size)
    with pytest.raises(message.Truncated):
        client.reader.read_body(head, is_response=True)


@pytest.mark.parametrize(
    "rest",
    [b"", b"5\r\nhel", b"5\r\nhello", b"5\r\nhello\r\n", b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0"],
    ids=["after_head", "in_chunk", "after_content", "between_chunks", "before_last_line", "in_last_size"],
)
def test_in_the_middle_of_a_chunked_body(client, upstream, die, rest):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + rest)
        time.sleep(0.05)
        die(peer)

    upstream.script = script
    client.send_head()
    with pytest.raises(message.Truncated):
        head = client.reader.read_head()
        if head is None or head.status == 503:
            raise message.Truncated("no response at all")
        client.reader.read_body(head, is_response=True)


def test_tls_client_sees_no_clean_end_after_a_truncated_body(gateway, upstream):
    """A body that ends with the connection: truncation must not look like close_notify, the only thing that tells."""

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\n\r\npart of it")
        time.sleep(0.05)
        peer.reset()

    upstream.script = script
    with gateway.connect(upstream.host, tls=True) as client:
        client.send_head()
        head = client.reader.read_head()
        assert head.get("transfer-encoding") == "chunked", "re-framed, so that the end is seen"
        with pytest.raises(message.Truncated):
            client.reader.read_body(head, is_response=True)


def test_reset_while_splicing_ends_the_client_at_once(client, upstream):
    """The reset that splice(2) finds is the last event there is: nothing else would wake the exchange."""

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200_000)
        peer.reset()

    upstream.script = script
    for _ in range(40):
        with type(client)(client.socket.getpeername()[1], client.host, tls=client.is_tls) as one:
            one.send_head()
            assert len(one.read_to_end()) < 201_000


# --- before the response ---


def test_before_the_head_of_the_response(gateway, client, upstream, die):
    """503; a request whose bytes were sent on a new connection is not tried again."""

    def script(peer, request):
        peer.read_body(request)
        die(peer)

    upstream.script = script
    response = client.request("POST", "/before-head", body=b"content")
    assert response.status == 503
    assert b"upstream connect error or disconnect/reset before headers" in response.body
    code, flags = flags_of(gateway, "/before-head")
    assert code == "503" and set(flags.split(",")) & {"UC", "UR"}
    assert len(upstream.requests) == 1
    assert client.stays_silent()


def test_in_the_middle_of_the_head(gateway, client, upstream, die):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Len")
        time.sleep(0.05)
        die(peer)

    upstream.script = script
    response = client.request("POST", "/in-head", body=b"content")
    assert response.status in (502, 503)
    assert flags_of(gateway, "/in-head")[0] == str(response.status)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\0\0\0",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header: x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/3.7 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_garbage_instead_of_a_response(client, upstream, garbage):
    def script(peer, request):
        peer.read_body(request)
        peer.send(garbage)
        peer.wait_for_close()

    upstream.script = script
    response = client.request("POST", "/", body=b"x")
    assert response.status in (502, 503)
    assert all(len(peer.reader.buffer) == 0 for peer in upstream.connections)


def test_death_in_the_middle_of_an_upload(client, upstream, die):
    """The client gets an answer, or the end; not a wait."""

    def script(peer, request):
        peer.reader.read_exactly(1000)
        die(peer)

    upstream.script = script
    client.send_head("POST", "/", [("content-length", str(8 * MIB))])
    try:
        for _ in range(128):
            client.send(b"x" * 65536)
    except OSError:
        pass
    response = client.read_response()
    assert response is None or response.status == 503


# --- no connection at all ---


def test_refused_connection(gateway, refusing_host, tls):
    with gateway.connect(refusing_host, tls=tls) as client:
        response = client.request("GET", "/refused")
        assert response.status == 503
        assert response.body.startswith(b"upstream connect error or disconnect/reset before headers. reset reason: ")
        assert response.get("server") == "istio-envoy"
        code, flags = flags_of(gateway, "/refused")
        assert code == "503" and "UF" in flags.split(",")
        assert client.request("POST", "/", body=b"content").status == 503, "the connection goes on"


def test_no_endpoints(own_gateway):
    """A name without addresses: "nothing.invalid" does not exist (RFC 6761 6.4)."""
    entry = documents.service_entry("app", 80).replace("STATIC", "DNS").replace(ports.LOOPBACK, "nothing.invalid")
    gateway = own_gateway(
        {"app.yaml": documents.join(entry, documents.virtual_service("app", [f"app.{documents.DOMAIN}"], "app"))}
    )
    with gateway.connect(f"app.{documents.DOMAIN}") as client:
        response = client.request("GET", "/empty")
        assert (response.status, response.body) == (503, b"no healthy upstream")
        assert flags_of(gateway, "/empty") == ["503", "UH"]


def test_name_of_an_endpoint_is_resolved(own_gateway, own_upstream):
    entry = (
        documents.service_entry("app", own_upstream.port).replace("STATIC", "DNS").replace(ports.LOOPBACK, "localhost")
    )
    gateway = own_gateway(
        {"app.yaml": documents.join(entry, documents.virtual_service("app", [f"app.{documents.DOMAIN}"], "app"))}
    )
    with gateway.connect(f"app.{documents.DOMAIN}") as client:
        assert client.request().body == b"hello"


def test_unknown_destination(own_gateway):
    gateway = own_gateway({"app.yaml": documents.virtual_service("app", [f"app.{documents.DOMAIN}"], "nowhere")})
    with gateway.connect(f"app.{documents.DOMAIN}") as client:
        assert client.request("GET", "/unknown").status == 503
        assert flags_of(gateway, "/unknown") == ["503", "NC"]


def test_other_endpoints_are_tried(own_gateway, own_upstream):
    """One endpoint refuses, the other answers: connect failures are retried, so every request succeeds."""
    refusing = ports.ReservedPort()
    gateway = own_gateway(
        {
            "app.yaml": documents.join(
                documents.service_entry("app", refusing.number, own_upstream.port),
                documents.virtual_service("app", [f"app.{documents.DOMAIN}"], "app"),
            )
        }
    )
    for _ in range(20):
        with gateway.connect(f"app.{documents.DOMAIN}") as client:
            assert client.request("POST", "/", body=b"x").status == 200
    refusing.close()


def test_upstream_that_accepts_late(gateway, client, upstream):
    """Slow is not dead: no timeout by default."""

    def script(peer, request):
        peer.read_body(request)
        time.sleep(2)
        peer.respond(body=b"late")

    upstream.script = script
    assert client.request().body == b"late"

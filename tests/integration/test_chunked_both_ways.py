"""Chunked content, both ways: what arrives is what was sent, however it was cut (RFC 9112 7.1)."""

import random

import pytest

from harness import message

CONTENT = random.Random(4).randbytes(200_000)


def echo_digest(peer, request):
    peer.read_body(request)
    peer.respond(body=request.body)


def pieces_of(content, sizes):
    source, at = random.Random(7), 0
    while at < len(content):
        size = source.choice(sizes)
        yield content[at : at + size]
        at += size


@pytest.mark.parametrize("sizes", [(1, 2, 3), (16_384,), (1, 4_096, 65_537)], ids=str)
def test_upload_arrives_whole(client, upstream, sizes):
    upstream.script = echo_digest
    content = CONTENT[:2_000] if max(sizes) < 10 else CONTENT
    client.send_head("POST", "/", [("transfer-encoding", "chunked")])
    for piece in pieces_of(content, sizes):
        client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    client.send(b"0\r\n\r\n")
    assert client.read_response().body == content
    assert upstream.requests[0].get("transfer-encoding") == "chunked"
    assert "content-length" not in upstream.requests[0]


def test_chunk_extensions_are_dropped_and_sizes_may_have_zeros(client, upstream):
    upstream.script = echo_digest
    client.send_head("POST", "/", [("transfer-encoding", "chunked")])
    client.send(b'0005;name=value;other="quoted;text"\r\nfirst\r\nb;x\r\n, and more.\r\n0;last\r\n\r\n')
    assert client.read_response().body == b"first, and more."


@pytest.mark.parametrize("sizes", [(1, 2, 3), (16_384,), (1, 4_096, 65_537)], ids=str)
def test_download_arrives_whole(client, upstream, sizes):
    content = CONTENT[:2_000] if max(sizes) < 10 else CONTENT

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces_of(content, sizes):
            peer.send(b"%X\r\n%s\r\n" % (len(piece), piece))
        peer.send(b"0\r\n\r\n")

    upstream.script = script
    for _ in range(2):
        response = client.request()
        assert response.body == content
        assert response.get("transfer-encoding") == "chunked"
    assert len(upstream.connections) == 1


def test_download_in_single_bytes(client, upstream):
    def script(peer, request):
        peer.read_body(request)
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext\r\nde\r\n0\r\n\r\n":
            peer.send(bytes([byte]))

    upstream.script = script
    assert client.request().body == b"abcde"


def test_pieces_are_not_held_back(client, upstream):
    """A stream of events must flow: each chunk arrives before the next is sent."""

    # The client says that it has a piece by a piece of its own, so the request stays open as well.
    def script(peer, request):
        body = peer.reader.iterate_chunked(request)
        assert next(body) == b"go"
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for index in range(5):
            peer.send(b"7\r\nevent %d\r\n" % index)
            assert next(body) == b"!"
        assert list(body) == []
        peer.send(b"0\r\n\r\n")

    upstream.script = script
    client.send_head("POST", "/", [("transfer-encoding", "chunked")])
    client.send(b"2\r\ngo\r\n")
    response = client.reader.read_head()
    events = client.reader.iterate_chunked(response)
    for index in range(5):
        assert next(events) == b"event %d" % index
        client.send(b"1\r\n!\r\n")
    client.send(b"0\r\n\r\n")
    assert list(events) == []


@pytest.mark.parametrize(
    "broken",
    [
        b"g\r\nx",
        b"-1\r\n",
        b"5 \r\nhello\r\n",
        b"5\nhello\r\n",
        b"\r\n",
        b"5\r\nhelloX\r\n",
        b"1" * 17 + b"\r\n",
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"5\r\nhello\n0\r\n\r\n",
    ],
)
def test_broken_chunk_of_a_client_is_refused(client, upstream, broken):
    """400 or the end; the upstream must not take what it got for a complete request."""
    complete = []

    def script(peer, request):
        peer.read_body(request)
        complete.append(request.body)
        peer.respond()

    upstream.script = script
    client.send_head("POST", "/", [("transfer-encoding", "chunked")])
    client.send(b"3\r\nabc\r\n")
    upstream.wait_for_requests(1)
    client.send(broken)
    response = client.read_response()
    assert response is None or response.status in (400, 502)
    assert client.is_closed_by_peer()
    assert complete == []


@pytest.mark.parametrize("broken", [b"g\r\nx", b"5\nhello", b"5\r\nhelloX", b"1" * 17 + b"\r\n"])
def test_broken_chunk_of_an_upstream_is_never_a_complete_response(client, upstream, broken):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + broken)
        peer.wait_for_close()

    upstream.script = script
    client.send_head()
    try:
        response = client.read_response()
    except (message.Truncated, message.Malformed):
        return
    assert response is None or response.status == 502

"""A client that goes away takes its work with it: the upstream's connection is closed, and nothing stays behind."""

import pytest

from harness import documents
from harness.limits import MIB


@pytest.fixture(params=["close", "reset"])
def leave(request):
    return lambda client: getattr(client, request.param)()


def all_closed(upstream):
    return upstream.wait_for(lambda: not upstream.open_connections)


def test_while_it_waits_for_the_response(client, upstream, leave):
    def script(peer, request):
        peer.read_body(request)
        peer.wait_for_close()

    upstream.script = script
    client.send_head()
    upstream.wait_for_requests(1)
    leave(client)
    assert all_closed(upstream)


def test_in_the_middle_of_its_upload(client, upstream, leave):
    def script(peer, request):
        peer.read_body(request)

    upstream.script = script
    client.send_head("POST", "/", [("content-length", str(MIB))])
    client.send(b"x" * 1000)
    upstream.wait_for_requests(1)
    leave(client)
    assert all_closed(upstream)


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_in_the_middle_of_its_download(client, upstream, leave, framing):
    def script(peer, request):
        peer.read_body(request)
        if framing == "length":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (256 * MIB))
            for _ in range(4096):
                peer.send(b"x" * 65536)
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(4096):
                peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    upstream.script = script
    client.send_head()
    assert client.reader.read_head().status == 200
    assert client.reader.read_exactly(100_000)
    leave(client)
    assert all_closed(upstream)


def test_in_the_middle_of_a_head(client, upstream, leave):
    client.send(b"GET / HTTP/1.1\r\nHost: ")
    leave(client)
    assert not upstream.wait_for(lambda: upstream.requests, seconds=0.2)


def test_while_its_stream_is_silent(client, upstream, leave):
    """A response that has begun and then waits (events): the end is noticed without a write."""

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n")
        peer.wait_for_close()

    upstream.script = script
    client.send_head()
    client.reader.read_head()
    client.reader.read_until(b"event\r\n")
    leave(client)
    assert all_closed(upstream)


def test_access_log_says_dc(own_gateway, own_upstream):
    """Response code 0 and the flag DC (downstream connection termination)."""

    def script(peer, request):
        peer.read_body(request)
        peer.wait_for_close()

    gateway = own_gateway({"app.yaml": documents.routes("app", own_upstream.port)})
    own_upstream.script = script
    client = gateway.connect(f"app.{documents.DOMAIN}")
    client.send_head("GET", "/leaver")
    own_upstream.wait_for_requests(1)
    client.close()
    assert '"GET /leaver HTTP/1.1" 0 DC ' in gateway.wait_for_access_line("/leaver")

"""Trailer fields pass both ways, and cannot change what was already decided (RFC 9110 6.5)."""

import pytest

from harness import message

TRAILERS = [("x-checksum", "abc123"), ("x-count", "2")]


def test_trailers_of_a_request_reach_the_upstream(client, upstream):
    client.send_head("POST", "/", [("transfer-encoding", "chunked"), ("trailer", "x-checksum")])
    client.send(message.chunked(b"one", b"two", trailers=TRAILERS))
    assert client.read_response().status == 200
    assert upstream.requests[0].body == b"onetwo"
    assert upstream.requests[0].trailers == TRAILERS


def test_trailers_of_a_response_reach_the_client(client, upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-checksum\r\n\r\n"
            + message.chunked(b"content", trailers=TRAILERS)
        )

    upstream.script = script
    for _ in range(2):
        response = client.request("GET", "/", [("te", "trailers")])
        assert response.body == b"content"
        assert response.trailers == TRAILERS
    assert upstream.requests[0].get("te") == "trailers"


@pytest.mark.parametrize("name", ["content-length", "transfer-encoding", "host", "connection"])
def test_forbidden_trailer_of_a_client_is_refused(client, upstream, name):
    """RFC 9110 6.5.1: framing and routing are not up for a second decision."""
    complete = []

    def script(peer, request):
        peer.read_body(request)
        complete.append(request.trailers)
        peer.respond()

    upstream.script = script
    client.send_head("POST", "/", [("transfer-encoding", "chunked")])
    client.send(message.chunked(b"content", trailers=[(name, "5")]))
    response = client.read_response()
    assert response is None or response.status == 400
    assert all(name not in dict(trailers) for trailers in complete)


def test_trailers_beyond_their_bound_are_refused(client, upstream):
    client.send_head("POST", "/", [("transfer-encoding", "chunked")])
    client.send(b"1\r\nx\r\n0\r\n")
    try:
        for index in range(200):
            client.send(b"x-%d: %s\r\n" % (index, b"v" * 200))
    except ConnectionError:
        pass
    response = client.read_response()
    assert response is None or response.status in (400, 431)
    assert client.is_closed_by_peer()
    assert upstream.wait_for(lambda: not upstream.open_connections)

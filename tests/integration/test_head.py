"""Responses without content: HEAD, 204, 304, and what their length fields mean (RFC 9110 8.6, RFC 9112 6.3)."""

import pytest


def respond_with(raw):
    def script(peer, request):
        peer.read_body(request)
        peer.send(raw)

    return script


def test_head_keeps_the_length_of_the_content_that_is_not_sent(client, upstream):
    upstream.script = respond_with(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")
    for _ in range(3):
        response = client.request("HEAD", "/")
        assert (response.status, response.get("content-length"), response.body) == (200, "12345", b"")
    assert len(upstream.connections) == 1
    assert upstream.requests[0].method == "HEAD"


def test_head_of_a_chunked_response(client, upstream):
    upstream.script = respond_with(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(3):
        assert client.request("HEAD", "/").status == 200
    assert len(upstream.connections) == 1


def test_head_then_get_on_one_connection(client, upstream):
    upstream.script = lambda peer, request: peer.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + (b"" if request.method == "HEAD" else b"hello")
    )
    for _ in range(5):
        assert client.request("HEAD", "/").body == b""
        assert client.request("GET", "/").body == b"hello"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b'HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\nETag: "x"\r\n\r\n',
    ],
)
def test_status_without_content(client, upstream, raw):
    upstream.script = respond_with(raw)
    for _ in range(3):
        response = client.request("GET", "/")
        assert response.status == int(raw[9:12])
        assert response.body == b""
    assert len(upstream.connections) == 1


def test_204_is_given_no_length(client, upstream):
    upstream.script = respond_with(b"HTTP/1.1 204 No Content\r\n\r\n")
    response = client.request("DELETE", "/")
    assert "content-length" not in response and "transfer-encoding" not in response


def test_content_after_a_head_is_not_the_next_response(client, upstream):
    """An upstream that sends content after all must not poison its connection."""
    upstream.script = respond_with(
        b"HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    )
    for _ in range(3):
        response = client.request("HEAD", "/")
        assert (response.status, response.get("content-length")) == (200, "38")
    assert len(upstream.connections) == 3


def test_empty_response(client, upstream):
    upstream.script = respond_with(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    for _ in range(3):
        response = client.request()
        assert (response.body, response.get("content-length")) == (b"", "0")


def test_local_reply_to_head_has_no_body(client):
    client.send_head("HEAD", "/", host="unknown.example.com")
    assert client.read_response("HEAD").status == 404
    assert client.request().status == 200, "the connection is in step"


def test_reason_and_odd_status_pass(client, upstream):
    upstream.script = respond_with(b"HTTP/1.1 299 Quite Fine\r\nContent-Length: 0\r\n\r\n")
    assert client.request().start_line == "HTTP/1.1 299 Quite Fine"
    upstream.script = respond_with(b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n")
    assert client.request().status == 200

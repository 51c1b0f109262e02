"""Clients and upstreams of HTTP/1.0 (RFC 9112 9.3 and appendix C.2; Kyma switches it on)."""

from harness import message


def test_response_and_close(client):
    response = client.request("GET", "/", version="HTTP/1.0")
    assert (response.status, response.body) == (200, b"hello")
    assert client.is_closed_by_peer()


def test_keep_alive_on_request(client):
    for _ in range(3):
        response = client.request("GET", "/", [("connection", "keep-alive")], version="HTTP/1.0")
        assert (response.status, response.body) == (200, b"hello")
        assert response.get("connection").lower() == "keep-alive"
    assert client.request("GET", "/", version="HTTP/1.0").status == 200
    assert client.is_closed_by_peer()


def test_chunked_response_is_given_without_chunks(client, upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + message.chunked(b"one ", b"two"))

    upstream.script = script
    client.send_head("GET", "/", version="HTTP/1.0")
    response = client.read_response()
    assert "transfer-encoding" not in response
    assert response.body == b"one two"
    assert client.is_closed_by_peer()


def test_chunked_response_closes_although_keep_alive_was_asked_for(client, upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + message.chunked(b"one ", b"two"))

    upstream.script = script
    client.send_head("GET", "/", [("connection", "keep-alive")], version="HTTP/1.0")
    response = client.read_response()
    assert response.body == b"one two"
    assert client.is_closed_by_peer()


def test_upstream_always_gets_http_1_1_and_a_host(client, upstream):
    client.request("GET", "/", version="HTTP/1.0")
    assert upstream.requests[0].version == "HTTP/1.1"
    assert upstream.requests[0].get("host") == client.host


def test_without_host_there_is_no_route(gateway):
    """HTTP/1.0 needs no Host; the plain gateway has no virtual host for a request without one."""
    with gateway.connect("unused") as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert client.read_response().status in (400, 404)


def test_response_that_ends_with_its_connection(client, upstream):
    """An upstream of HTTP/1.0 without length: the client gets all of it, well framed."""

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall that ")
        peer.send(b"there is")
        peer.close()

    upstream.script = script
    for _ in range(2):
        response = client.request()
        assert response.body == b"all that there is"
        assert response.get("transfer-encoding") == "chunked"


def test_post_with_length(client, upstream):
    assert client.request("POST", "/", body=b"content", version="HTTP/1.0").status == 200
    assert upstream.requests[0].body == b"content"


def test_transfer_encoding_in_http_1_0_is_refused(client, upstream):
    """RFC 9112 6.1: faulty framing."""
    client.send_head("POST", "/", [("transfer-encoding", "chunked")], version="HTTP/1.0")
    client.send(message.chunked(b"content"))
    assert client.read_response().status == 400
    assert client.is_closed_by_peer()
    assert upstream.requests == []

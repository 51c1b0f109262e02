"""1xx responses and Expect: 100-continue (RFC 9110 10.1.1, 15.2; RFC 8297)."""

from harness import message


def test_early_hints_reach_the_client_before_the_response(client, upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
            b"HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        )

    upstream.script = script
    for _ in range(2):
        client.send_head()
        first = client.read_response(keep_informational=True)
        second = client.read_response(keep_informational=True)
        final = client.read_response(keep_informational=True)
        assert (first.status, first.get("link")) == (103, "</a.css>; rel=preload")
        assert (second.status, second.get("link")) == (103, "</b.css>")
        assert (final.status, final.body) == (200, b"ok")
    assert len(upstream.connections) == 1


def test_client_that_expects_continue_gets_it_before_its_content(client, upstream):
    def script(peer, request):
        if request.get("expect"):
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.read_body(request)
        peer.respond(body=request.body)

    upstream.script = script
    client.send_head("POST", "/", [("expect", "100-continue"), ("content-length", "7")])
    interim = client.read_response(keep_informational=True)
    assert interim.status == 100
    client.send(b"content")
    response = client.read_response(keep_informational=True)
    assert (response.status, response.body) == (200, b"content")
    assert client.request().status == 200


def test_client_that_does_not_wait_for_continue_is_served(client, upstream):
    def script(peer, request):
        if request.get("expect"):
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.read_body(request)
        peer.respond(body=request.body)

    upstream.script = script
    client.send_head("POST", "/", [("expect", "100-continue"), ("content-length", "7")])
    client.send(b"content")
    assert client.read_response().body == b"content"
    assert client.request().status == 200


def test_continue_that_nobody_asked_for_is_not_taken_for_the_response(client, upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        )

    upstream.script = script
    for _ in range(2):
        assert client.request("POST", "/", body=b"x").body == b"ok"


def test_upstream_that_refuses_before_the_content(client, upstream):
    """The final answer reaches a client that still holds its content back."""

    def script(peer, request):
        peer.respond(413, reason="Content Too Large", headers=[("connection", "close")], body=b"no")
        peer.wait_for_close()

    upstream.script = script
    client.send_head("POST", "/", [("expect", "100-continue"), ("content-length", "1000000")])
    response = client.read_response()
    assert (response.status, response.body) == (413, b"no")


def test_http_1_0_client_gets_no_informational_response(client, upstream):
    """RFC 9110 15.2."""

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    upstream.script = script
    client.send_head("GET", "/", [("expect", "100-continue")], version="HTTP/1.0")
    response = client.read_response(keep_informational=True)
    assert (response.status, response.body) == (200, b"ok")


def test_endless_informational_responses_end(client, upstream):
    """Bounded: an upstream cannot keep a request alive with 1xx for ever."""

    def script(peer, request):
        peer.read_body(request)
        for _ in range(100_000):
            peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10)

    upstream.script = script
    client.send_head()
    try:
        response = client.read_response()
    except message.Truncated:
        response = None
    assert response is None or response.status == 502
    assert upstream.wait_for(lambda: not upstream.open_connections)

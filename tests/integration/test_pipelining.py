"""Several requests without waiting for answers: answered in order, each with its own body (RFC 9112 9.3.2)."""

from harness import message


def echo(peer, request):
    peer.read_body(request)
    peer.respond(body=f"{request.method} {request.target} ".encode() + request.body)


def test_answers_come_in_order(client, upstream):
    upstream.script = echo
    head = "GET /{} HTTP/1.1\r\nHost: " + client.host + "\r\n\r\n"
    client.send("".join(head.format(index) for index in range(100)).encode())
    for index in range(100):
        assert client.read_response().body == f"GET /{index} ".encode()


def test_bodies_end_where_they_say(client, upstream):
    upstream.script = echo
    host = [("host", client.host)]
    client.send(
        message.head_bytes("POST /1 HTTP/1.1", host + [("content-length", "3")])
        + b"one"
        + message.head_bytes("GET /2 HTTP/1.1", host)
        + message.head_bytes("POST /3 HTTP/1.1", host + [("transfer-encoding", "chunked")])
        + message.chunked(b"th", b"ree")
        + message.head_bytes("POST /4 HTTP/1.1", host + [("content-length", "0")])
        + message.head_bytes("GET /5 HTTP/1.1", host)
    )
    bodies = [client.read_response().body for _ in range(5)]
    assert bodies == [b"POST /1 one", b"GET /2 ", b"POST /3 three", b"POST /4 ", b"GET /5 "]


def test_requests_in_single_bytes(client, upstream):
    upstream.script = echo
    for byte in (b"GET /a HTTP/1.1\r\nHost: " + client.host.encode() + b"\r\n\r\n") * 2:
        client.send(bytes([byte]))
    assert client.read_response().body == b"GET /a "
    assert client.read_response().body == b"GET /a "


def test_nothing_after_close_is_executed(client, upstream):
    client.send(
        message.head_bytes("GET /last HTTP/1.1", [("host", client.host), ("connection", "close")])
        + message.head_bytes("GET /never HTTP/1.1", [("host", client.host)])
    )
    assert client.read_response().status == 200
    assert client.is_closed_by_peer()
    assert upstream.paths == ["/last"]


def test_nothing_after_a_bad_request_is_executed(client, upstream):
    client.send(
        message.head_bytes("GET /first HTTP/1.1", [("host", client.host)])
        + b"GET /bad HTTP/1.1\r\nHost : x\r\n\r\n"
        + message.head_bytes("GET /never HTTP/1.1", [("host", client.host)])
    )
    assert client.read_response().status == 200
    assert client.read_response().status == 400
    assert client.is_closed_by_peer()
    assert upstream.paths == ["/first"]


def test_blank_lines_between_requests_are_skipped(client, upstream):
    """RFC 9112 2.2."""
    head = message.head_bytes("GET / HTTP/1.1", [("host", client.host)])
    client.send(b"\r\n" + head + b"\r\n\r\n" + head)
    assert [client.read_response().status for _ in range(2)] == [200, 200]
    assert len(upstream.requests) == 2


def test_a_slow_answer_holds_back_the_next(client, upstream):
    """The second request reaches an upstream only after the first was answered: POSTs must not overtake."""
    order = []

    def script(peer, request):
        order.append(request.target)
        if request.target == "/slow":
            assert not upstream.wait_for(lambda: len(upstream.requests) > 1, seconds=0.3)
        peer.respond(body=request.target.encode())

    upstream.script = script
    for path in ("/slow", "/fast"):
        client.send_head("GET", path)
    assert [client.read_response().body for _ in range(2)] == [b"/slow", b"/fast"]
    assert order == ["/slow", "/fast"]

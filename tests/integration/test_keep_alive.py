"""Connections persist on both sides, and end when either side says so (RFC 9112 9.3)."""


def test_many_requests_on_one_connection(client, upstream):
    for index in range(200):
        response = client.request("GET", f"/{index}")
        assert (response.status, response.body) == (200, b"hello")
        assert response.get("connection") is None
    assert upstream.paths == [f"/{index}" for index in range(200)]


def test_one_upstream_connection_serves_one_client(client, upstream):
    for _ in range(50):
        assert client.request().status == 200
    assert len(upstream.connections) == 1


def test_upstream_connection_outlives_its_client(gateway, upstream):
    """New clients find the pooled connection; at most one per shard is opened."""
    for _ in range(10):
        with gateway.connect(upstream.host) as client:
            assert client.request().status == 200
    assert len(upstream.connections) <= 2


def test_client_asks_for_close(client):
    response = client.request("GET", "/", [("connection", "close")])
    assert response.status == 200
    assert response.get("connection") == "close"
    assert client.is_closed_by_peer()


def test_close_among_other_options_is_seen(client):
    response = client.request("GET", "/", [("connection", "foo, Close ,bar")])
    assert response.get("connection") == "close"
    assert client.is_closed_by_peer()


def test_client_close_does_not_close_the_upstream(gateway, upstream):
    for _ in range(6):
        with gateway.connect(upstream.host) as client:
            client.request("GET", "/", [("connection", "close")])
    assert all("connection" not in request for request in upstream.requests)
    assert len(upstream.connections) <= 2


def test_upstream_asks_for_close(client, upstream):
    """The client's connection is not concerned."""

    def script(peer, request):
        peer.read_body(request)
        peer.respond(headers=[("connection", "close")], body=b"bye")
        peer.close()

    upstream.script = script
    for _ in range(3):
        response = client.request()
        assert (response.status, response.body, response.get("connection")) == (200, b"bye", None)
    assert len(upstream.connections) == 3


def test_upstream_of_http_1_0_is_not_reused(client, upstream):
    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold")
        peer.wait_for_close()

    upstream.script = script
    for _ in range(3):
        response = client.request()
        assert (response.version, response.body) == ("HTTP/1.1", b"old")
    assert len(upstream.connections) == 3


def test_idle_connection_stays_open(client):
    assert client.request().status == 200
    assert client.stays_silent(1)
    assert client.request().status == 200


def test_response_with_more_than_its_length_is_not_the_next_response(client, upstream):
    """A response that is longer than it says must not become somebody else's next answer."""

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    upstream.script = script
    for _ in range(5):
        response = client.request()
        assert (response.status, response.body) == (200, b"ok")
    assert len(upstream.connections) == 5

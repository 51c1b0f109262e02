"""A pooled connection that the upstream closes just now: the keep-alive race.

A GET is tried once more on a new connection, and the client sees nothing of it. What may have been executed is not.
"""

import threading
import time

import pytest

from harness.upstream import in_turn


def answer(peer, request):
    peer.read_body(request)
    peer.respond(body=b"ok")


def close_on_request(peer, request):
    """The upstream had already decided to close when the request came: its bytes meet a dead connection."""
    peer.close()


def test_connection_closed_while_idle_is_not_used_again(client, upstream):
    upstream.script = answer
    for _ in range(5):
        assert client.request().body == b"ok"
        upstream.connections[-1].reset()
        time.sleep(0.05)
        assert client.request("POST", "/", body=b"content").body == b"ok"
        upstream.connections[-1].close()
        time.sleep(0.05)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "PUT"])
def test_idempotent_request_is_tried_once_more(client, upstream, method):
    upstream.script = in_turn(answer, close_on_request, answer)
    assert client.request().body == b"ok"
    response = client.request(method, "/again")
    assert response.status == 200
    assert upstream.paths == ["/", "/again", "/again"]
    assert len(upstream.connections) == 2


def test_post_whose_bytes_were_sent_is_not_tried_again(client, upstream):
    """At most once: 503 instead of a second order."""

    def read_and_close(peer, request):
        peer.read_body(request)
        peer.close()

    upstream.script = in_turn(answer, read_and_close, answer)
    assert client.request().body == b"ok"
    assert client.request("POST", "/order", body=b"one coffee").status == 503
    assert upstream.paths.count("/order") == 1
    assert client.request().body == b"ok"


def test_get_on_a_new_connection_is_not_tried_for_ever(client, upstream):
    """An upstream that always closes: a bounded number of attempts, then 503."""
    upstream.script = close_on_request
    assert client.request().status == 503
    assert len(upstream.requests) <= 4


def test_nothing_is_retried_after_the_response_has_begun(client, upstream):
    def half(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        time.sleep(0.05)
        peer.close()

    upstream.script = in_turn(answer, half, answer)
    assert client.request().body == b"ok"
    client.send_head("GET", "/half")
    assert b"half" in client.read_to_end()
    assert upstream.paths.count("/half") == 1


def test_upstream_with_a_short_idle_timeout_causes_no_error(gateway, upstream):
    """The race itself: the upstream closes each connection 20 ms after its last response, clients ask about then."""
    closers = []

    def script(peer, request):
        peer.read_body(request)
        peer.respond(body=b"ok")
        served = peer.request_count

        def close_if_idle():
            if peer.request_count == served and not peer.closed:
                peer.socket.shutdown(2)

        closers.append(threading.Timer(0.02, close_if_idle))
        closers[-1].start()

    upstream.script = script
    statuses = []

    def ask(offset):
        with gateway.connect(upstream.host) as client:
            for _ in range(60):
                statuses.append(client.request().status)
                time.sleep(offset)

    threads = [threading.Thread(target=ask, args=(0.0185 + index * 0.0005,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for closer in closers:
        closer.join()
    assert statuses == [200] * 360


def test_connection_goes_before_the_upstream_ends_it(client, upstream):
    """Keep-Alive says when that is: half a second before, no request can meet the end any more."""
    closed = threading.Event()

    def answer_and_tell(peer, request):
        peer.read_body(request)
        peer.respond(body=b"ok", headers=[("Keep-Alive", "timeout=1, max=100")])
        if peer.number == 0 and peer.wait_for_close() == b"":
            closed.set()

    upstream.script = answer_and_tell
    assert client.request().body == b"ok"
    assert closed.wait(5)
    assert client.request("POST", "/", body=b"content").body == b"ok"
    assert len(upstream.connections) == 2

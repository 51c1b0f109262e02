"""SIGTERM: what is in flight is answered, new connections are refused, and the process ends with 0, in bounded time."""

import signal
import threading
import time

import pytest

from harness import documents, websocket
from harness.documents import DOMAIN
from harness.gateway import is_listening, wait_until
from harness.websocket import WebSocket

APP = f"app.{DOMAIN}"


@pytest.fixture
def start(own_gateway, own_upstream):
    def make(drain_seconds=10, **options):
        return own_gateway(
            {"app.yaml": documents.routes("app", own_upstream.port)},
            drain_seconds=drain_seconds,
            concurrency=2,
            **options,
        )

    return make


def test_idle_gateway_ends_at_once(start):
    gateway = start(drain_seconds=30)
    begun = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_for_exit() == 0
    assert time.monotonic() - begun < 3


def test_interrupt_from_the_keyboard_ends_it_as_well(start):
    gateway = start()
    gateway.signal(signal.SIGINT)
    assert gateway.wait_for_exit() == 0


def test_idle_connections_are_closed_and_do_not_delay(start, tls):
    gateway = start(drain_seconds=30)
    clients = [gateway.connect(APP, tls=tls) for _ in range(10)]
    for client in clients:
        assert client.request().status == 200
    begun = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert all(client.is_closed_by_peer() for client in clients)
    assert gateway.wait_for_exit() == 0
    assert time.monotonic() - begun < 5


def test_connections_that_never_asked_do_not_delay(start, tls):
    gateway = start(drain_seconds=30)
    clients = [gateway.connect(APP, tls=tls) for _ in range(3)]
    begun = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_for_exit() == 0
    assert time.monotonic() - begun < 5
    for client in clients:
        client.close()


def test_request_in_flight_is_answered(start, own_upstream, tls):
    gateway = start()
    finish = []

    def script(peer, request):
        peer.read_body(request)
        assert own_upstream.wait_for(lambda: finish)
        peer.respond(body=b"late but here")

    own_upstream.script = script
    with gateway.connect(APP, tls=tls) as client:
        client.send_head()
        own_upstream.wait_for_requests(1)
        gateway.signal(signal.SIGTERM)
        assert wait_until(
            lambda: not is_listening(gateway.port(8080)) and not is_listening(gateway.port(443))
        ), "still accepting"
        assert gateway.process.poll() is None, "it ended with a request in flight"
        finish.append(True)
        response = client.read_response()
        assert (response.status, response.body) == (200, b"late but here")
        assert response.get("connection") == "close"
        assert client.is_closed_by_peer()
    assert gateway.wait_for_exit() == 0


def test_large_response_in_flight_is_finished(start, own_upstream):
    gateway = start()
    size = 32 * 1024 * 1024

    def script(peer, request):
        peer.read_body(request)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(512):
            peer.send(b"x" * 65536)

    own_upstream.script = script
    with gateway.connect(APP, receive_buffer=64 * 1024) as client:
        client.send_head()
        head = client.reader.read_head()
        client.reader.read_exactly(1000)
        gateway.signal(signal.SIGTERM)
        time.sleep(0.3)
        assert sum(len(piece) for piece in client.reader.iterate(size - 1000)) == size - 1000
        assert head.status == 200
    assert gateway.wait_for_exit() == 0


def test_upload_in_flight_is_finished(start, own_upstream):
    gateway = start()
    with gateway.connect(APP) as client:
        client.send_head("POST", "/", [("content-length", "10")])
        client.send(b"first")
        own_upstream.wait_for_requests(1)
        gateway.signal(signal.SIGTERM)
        time.sleep(0.3)
        client.send(b" last")
        assert client.read_response().status == 200
    assert own_upstream.requests[0].body == b"first last"
    assert gateway.wait_for_exit() == 0


def test_readiness_ends_with_the_signal(start, own_upstream):
    """A load balancer must see it before the process is gone."""
    gateway = start()
    own_upstream.script = lambda peer, request: peer.wait_for_close()
    with gateway.connect(APP) as client:
        client.send_head()
        own_upstream.wait_for_requests(1)
        assert gateway.status() == 200
        gateway.signal(signal.SIGTERM)
        assert wait_until(lambda: gateway.status() == 503)
    assert gateway.wait_for_exit() == 0


def test_drain_timeout_bounds_it(start, own_upstream):
    """A request that never ends is cut off; so is a WebSocket."""
    gateway = start(drain_seconds=1)
    own_upstream.script = lambda peer, request: (
        websocket.echo_script(peer, request) if "upgrade" in request else peer.wait_for_close()
    )
    with gateway.connect(APP) as client, gateway.connect(APP, tls=True) as socket_client:
        socket = WebSocket(socket_client)
        socket.echo(b"x")
        client.send_head()
        own_upstream.wait_for_requests(2)
        begun = time.monotonic()
        gateway.signal(signal.SIGTERM)
        time.sleep(0.3)
        socket.echo(b"still served while draining")
        assert gateway.wait_for_exit() == 0
        assert 0.5 < time.monotonic() - begun < 5


def test_second_signal_does_not_wait(start, own_upstream):
    """Whoever is impatient may insist; the end is still clean."""
    gateway = start(drain_seconds=60)
    own_upstream.script = lambda peer, request: peer.wait_for_close()
    with gateway.connect(APP) as client:
        client.send_head()
        own_upstream.wait_for_requests(1)
        begun = time.monotonic()
        gateway.signal(signal.SIGTERM)
        assert wait_until(lambda: gateway.status() == 503)
        gateway.signal(signal.SIGTERM)
        assert gateway.wait_for_exit() in (0, 1)
        assert time.monotonic() - begun < 10


def test_drain_under_load_loses_nothing(start, own_upstream):
    """Clients that reconnect see either an answer or a refused connection, never a cut one."""
    gateway = start()
    outcomes = []

    def keep_asking():
        client = gateway.connect(APP)
        while True:
            try:
                client.send_head()
                response = client.read_response()
            except ConnectionError:
                response = None
            if response is None:  # closed while idle: nothing was lost unless it had been read
                outcomes.append("closed")
                return
            outcomes.append(response.status)
            if response.get("connection") == "close":
                return

    threads = [threading.Thread(target=keep_asking) for _ in range(16)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    gateway.signal(signal.SIGTERM)
    for thread in threads:
        thread.join(20)
    assert gateway.wait_for_exit() == 0
    assert set(outcomes) <= {200, "closed"}
    assert outcomes.count(200) > 100
    assert outcomes.count("closed") <= 16
    answered = own_upstream.requests
    assert len(answered) == outcomes.count(200), "a request was executed and its answer lost"

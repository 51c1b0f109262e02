"""DestinationRule, connectionPool: how long connections to a destination last, and what each may carry."""

import concurrent.futures
import re
import subprocess
import threading
import time

import pytest

from harness import documents
from harness.documents import DOMAIN
from harness.gateway import wait_until
from harness.http2_upstream import Http2Upstream
from harness.limits import FACTOR, IO_SECONDS
from harness.raw import RawServer
from harness.upstream import Upstream

APP = f"app.{DOMAIN}"
SHORT = 0.4 * FACTOR  # seconds; what is longer must not have happened by then
TCP_PORT = 7000


def rule(**pool):
    spec = {"host": "app.upstream.test", "trafficPolicy": {"connectionPool": pool}}
    return documents.document("DestinationRule", "app", spec)


def seconds(value):
    return f"{value:.3f}s"


@pytest.fixture(name="start", params=["http1", "http2"])
def make_start(request, own_gateway):
    """start(pool) is (gateway, upstream) of either version, with one shard."""
    upstream = Upstream() if request.param == "http1" else Http2Upstream()
    upstream.serve()
    protocol = "HTTP" if request.param == "http1" else "HTTP2"

    def start(**pool):
        texts = {"app.yaml": documents.routes("app", upstream.port, protocol=protocol), "rule.yaml": rule(**pool)}
        return own_gateway(texts, concurrency=1), upstream

    yield start
    upstream.stop()


def ask(gateway, count=1):
    with gateway.connect(APP) as client:
        for _ in range(count):
            assert client.request().body == b"hello"


def has_ended(upstream, number):
    return wait_until(lambda: upstream.connections[number].closed)


# --- HTTP ---


def test_requests_that_a_connection_serves(start):
    gateway, upstream = start(http={"maxRequestsPerConnection": 3})
    ask(gateway, 9)
    assert len(upstream.connections) == 3
    assert has_ended(upstream, 0) and has_ended(upstream, 1)
    ask(gateway)
    assert len(upstream.connections) == 4


def test_each_request_has_a_connection_of_its_own(start):
    gateway, upstream = start(http={"maxRequestsPerConnection": 1})
    ask(gateway, 5)
    assert len(upstream.connections) == 5


def test_connection_without_requests_ends(start):
    gateway, upstream = start(http={"idleTimeout": seconds(SHORT)})
    ask(gateway, 3)
    assert len(upstream.connections) == 1
    assert has_ended(upstream, 0)
    ask(gateway)
    assert len(upstream.connections) == 2


def test_connection_lasts_so_long_though_it_is_used(start):
    gateway, upstream = start(tcp={"maxConnectionDuration": seconds(SHORT)})
    begun = time.monotonic()
    while len(upstream.connections) < 3:
        ask(gateway)
        assert time.monotonic() < begun + IO_SECONDS
    assert has_ended(upstream, 0) and has_ended(upstream, 1)
    assert time.monotonic() >= begun + 2 * SHORT


def test_reload_changes_what_holds_for_open_connections(start):
    gateway, upstream = start()
    ask(gateway)
    gateway.write("rule.yaml", rule(http={"maxRequestsPerConnection": 2}))
    gateway.reload()
    ask(gateway, 2)
    assert len(upstream.connections) == 2, "the second request was the last one"


# --- Signs of life ---


def test_upstream_that_answers_no_ping_is_given_up(own_gateway):
    """And what waits for it with it, long before any other limit."""
    upstream = Http2Upstream().serve(lambda stream: time.sleep(0))
    settings = {"http2KeepAlive": {"interval": seconds(SHORT), "timeout": seconds(SHORT)}}
    texts = {"app.yaml": documents.join(documents.routes("app", upstream.port, protocol="HTTP2"), rule(http=settings))}
    try:
        gateway = own_gateway(texts, concurrency=1)
        with gateway.connect(APP) as client:
            client.send_head()
            upstream.wait_for_requests(1)
            time.sleep(4 * SHORT)
            assert not upstream.http2_connections[0].closed, "it answers, and nothing else is due"
            upstream.http2_connections[0].serve_no_more()
            assert client.read_response().status == 503
        assert gateway.wait_for_access_line(" 503 UC ")
    finally:
        upstream.stop()


def test_keepalive_probes_of_tcp(start):
    gateway, upstream = start(tcp={"tcpKeepalive": {"probes": 3, "time": "77s", "interval": "5s"}})
    ask(gateway)
    shown = subprocess.run(
        ["ss", "-tnoH", "state", "established", f"dst 127.0.0.1:{upstream.port}"], capture_output=True, text=True, check=True
    ).stdout
    left = re.search(r"timer:\(keepalive,1min(\d+)sec,0\)", shown)
    assert left and int(left.group(1)) <= 17, shown


# --- Retries ---


def test_retries_at_a_time(own_gateway):
    go_on = threading.Event()
    seen = []

    def fail_once(peer, request):
        peer.read_body(request)
        path = request.start_line.split()[1]
        seen.append(path)
        if seen.count(path) == 1:
            peer.respond(503, body=b"not now")
        else:
            go_on.wait(IO_SECONDS)
            peer.respond(body=b"done")

    upstream = Upstream().serve(fail_once)
    route = {
        "route": [{"destination": {"host": "app.upstream.test", "port": {"number": 80}}}],
        "retries": {"attempts": 3, "retryOn": "5xx"},
    }
    spec = {"hosts": [APP], "gateways": [documents.GATEWAY, documents.PLAIN_GATEWAY], "http": [route]}
    texts = {
        "app.yaml": documents.join(
            documents.service_entry("app", upstream.port),
            documents.document("VirtualService", "app", spec),
            rule(http={"maxRetries": 1}),
        )
    }
    try:
        gateway = own_gateway(texts, concurrency=2)

        def ask_for(number):
            with gateway.connect(APP) as client:
                return client.request("GET", f"/{number}")

        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            asked = [pool.submit(ask_for, number) for number in range(5)]
            assert wait_until(lambda: len(seen) == 6 and sum(one.done() for one in asked) == 4)
            refused = [one.result() for one in asked if one.done()]
            assert {(one.status, one.body) for one in refused} == {(503, b"not now")}, "what the destination said"
            go_on.set()
            assert sorted(one.result().status for one in asked) == [200, 503, 503, 503, 503]
        assert gateway.wait_for_access_line(" 503 UO ")
        assert ask_for("again").status == 200, "there is room again"
    finally:
        go_on.set()
        upstream.stop()


# --- Connections that are not HTTP ---


def echo(connection):
    while data := connection.recv(4096):
        connection.sendall(data)


@pytest.fixture(name="tunnel")
def make_tunnel(own_gateway):
    """tunnel(pool) is (gateway, socket to an echo)."""
    server = RawServer(echo)
    clients = []

    def start(**pool):
        spec = {"hosts": ["*"], "gateways": ["kyma-system/tcp"], "tcp": [documents.connection_route("app", {"port": TCP_PORT}, TCP_PORT)]}
        texts = {
            "tcp.yaml": documents.join(
                documents.gateway("tcp", documents.server(TCP_PORT, "TCP", ["*"])),
                documents.tcp_service_entry("app", server.port, TCP_PORT),
                documents.document("VirtualService", "tcp", spec),
                rule(tcp=pool),
            )
        }
        gateway = own_gateway(texts, service_ports=[TCP_PORT], concurrency=1)
        clients.append(gateway.connect(APP, number=TCP_PORT))
        return gateway, clients[-1].socket

    yield start
    for client in clients:
        client.close()
    server.stop()


def ends(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_silent_tunnel_ends(tunnel):
    gateway, connection = tunnel(idleTimeout=seconds(SHORT))
    begun = time.monotonic()
    while time.monotonic() < begun + 3 * SHORT:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x", "it is not silent"
        time.sleep(SHORT / 8)
    assert ends(connection)
    assert gateway.wait_for_access_line(" SI tcp_session_idle_timeout ")


def test_tunnel_lasts_so_long_though_it_is_used(tunnel):
    gateway, connection = tunnel(maxConnectionDuration=seconds(2 * SHORT))
    begun = time.monotonic()
    with pytest.raises((ConnectionResetError, BrokenPipeError, EOFError)):
        while time.monotonic() < begun + IO_SECONDS:
            connection.sendall(b"x")
            if connection.recv(1) == b"":
                raise EOFError
    assert time.monotonic() >= begun + 2 * SHORT - 0.1
    assert gateway.wait_for_access_line(" DT max_connection_duration ")

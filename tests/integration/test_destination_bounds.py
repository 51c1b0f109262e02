"""DestinationRule, connectionPool: what a destination may be given to do at a time, by all shards together."""

import concurrent.futures
import threading

import pytest

from harness import documents
from harness.documents import DOMAIN
from harness.gateway import wait_until
from harness.http2_client import Http2Client
from harness.http2_upstream import Http2Upstream
from harness.upstream import Upstream

APP, OTHER = f"app.{DOMAIN}", f"other.{DOMAIN}"
REQUESTS = 40
SHARDS = 2


class Held:
    """Answers once it is told to."""

    def __init__(self):
        self.go_on = threading.Event()
        self.upstream = Upstream().serve(self.answer)

    def answer(self, peer, request):
        peer.read_body(request)
        self.go_on.wait(30)
        peer.respond(body=b"done")


@pytest.fixture(name="held")
def make_held():
    made = Held()
    yield made
    made.go_on.set()
    made.upstream.stop()


def rule(name, settings, tcp=None):
    spec = {"host": f"{name}.upstream.test", "trafficPolicy": {"connectionPool": {"http": settings, "tcp": tcp or {}}}}
    return documents.document("DestinationRule", name, spec)


@pytest.fixture(name="start")
def make_start(own_gateway, held):
    def start(settings, tcp=None, port=None):
        texts = {
            "app.yaml": documents.routes("app", port or held.upstream.port),
            "rule.yaml": rule("app", settings, tcp),
            "other.yaml": documents.routes("other", held.upstream.port),
        }
        return own_gateway(texts, concurrency=SHARDS)

    return start


def ask(gateway, host=APP):
    with gateway.connect(host) as client:
        return client.request()


def burst(gateway, pool, count=REQUESTS):
    return [pool.submit(ask, gateway) for _ in range(count)]


def statuses_of(asked):
    return sorted(one.result().status for one in asked)


def test_requests_at_a_time(start, held):
    """On two shards; the destination sees no more, and everybody else is told at once."""
    gateway = start({"http2MaxRequests": 3})
    with concurrent.futures.ThreadPoolExecutor(REQUESTS) as pool:
        asked = burst(gateway, pool)
        assert wait_until(lambda: sum(one.done() for one in asked) == REQUESTS - 3)
        assert len(held.upstream.requests) == 3
        refused = next(one.result() for one in asked if one.done() and one.result().status == 503)
        held.go_on.set()
        assert statuses_of(asked) == [200] * 3 + [503] * (REQUESTS - 3)
    assert refused.get("x-envoy-overloaded") == "true"
    assert refused.body == b"upstream connect error or disconnect/reset before headers. reset reason: overflow"
    line = gateway.wait_for_access_line(" UO ")
    assert " 503 UO upstream_reset_before_response_started{overflow} " in line
    assert ask(gateway).status == 200, "there is room again"


def test_other_destinations_are_not_bounded(start, held):
    gateway = start({"http2MaxRequests": 1})
    held.go_on.set()
    with concurrent.futures.ThreadPoolExecutor(REQUESTS) as pool:
        asked = [pool.submit(ask, gateway, OTHER) for _ in range(REQUESTS)]
        assert statuses_of(asked) == [200] * REQUESTS


def test_requests_of_http2_count(start, held):
    gateway = start({"http2MaxRequests": 2})
    with Http2Client(gateway.port(8080), APP) as client:
        streams = [client.open() for _ in range(5)]
        client.wait_for(lambda: sum(stream.is_complete for stream in streams) == 3)
        held.go_on.set()
        assert sorted(client.read_response(stream).status for stream in streams) == [200, 200, 503, 503, 503]


def test_bound_outlives_a_reload(start, held):
    gateway = start({"http2MaxRequests": 1})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, gateway)
        assert wait_until(lambda: len(held.upstream.requests) == 1)
        gateway.write("more.yaml", documents.routes("more", held.upstream.port))
        gateway.reload()
        assert ask(gateway).status == 503
        held.go_on.set()
        assert first.result().status == 200
    assert ask(gateway).status == 200


def test_clients_that_leave_make_room(start, held):
    gateway = start({"http2MaxRequests": 1})
    with gateway.connect(APP) as client:
        client.send_head()
        assert wait_until(lambda: len(held.upstream.requests) == 1)
        assert ask(gateway).status == 503
        client.reset()
    held.go_on.set()
    assert wait_until(lambda: ask(gateway).status == 200)


# --- connections ---

MOST = 3
# A shard that has none may always have one.
MOST_OF_ALL = MOST + SHARDS - 1


def test_connections_at_a_time(start, held):
    """A burst: all are served, one after another."""
    gateway = start({}, {"maxConnections": MOST})
    with concurrent.futures.ThreadPoolExecutor(REQUESTS) as pool:
        asked = burst(gateway, pool)
        assert wait_until(lambda: len(held.upstream.requests) >= MOST)
        assert not wait_until(lambda: len(held.upstream.open_connections) > MOST_OF_ALL, 0.5)
        held.go_on.set()
        assert statuses_of(asked) == [200] * REQUESTS
    assert len(held.upstream.connections) < REQUESTS, "they are used again"
    assert ask(gateway, OTHER).status == 200


def test_connections_that_are_not_used_again(start, held):
    """Each that ends makes room for the next one."""
    held.go_on.set()
    gateway = start({"maxRequestsPerConnection": 1}, {"maxConnections": 1})
    with concurrent.futures.ThreadPoolExecutor(REQUESTS) as pool:
        assert statuses_of(burst(gateway, pool)) == [200] * REQUESTS
    assert len(held.upstream.connections) == REQUESTS


def test_line_for_connections_is_bounded(start, held):
    gateway = start({"http1MaxPendingRequests": 5}, {"maxConnections": MOST})
    with concurrent.futures.ThreadPoolExecutor(REQUESTS) as pool:
        asked = burst(gateway, pool)
        least = REQUESTS - MOST_OF_ALL - 5
        assert wait_until(lambda: sum(one.done() for one in asked) >= least)
        held.go_on.set()
        statuses = statuses_of(asked)
        assert statuses.count(503) >= least
        assert set(statuses) == {200, 503}
    gateway.wait_for_access_line(" 503 UO ")


def test_line_for_connections_has_an_end(start, held):
    """Who has waited as long as connecting may take is told."""
    gateway = start({}, {"maxConnections": 1, "connectTimeout": "1s"})
    with concurrent.futures.ThreadPoolExecutor(REQUESTS) as pool:
        asked = burst(gateway, pool)
        assert wait_until(lambda: sum(one.done() for one in asked) >= REQUESTS - SHARDS)
        held.go_on.set()
        statuses = statuses_of(asked)
    assert statuses.count(503) >= REQUESTS - SHARDS
    assert statuses.count(200) >= 1
    assert ask(gateway).status == 200


def test_clients_that_leave_the_line(start, held):
    gateway = start({}, {"maxConnections": 1})
    clients = [gateway.connect(APP) for _ in range(REQUESTS)]
    for client in clients:
        client.send_head()
    assert wait_until(lambda: held.upstream.requests)
    for client in clients:
        client.reset()
    held.go_on.set()
    assert ask(gateway).status == 200


def clients_by_shard(gateway, least):
    """At least so many of each."""
    def counts():
        return {labels["shard"]: value for _, labels, value in gateway.metrics("sluice_downstream_connections_active")}

    clients = {shard: [] for shard in counts()}
    while min(map(len, clients.values())) < least:
        before = counts()
        client = gateway.connect(APP)
        assert wait_until(lambda: sum(counts().values()) == sum(before.values()) + 1)
        after = counts()
        clients[next(shard for shard in after if after[shard] > before[shard])].append(client)
    return list(clients.values())


def test_connections_that_are_idle_make_room_for_another_shard(start, held):
    """One shard has all of them and nothing to do; the other one has a line, and need not stay with the one it gets."""
    gateway = start({}, {"maxConnections": MOST})
    first, second = clients_by_shard(gateway, MOST)
    with concurrent.futures.ThreadPoolExecutor(2 * MOST) as pool:
        for clients, seen in ((first[:MOST], MOST), (second[:MOST], 2 * MOST)):
            held.go_on.clear()
            asked = [pool.submit(client.request) for client in clients]
            assert wait_until(lambda: len(held.upstream.requests) == seen)  # pylint: disable=cell-var-from-loop
            assert wait_until(lambda: len(held.upstream.open_connections) <= MOST_OF_ALL)
            held.go_on.set()
            assert statuses_of(asked) == [200] * MOST
    for client in first + second:
        client.close()


def test_connections_of_http2(start):
    """Their streams are what is waited for."""
    go_on = threading.Event()
    streams_at_a_time = 2

    def answer(stream):
        go_on.wait(30)
        stream.respond(body=b"done")

    upstream = Http2Upstream().serve(answer)
    try:
        settings = {"h2UpgradePolicy": "UPGRADE", "maxConcurrentStreams": streams_at_a_time}
        gateway = start(settings, {"maxConnections": MOST}, upstream.port)
        with concurrent.futures.ThreadPoolExecutor(REQUESTS) as pool:
            asked = burst(gateway, pool)
            assert wait_until(lambda: len(upstream.requests) >= MOST * streams_at_a_time)
            assert not wait_until(lambda: len(upstream.open_connections) > MOST_OF_ALL, 0.5)
            go_on.set()
            assert statuses_of(asked) == [200] * REQUESTS
        assert len(upstream.connections) < REQUESTS // streams_at_a_time
    finally:
        go_on.set()
        upstream.stop()


def test_bound_of_connections_that_is_lifted(start, held):
    """Who is in line hears of it."""
    gateway = start({}, {"maxConnections": 1})
    with concurrent.futures.ThreadPoolExecutor(REQUESTS) as pool:
        asked = burst(gateway, pool)
        assert wait_until(lambda: held.upstream.requests)
        gateway.write("rule.yaml", rule("app", {}))
        gateway.reload()
        assert wait_until(lambda: len(held.upstream.requests) == REQUESTS)
        held.go_on.set()
        assert statuses_of(asked) == [200] * REQUESTS

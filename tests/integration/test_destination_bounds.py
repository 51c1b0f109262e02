"""DestinationRule, connectionPool.http: what a destination may be given to do at a time, by all shards together."""

import concurrent.futures
import threading

import pytest

from harness import documents
from harness.documents import DOMAIN
from harness.gateway import wait_until
from harness.http2_client import Http2Client
from harness.upstream import Upstream

APP, OTHER = f"app.{DOMAIN}", f"other.{DOMAIN}"
REQUESTS = 40


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


def rule(name, settings):
    spec = {"host": f"{name}.upstream.test", "trafficPolicy": {"connectionPool": {"http": settings}}}
    return documents.document("DestinationRule", name, spec)


@pytest.fixture(name="start")
def make_start(own_gateway, held):
    def start(settings):
        texts = {
            "app.yaml": documents.routes("app", held.upstream.port),
            "rule.yaml": rule("app", settings),
            "other.yaml": documents.routes("other", held.upstream.port),
        }
        return own_gateway(texts, concurrency=2)

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

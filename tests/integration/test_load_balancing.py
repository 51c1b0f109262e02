"""Three endpoints, one of them ten times slower: what the choice between endpoints makes of it."""

import contextlib
import concurrent.futures
import threading
import time

import pytest

from harness import documents
from harness.documents import DOMAIN
from harness.upstream import Upstream

FAST_SECONDS, SLOW_SECONDS = 0.004, 0.04
CLIENTS, REQUESTS_EACH = 12, 50


class Serial:
    """Answers one request after the other, each after so long: those that come meanwhile wait."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.turn = threading.Lock()
        self.upstream = Upstream().serve(self.answer)

    def answer(self, peer, request):
        peer.read_body(request)
        with self.turn:
            time.sleep(self.seconds)
        peer.respond(body=b"done")


def ask_again_and_again(gateway, host):
    durations = []
    with gateway.connect(f"{host}.{DOMAIN}") as client:
        for _ in range(REQUESTS_EACH):
            begun = time.monotonic()
            assert client.request().status == 200
            durations.append(time.monotonic() - begun)
    return durations


def p99(durations):
    return sorted(durations)[len(durations) * 99 // 100]


@pytest.fixture(name="measure")
def make_measure(own_gateway):
    """measure(policy): how long requests took, and which share the slow endpoint has got."""
    with contextlib.ExitStack() as stack:
        servers = {}
        texts = {}
        for policy in ("ROUND_ROBIN", "LEAST_REQUEST", "RANDOM"):
            servers[policy] = [Serial(seconds) for seconds in (FAST_SECONDS, FAST_SECONDS, SLOW_SECONDS)]
            for server in servers[policy]:
                stack.callback(server.upstream.stop)
            name = policy.lower().replace("_", "-")
            texts[f"{name}.yaml"] = documents.join(
                documents.service_entry(name, *[server.upstream.port for server in servers[policy]]),
                documents.virtual_service(name, [f"{name}.{DOMAIN}"], name),
                documents.document(
                    "DestinationRule",
                    name,
                    {"host": f"{name}.upstream.test", "trafficPolicy": {"loadBalancer": {"simple": policy}}},
                ),
            )
        gateway = own_gateway(texts, concurrency=2)

        def measure(policy):
            host = policy.lower().replace("_", "-")
            with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                asked = [pool.submit(ask_again_and_again, gateway, host) for _ in range(CLIENTS)]
                durations = [duration for one in asked for duration in one.result()]
            counts = [len(server.upstream.requests) for server in servers[policy]]
            assert sum(counts) == CLIENTS * REQUESTS_EACH
            return durations, counts[-1] / sum(counts)

        yield measure


def test_least_request_spares_the_slow_endpoint(measure):
    """Round robin sends a third of the requests where they wait; two choices send few, and the slowest ones wait less."""
    in_turn, share_in_turn = measure("ROUND_ROBIN")
    spared, share_spared = measure("LEAST_REQUEST")
    print(f"p99: round robin {p99(in_turn):.3f} s, least request {p99(spared):.3f} s; "
          f"share of the slow one: {share_in_turn:.2f}, {share_spared:.2f}")
    assert share_in_turn == pytest.approx(1 / 3, abs=0.01)
    assert share_spared < 0.2
    assert p99(spared) < p99(in_turn)


def test_random_is_no_better_than_chance(measure):
    _, share = measure("RANDOM")
    assert share == pytest.approx(1 / 3, abs=0.1)

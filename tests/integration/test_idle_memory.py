"""What an idle connection costs, and what is left of many when they have gone. scripts/bench measures it precisely."""

import concurrent.futures
import resource
import time

import pytest

from harness import documents
from harness.gateway import is_sanitized, wait_until

HOST = f"idle.{documents.DOMAIN}"
CLIENTS_AT_A_TIME = 64
REST_SECONDS = 5  # memory that was not needed for two or three seconds goes back


@pytest.fixture
def idle_gateway(own_gateway, own_upstream):
    if is_sanitized():
        pytest.skip("a sanitizer has the heap: its memory says nothing of ours")
    # Without the buffer of the access log, which fills once and stays.
    return own_gateway({"idle.yaml": documents.routes("idle", own_upstream.port)}, access_log=False)


@pytest.fixture
def many_descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 16384:
        pytest.skip("the hard limit of descriptors allows no thousands of connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def open_one(gateway, tls):
    client = gateway.connect(HOST, tls=tls)
    assert client.request().status == 200
    return client


def open_many(gateway, tls, count):
    """They come as a rush does, many at a time."""
    with concurrent.futures.ThreadPoolExecutor(CLIENTS_AT_A_TIME) as pool:
        return list(pool.map(lambda _: open_one(gateway, tls), range(count)))


def close_all(clients):
    for client in clients:
        client.close()


def memory(gateway):
    return gateway.memory_bytes("RssAnon")


def is_back(gateway, before):
    """Within a tenth, but for the upstream connections that were needed at a time, and the pools' smallest sizes."""
    return memory(gateway) < before * 1.1 + 256 * 1024


@pytest.mark.slow
def test_idle_connections_cost_little_and_leave_nothing_behind(idle_gateway, many_descriptors, tls):
    count = 1000
    open_one(idle_gateway, tls).close()
    time.sleep(REST_SECONDS)
    before = memory(idle_gateway)
    clients = open_many(idle_gateway, tls, count)
    time.sleep(REST_SECONDS)  # in which the clients are silent: what their requests and handshakes needed goes
    each = (memory(idle_gateway) - before) / count
    close_all(clients)
    assert each < (6 if tls else 0.8) * 1024, f"{each:.0f} bytes for each idle connection"
    assert wait_until(lambda: is_back(idle_gateway, before), seconds=15), f"{before} before, {memory(idle_gateway)} after"


@pytest.mark.slow
def test_memory_of_one_spike_after_the_other_goes_back(idle_gateway, many_descriptors, tls):
    open_one(idle_gateway, tls).close()
    time.sleep(REST_SECONDS)
    before = memory(idle_gateway)
    for _ in range(2):
        clients = open_many(idle_gateway, tls, 3000)
        assert memory(idle_gateway) > before * 1.5, "or it was no spike"
        close_all(clients)
        assert wait_until(lambda: is_back(idle_gateway, before), seconds=20), (
            f"{before} before, {memory(idle_gateway)} after"
        )

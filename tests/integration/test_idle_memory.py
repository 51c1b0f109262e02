"""What an idle connection costs, and what is left of many when they have gone. bench/e2e/memory.py measures it precisely."""

import time

import pytest

from harness import documents
from harness.gateway import is_sanitized, wait_until

HOST = f"idle.{documents.DOMAIN}"
CONNECTIONS = 500
TIDY_SECONDS = 2.5  # memory that was not needed for a second or two goes back


@pytest.fixture
def idle_gateway(own_gateway, own_upstream):
    if is_sanitized():
        pytest.skip("a sanitizer has the heap: its memory says nothing of ours")
    return own_gateway({"idle.yaml": documents.routes("idle", own_upstream.port)})


def connect_many(gateway, tls):
    clients = [gateway.connect(HOST, tls=tls) for _ in range(CONNECTIONS)]
    for client in clients:
        assert client.request().status == 200
    time.sleep(TIDY_SECONDS)
    return clients


@pytest.mark.slow
def test_idle_connections_cost_little_and_leave_nothing_behind(idle_gateway, tls):
    def memory():
        return idle_gateway.memory_bytes("RssAnon")

    with idle_gateway.connect(HOST, tls=tls) as client:
        client.request()
    time.sleep(TIDY_SECONDS)
    before = memory()
    clients = connect_many(idle_gateway, tls)
    each = (memory() - before) / CONNECTIONS
    for client in clients:
        client.close()
    assert each < (10 if tls else 1.5) * 1024, f"{each:.0f} bytes for each idle connection"
    # The upstream connections that were needed at a time, and what the heap cannot give back, in pages of 64 KiB.
    assert wait_until(lambda: memory() < before * 1.1 + 256 * 1024, seconds=15), f"{before} before, {memory()} after"

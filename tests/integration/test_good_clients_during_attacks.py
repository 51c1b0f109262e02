"""While somebody attacks, whoever behaves is served, hardly later than before; afterwards nothing is left of it.

The bound of the 99th percentile is generous: attacker, gateway, upstream and client share the machine.
"""

import contextlib
import pathlib
import subprocess
import sys
import time

import pytest

from harness import documents
from harness.gateway import Gateway, is_sanitized, wait_until
from harness.limits import FACTOR, IO_SECONDS, MIB

HOST = f"app.{documents.DOMAIN}"
REQUESTS = 300
LATE_SECONDS = 0.25 * FACTOR
LATE_FACTOR = 20  # times what it takes in quiet
GROWTH_MAX = 24 * MIB  # that stays: pools, and what the heap keeps
DESCRIPTORS_MAX = 2 * 16 + 16  # that stay: of 16 idle pipes (limits::idle_pipes_max), and some more
RETURN_SECONDS = 20 * FACTOR

# name: how many connections at a time
ATTACKS = {
    "rapid_reset": 16,
    "hpack_bombs": 4,
    "continuations": 4,
    "settings_frames": 4,
    "pings": 4,
    "empty_data": 4,
    "zero_windows": 16,
    "slow_heads": 200,
    "slow_bodies": 100,
    "slow_readers": 50,
    "idle_handshakes": 400,
    "connections": 4,
}


class Attack:
    """harness/attacker.py as a process."""

    def __init__(self, gateway, name):
        command = [sys.executable, "-m", "harness.attacker", name, ATTACKS[name]]
        self.process = subprocess.Popen(
            [str(word) for word in [*command, gateway.port(8080), gateway.port(443), HOST]],
            cwd=pathlib.Path(__file__).parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        assert self.process.stdout.readline() == "begun\n"
        return self

    def end(self):
        """How many attempts there were."""
        output, _ = self.process.communicate(timeout=IO_SECONDS)
        return int(output)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(IO_SECONDS)


class GoodClients:
    """Kept connections of each kind, and from time to time a new one. `late` is the 99th percentile of ask()."""

    def __init__(self, gateway, stack):
        self.gateway = gateway
        self.kept = [stack.enter_context(gateway.connect(HOST, tls=tls)) for tls in (False, True)]
        self.kept += [stack.enter_context(gateway.connect_http2(HOST, tls=tls)) for tls in (False, True)]

    def ask(self, count):
        times = []
        for index in range(count):
            started = time.monotonic()
            if index % 10 == 0:
                with self.gateway.connect(HOST, tls=index % 20 == 0) as client:
                    response = client.request("GET", "/bytes/1000")
            else:
                response = self.kept[index % len(self.kept)].request("GET", "/bytes/1000")
            times.append(time.monotonic() - started)
            assert (response.status, len(response.body)) == (200, 1000), f"request {index}"
            time.sleep(0.002)
        return sorted(times)[count * 99 // 100]


@pytest.fixture(name="gateway", scope="module")
def start_gateway(tmp_path_factory, certificate, sample_upstream):
    texts = documents.kyma_texts(certificate) | {"app.yaml": documents.routes("app", sample_upstream)}
    # Without the buffer of the access log, which fills once and stays.
    with Gateway(tmp_path_factory.mktemp("attacked"), texts, access_log=False) as gateway:
        yield gateway


def memory(gateway):
    return gateway.memory_bytes("RssAnon")


def descriptor_count(gateway):
    """But for the pool's connections, which may stay."""
    return len(gateway.descriptors()) - int(gateway.metric("sluice_upstream_connections_active"))


def is_quiet(gateway):
    return gateway.metric("sluice_downstream_connections_active") == 0 and gateway.metric("sluice_requests_active") == 0


@pytest.mark.parametrize("name", ATTACKS)
def test_good_clients_during(gateway, name):
    assert wait_until(lambda: is_quiet(gateway))
    with contextlib.ExitStack() as stack:
        clients = GoodClients(gateway, stack)
        quiet = clients.ask(REQUESTS // 3)
        memory_before, descriptors_before = memory(gateway), descriptor_count(gateway) - len(clients.kept)
        with Attack(gateway, name) as attack:
            time.sleep(0.3)
            late = clients.ask(REQUESTS)
            peak = memory(gateway)
            attempts = attack.end()
        print(f"{name}: {quiet * 1000:.1f} ms, {late * 1000:.1f} ms, {attempts} attempts, {peak - memory_before} bytes")
        assert attempts >= ATTACKS[name], "or it was no attack"
        assert late <= max(LATE_SECONDS, LATE_FACTOR * quiet)
        clients.ask(20)
    assert wait_until(lambda: is_quiet(gateway), RETURN_SECONDS), "connections stay"
    may_stay = descriptors_before + DESCRIPTORS_MAX
    assert wait_until(lambda: descriptor_count(gateway) <= may_stay, RETURN_SECONDS), gateway.descriptors()
    if not is_sanitized():
        assert wait_until(lambda: memory(gateway) - memory_before < GROWTH_MAX, RETURN_SECONDS), (
            f"{memory_before} bytes before, {memory(gateway)} after"
        )
    gateway.check_health()

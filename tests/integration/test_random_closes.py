"""Upstreams that end connections at random 0 to 50 ms after an answer: the keep-alive race, under load.

What is promised (docs/life_of_a_request.md, proxy/retries.cc): a request that lost its connection before a byte of the
response came is tried once more, on a new one, when nothing of it was sent or its method is idempotent; and up to three
times when an upstream of HTTP/2 has certainly not looked at it (GOAWAY), unless content was sent that nobody has kept.
So a GET never fails, nor does a POST without content to an upstream of HTTP/2. Every other POST is executed at most
once, and ends with 503 only when it was not executed at all.

With SLUICE_FULL=1 a million GETs to upstreams of HTTP/1, and 100 000 of everything else. SLUICE_SEED repeats a run, as
far as the timing allows.
"""

import asyncio
import collections
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import pytest

from harness import documents, ports
from harness.limits import FACTOR, FULL, IO_SECONDS

SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
HOST = f"app.{documents.DOMAIN}"
GETS, POSTS = (100_000, 100_000) if FULL else (2_000, 1_000)
CLIENTS = 24
LONGEST_PAUSE_SECONDS = 0.02
ENDPOINTS = 3
SCRIPT = pathlib.Path(__file__).parent / "harness" / "closing_upstream.py"


class ClosingUpstream:
    """harness/closing_upstream.py as a process."""

    def __init__(self, version):
        command = [sys.executable, SCRIPT, version, str(SEED), str(ENDPOINTS)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = json.loads(self.process.stdout.readline())

    def end(self):
        """What it has seen."""
        output, _ = self.process.communicate(timeout=IO_SECONDS)
        assert self.process.returncode == 0
        return json.loads(output)


@pytest.fixture(name="version", params=["http1", "http2"])
def of_upstream(request):
    return request.param


@pytest.fixture(name="upstream")
def start_upstream(version):
    upstream = ClosingUpstream(version)
    yield upstream
    if upstream.process.poll() is None:
        upstream.process.kill()
    upstream.process.wait(IO_SECONDS)


@pytest.fixture(name="port")
def start_gateway(version, upstream, own_gateway):
    entry = documents.service_entry("app", *upstream.ports, protocol={"http1": "HTTP", "http2": "HTTP2"}[version])
    routes = documents.join(entry, documents.virtual_service("app", [HOST], "app"))
    return own_gateway({"app.yaml": routes}, access_log=False).port(8080)


class Load:
    """Clients that ask over kept connections, with pauses at random. `outcomes`: of each id its status."""

    def __init__(self, port, method, content=b""):
        self.port = port
        self.method = method
        self.content = content
        self.outcomes = {}
        self.random = random.Random(SEED)

    def run(self, count):
        asyncio.run(asyncio.wait_for(self._run(count), 600 * FACTOR))
        return self.outcomes

    async def _run(self, count):
        identities = iter(range(count))
        await asyncio.gather(*(self._ask(identities) for _ in range(CLIENTS)))

    async def _ask(self, identities):
        reader, writer = await asyncio.open_connection(ports.LOOPBACK, self.port)
        for identity in identities:
            framing = f"content-length: {len(self.content)}\r\n" if self.method == "POST" else ""
            head = f"{self.method} / HTTP/1.1\r\nhost: {HOST}\r\nx-id: {identity}\r\n{framing}\r\n"
            writer.write(head.encode() + self.content)
            status, body = await self._read(reader)
            assert status != 200 or body == str(identity).encode(), "the response of another request"
            self.outcomes[identity] = status
            await asyncio.sleep(self.random.uniform(0, LONGEST_PAUSE_SECONDS))
        writer.close()

    @staticmethod
    async def _read(reader):
        head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head[1:] if line)
        assert fields.get(b"connection") != b"close", head
        return int(head[0].split(b" ")[1]), await reader.readexactly(int(fields[b"content-length"]))


def check_executions(outcomes, seen):
    """200 is exactly once, 503 not at all."""
    executed = {int(identity): count for identity, count in seen["executed"].items()}
    assert set(outcomes.values()) <= {200, 503}, f"SLUICE_SEED={SEED}"
    wrong = {
        identity: (status, executed.get(identity, 0))
        for identity, status in outcomes.items()
        if executed.get(identity, 0) != {200: 1, 503: 0}[status]
    }
    assert not wrong, f"status and executions by id, SLUICE_SEED={SEED}"


def check_that_it_was_a_race(seen, count):
    print(f"SLUICE_SEED={SEED}: {seen['connections']} connections, {seen['closed']} ended by the upstream")
    assert seen["closed"] > count / 100


def test_gets_never_fail(port, upstream):
    outcomes = Load(port, "GET").run(GETS)
    seen = upstream.end()
    assert collections.Counter(outcomes.values()) == {200: GETS}, f"SLUICE_SEED={SEED}"
    check_that_it_was_a_race(seen, GETS)


def test_posts_are_executed_at_most_once(port, upstream):
    outcomes = Load(port, "POST", b"content").run(POSTS)
    seen = upstream.end()
    check_executions(outcomes, seen)
    assert sum(status == 200 for status in outcomes.values()) > POSTS / 2
    check_that_it_was_a_race(seen, POSTS)


def test_posts_without_content_are_executed_at_most_once(port, upstream, version):
    outcomes = Load(port, "POST").run(POSTS)
    seen = upstream.end()
    check_executions(outcomes, seen)
    if version == "http2":
        assert set(outcomes.values()) == {200}, f"SLUICE_SEED={SEED}"
    check_that_it_was_a_race(seen, POSTS)


@pytest.mark.skipif(not FULL, reason="takes minutes: SLUICE_FULL=1")
@pytest.mark.skipif(not shutil.which("h2load"), reason="h2load is not installed")
def test_a_million_gets(port, upstream, version):
    """As fast as it goes: connections are hardly ever idle, and end all the same."""
    count = 1_000_000 if version == "http1" else 100_000
    command = ["h2load", "--h1", f"-n{count}", f"-c{CLIENTS}", f"--connect-to={ports.LOOPBACK}:{port}"]
    result = subprocess.run(
        [*command, f"http://{HOST}:{port}/"], capture_output=True, text=True, timeout=1800 * FACTOR, check=False
    )
    assert result.returncode == 0, result.stderr
    seen = upstream.end()
    done = f"{count} total, {count} started, {count} done, {count} succeeded, 0 failed, 0 errored, 0 timeout"
    assert done in result.stdout, f"SLUICE_SEED={SEED}\n{result.stdout}"
    check_that_it_was_a_race(seen, count)

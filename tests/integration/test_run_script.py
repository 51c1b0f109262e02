"""scripts/run, the first command of the README: builds, serves the example, and ends by Ctrl-C."""

import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import ports
from harness.limits import FACTOR, START_SECONDS, STOP_SECONDS

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD_SECONDS = 900
FIXED_PORTS = (8443, 8080, 9000, 15021, 15000)


def is_taken(port):
    with socket.socket() as probe:
        return probe.connect_ex((ports.LOOPBACK, port)) == 0


@pytest.fixture(autouse=True)
def fixed_ports():
    if FACTOR > 1:
        pytest.skip("scripts/run makes a build of its own: nothing of it is slower here, or checked")
    taken = [port for port in FIXED_PORTS if is_taken(port)]
    if taken:
        pytest.skip(f"scripts/run uses ports that are taken on this machine: {taken}")


class Running:
    def __init__(self, state):
        self.output = ""
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [ROOT / "scripts" / "run"],
            env={**os.environ, "SLUICE_STATE": str(state)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.output += line

    def wait_for(self, text, seconds):
        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert self.process.poll() is None and time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def interrupt(self):
        """What Ctrl-C does: to every process of the script's group."""
        os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(STOP_SECONDS)
        self.reader.join(STOP_SECONDS)
        return code

    def curl_lines(self):
        return [line.strip() for line in self.output.splitlines() if line.strip().startswith("curl ")]


@pytest.fixture
def run(tmp_path):
    started = []

    def start(seconds):
        started.append(Running(tmp_path / "state"))
        started[-1].wait_for("Ctrl-C ends it", seconds)
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.interrupt()


def curl(line):
    command = [*shlex.split(line), "-sS", "--noproxy", "*", "--max-time", str(START_SECONDS)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=2 * START_SECONDS).stdout


@pytest.mark.timeout(2 * BUILD_SECONDS)
def test_serves_what_it_prints_and_ends_by_ctrl_c(run, tmp_path):
    running = run(BUILD_SECONDS)
    https, http = running.curl_lines()
    assert https == (
        "curl -k --resolve httpbin.local.kyma.dev:8443:127.0.0.1 https://httpbin.local.kyma.dev:8443/get"
    )
    assert json.loads(curl(https))["url"].endswith("/get")
    redirect = curl(http).splitlines()
    assert redirect[0].startswith("HTTP/1.1 301 ")
    assert "location: https://httpbin.local.kyma.dev:8080/get" in [line.lower() for line in redirect]
    assert curl("curl -o /dev/null -w %{http_code} http://127.0.0.1:15021/healthz/ready") == "200"
    assert running.interrupt() == 0, running.output
    assert not [port for port in FIXED_PORTS if is_taken(port)]

    certificate = tmp_path / "state" / "kyma-gateway-certs.yaml"
    assert certificate.stat().st_mode & 0o077 == 0
    before = certificate.read_bytes()
    run(BUILD_SECONDS)  # again, from what is there
    assert certificate.read_bytes() == before

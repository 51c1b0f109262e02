"""How a figure is taken: one round of one side of a row.

CPU per request is user and system time of all threads of the proxy, the kernel's workers for its io_uring among them,
divided by the requests that were answered: far steadier than requests per second, which depend on who else uses the
machine. Each function returns its figures by name.
"""

import contextlib
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import load
import processes
import tunnels
from configurations import HOST, LISTENERS, SUITE_OF_TLS12, SUITE_OF_TLS13, Setup, host_names
from crowd import CLIENT_PROCESSES, CLIENT_THREADS, Crowd
from load import Aim
from processes import BenchError
from proxies import BODIES, Instance, Proxies

GIB = 1024**3
MAIN, LEAN = Setup(), Setup(lean=True)
LISTENER = {listener.name: listener for listener in LISTENERS}
LATENCY_LOAD = 0.7  # of nginx's maximum


@dataclass(frozen=True)
class Side:
    """One column of a row. `label` is the proxy's name unless a row has two sides of one proxy."""

    proxy: str
    listener: str = "http"
    setup: Setup = MAIN
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.proxy


@dataclass
class Bench:
    """What a measurement needs: the proxies that run, and what rows have found that others need."""

    proxies: Proxies
    seconds: float
    connections_max: int  # that a proxy has descriptors for
    maxima: dict[tuple[str, int], float] = field(default_factory=dict)  # listener, body: requests per second of nginx

    def running(self, side: Side) -> Instance:
        return self.proxies.running(side.proxy, side.setup)

    def aim(self, side: Side) -> Aim:
        return Aim(self.running(side).port(side.listener), bool(LISTENER[side.listener].versions),
                   self.proxies.other_cpus, self.proxies.programs.tools, self.proxies.folder)


# --- whether it is right at all --------------------------------------------------------------------------

def check_response(bench: Bench, side: Side, path: str = "small", body: bytes | None = None) -> None:
    """The response must be right before its cost means anything."""
    listener, port = LISTENER[side.listener], bench.running(side).port(side.listener)
    if listener.versions:
        check_suite(bench, side)
    host = host_names(side.setup.hosts)[-1] if side.setup.hosts else HOST
    version = "--http1.1" if not listener.http2 else "--http2" if listener.versions else "--http2-prior-knowledge"
    upload = [] if body is None else ["-H", "Expect:", "--data-binary", "@-"]
    done = subprocess.run(["curl", "-sSk", version, *upload, "--resolve", f"{host}:{port}:127.0.0.1",
                           f"{'https' if listener.versions else 'http'}://{host}:{port}/{path}"],
                          input=body, capture_output=True, timeout=30, check=False)
    wanted = BODIES["small"] if body is not None else BODIES[path]
    if done.returncode != 0 or done.stdout != wanted:
        raise BenchError(f"{side.name}: the response of {path} is wrong: {len(done.stdout)} bytes, {done.stdout[:200]!r} "
                         f"{done.stderr.decode(errors='replace').strip()}")


def check_suite(bench: Bench, side: Side) -> None:
    """All sides do the same work only when they have agreed on the same suite with their clients."""
    listener, port = LISTENER[side.listener], bench.running(side).port(side.listener)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
        with context.wrap_socket(plain, server_hostname=HOST) as connection:
            suite = connection.cipher()[0]
    wanted = SUITE_OF_TLS13 if listener.versions[-1] == "1.3" else SUITE_OF_TLS12
    if suite != wanted:
        raise BenchError(f"{side.name} has chosen {suite}, not {wanted}")


# --- CPU per request -------------------------------------------------------------------------------------

def cpu_per_request(bench: Bench, side: Side, seconds: float, generate: Callable[[Aim, float], dict]) -> dict[str, float]:
    instance, aim = bench.running(side), bench.aim(side)
    before, began = processes.cpu_seconds(instance.process), time.monotonic()
    figures = generate(aim, seconds)
    spent, took = processes.cpu_seconds(instance.process) - before, time.monotonic() - began
    if instance.process.poll() is not None:
        raise BenchError(f"{side.name} ended with status {instance.process.returncode} under load")
    return {"cpu_us": spent * 1e6 / figures["requests"], "per_second": figures["requests"] / seconds,
            "cpu_share": spent / took, "memory_bytes": processes.memory_bytes(processes.pids_of(instance.process)),
            **figures}


def paced(bench: Bench, side: Side, seconds: float, rate: int, connections: int = 64) -> dict[str, float]:
    """CPU per request and latency, without what it took to open the connections."""
    opened = load.open_paced(bench.aim(side), seconds, rate, connections=connections)
    return cpu_per_request(bench, side, seconds, lambda _, time_: load.finish_paced(opened, time_))


def generator(function: Callable, **arguments) -> Callable[[Bench, Side, float], dict[str, float]]:
    """A function that measures CPU per request under that load."""
    def measure(bench: Bench, side: Side, seconds: float) -> dict[str, float]:
        return cpu_per_request(bench, side, seconds, lambda aim, time_: function(aim, time_, **arguments))
    return measure


def many_connections(wanted: int) -> Callable[[Bench, Side, float], dict[str, float]]:
    """As many as that, or as there are descriptors for: the results say how many."""
    def measure(bench: Bench, side: Side, seconds: float) -> dict[str, float]:
        count = min(wanted, bench.connections_max)
        return {**paced(bench, side, seconds, rate=0, connections=count), "connections": count}
    return measure


def many_hosts(bench: Bench, side: Side, seconds: float) -> dict[str, float]:
    return cpu_per_request(bench, side, seconds,
                           lambda aim, time_: load.many_hosts(aim, time_, "small", side.setup.hosts))


def reloads(bench: Bench, side: Side, seconds: float) -> dict[str, float]:
    """CPU per request with a reload each half second, and what has failed; sluice may fail nothing."""
    process = bench.running(side).process
    sign = signal.SIGUSR2 if side.proxy.startswith("haproxy") else signal.SIGHUP
    ends = threading.Event()

    def reload_again_and_again() -> None:
        while not ends.wait(0.5):
            process.send_signal(sign)

    reloading = threading.Thread(target=reload_again_and_again)
    reloading.start()
    try:
        figures = cpu_per_request(bench, side, max(seconds, 2),
                                  lambda aim, time_: load.wrk(aim, time_, "small", tolerates_errors=True))
    finally:
        ends.set()
        reloading.join()
    if side.proxy == "sluice" and figures["failed"] > 0:
        raise BenchError(f"reloads broke {figures['failed']:.0f} requests")
    return figures


# --- latency ---------------------------------------------------------------------------------------------

def latency(bench: Bench, side: Side, seconds: float) -> dict[str, float]:
    """At 70 % of what Debian 13's nginx can do at most in the same place, in an open loop."""
    key = (side.listener, side.setup.workers)
    if key not in bench.maxima:
        aim = bench.aim(replace(side, proxy="nginx13", label=""))
        load.wrk(aim, 1, "small")
        bench.maxima[key] = load.wrk(aim, max(seconds, 2), "small")["requests"] / max(seconds, 2)
    rate = int(LATENCY_LOAD * bench.maxima[key])
    return {**paced(bench, side, seconds, rate), "rate": rate}


def storm(listener: str) -> Callable[[Bench, Side, float], dict[str, float]]:
    """Latency of 64 established connections (closed loop) while 128 others make full handshakes of `listener`.

    The side "no storm" has none; its figure counts as no less than a third of 10 ms, a latency that is good enough.
    """
    def measure(bench: Bench, side: Side, seconds: float) -> dict[str, float]:
        aim, is_calm, seconds = bench.aim(side), side.name == "no storm", max(seconds, 3)
        others = None if is_calm else subprocess.Popen(
            ["taskset", "-c", aim.cpus, str(aim.tools / "connection_load"), "full",
             f"127.0.0.1:{bench.running(side).port(listener)}", "/small", "128", f"{seconds + 2:.0f}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            time.sleep(0 if is_calm else 1)
            found = load.wrk(aim, seconds, "small")
            figures = {"p50_ms": found["closed_loop_p50_ms"], "p99_ms": found["closed_loop_p99_ms"],
                       "per_second": found["requests"] / seconds}
            if others is None:
                return {**figures, "p99_ms": max(figures["p99_ms"], 10 / 3)}
            said, _ = others.communicate(timeout=60)
            if others.returncode != 0:
                raise BenchError(f"the storm failed: {said}")
            return {**figures, "handshakes_per_second": load.counted(said)["requests"] / (seconds + 2)}
        finally:
            if others is not None and others.poll() is None:
                others.kill()
                others.wait()
    return measure


# --- tunnels ---------------------------------------------------------------------------------------------

def tunnel(direction: str, gib_per_second: float = 1.0) -> Callable[[Bench, Side, float], dict[str, float]]:
    def measure(bench: Bench, side: Side, seconds: float) -> dict[str, float]:
        """CPU seconds per GiB."""
        instance, count = bench.running(side), int(gib_per_second * seconds * GIB)
        before, began = processes.cpu_seconds(instance.process), time.monotonic()
        tunnels.move(instance.port(side.listener), LISTENER[side.listener].kind, direction, count)
        spent, took = processes.cpu_seconds(instance.process) - before, time.monotonic() - began
        return {"cpu_s_per_gib": spent * GIB / count, "gib_per_second": count / GIB / took}
    return measure


# --- memory ----------------------------------------------------------------------------------------------

class Fresh:
    """A proxy that has just been started, and a crowd before it, each member of which has been served once.

    Pages of mapped files count as they were then: their share changes with what else runs on the machine.
    """

    def __init__(self, bench: Bench, side: Side):
        self.proxies = bench.proxies
        self.instance = bench.proxies.instance(side.proxy, side.setup)
        self.proxies.stop(self.instance)
        bench.running(side)
        listener = LISTENER[side.listener]
        kind = listener.kind if listener.kind != "http" else "resumed" if listener.resumes else (
            "tls" if listener.versions else "plain")
        self.crowd = Crowd(self.instance.port(side.listener), kind)
        self.pids = processes.pids_of(self.instance.process)
        time.sleep(2)
        self.descriptors = processes.descriptor_count(self.pids)
        self.file_bytes = processes.memory_bytes(self.pids, "Pss_File")

    def memory(self) -> int:
        return processes.memory_bytes(self.pids) - processes.memory_bytes(self.pids, "Pss_File") + self.file_bytes

    def close_all(self) -> None:
        self.crowd.close()
        for _ in range(600):  # until the proxy has seen it; idle connections to the upstream stay
            if processes.descriptor_count(self.pids) <= self.descriptors + 2 * CLIENT_PROCESSES * CLIENT_THREADS:
                return
            time.sleep(0.05)
        raise BenchError("the proxy still has its descriptors 30 seconds after its clients have gone")

    def end(self) -> None:
        self.crowd.end()
        self.proxies.stop(self.instance)


@contextlib.contextmanager
def fresh(bench: Bench, side: Side):
    measurement = Fresh(bench, side)
    try:
        yield measurement
    finally:
        measurement.end()


def idle_memory(connections: int) -> Callable[[Bench, Side, float], dict[str, float]]:
    """What one more idle connection costs a fresh process, pools and all, once it has been served and was silent."""
    def measure(bench: Bench, side: Side, _seconds: float) -> dict[str, float]:
        count = min(connections, bench.connections_max)
        with fresh(bench, side) as proxy:
            before = proxy.memory()
            proxy.crowd.open(count)
            time.sleep(5)
            return {"bytes_per_connection": (proxy.memory() - before) / count, "connections": count}
    return measure


def spike(connections: int) -> Callable[[Bench, Side, float], dict[str, float]]:
    """What is left of memory when many connections have come and gone."""
    def measure(bench: Bench, side: Side, _seconds: float) -> dict[str, float]:
        count = min(connections, bench.connections_max)
        with fresh(bench, side) as proxy:
            figures = {"connections": count, "before_bytes": proxy.memory()}
            proxy.crowd.open(count)
            figures["height_bytes"] = proxy.memory()
            proxy.close_all()
            time.sleep(2)
            figures["after_2_s_bytes"] = proxy.memory()
            time.sleep(8)
            figures["after_10_s_bytes"] = proxy.memory()
            return figures
    return measure

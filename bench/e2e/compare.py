#!/usr/bin/env python3
"""CPU per request of sluice beside nginx: same work, same machine, same run.

Both proxies run with one worker on one CPU; the load generator (wrk, h2load or handshake_load) and the upstream (nginx)
share another. The metric is CPU time of all threads of the proxy, user and system, divided by completed
requests: far steadier than requests per second, which here depend on the load generator. The rows are
interleaved (A B A B ...), the figure of a row is the median over the rounds.

  bench/e2e/compare.py [--sluice build/sluice] [--rounds 5] [--seconds 3] [--row NAME ...]

nginx is configured as its documentation recommends for a proxy: keepalive upstream pool, HTTP/1.1 to
the upstream, no access log, buffers that hold the body, session tickets off. In the rows http and https every
connection lives through a whole round, so handshakes play no part; so they do in h2c (HTTP/2 with prior knowledge)
and h2 (with TLS), where each carries 10 streams. In the rows tls1.2 and tls1.3 every request has a connection and a full
handshake of its own, with an RSA key of 2048 or 4096 bits. The rows ...-to-http2 have no nginx, which has no HTTP/2 to
upstreams: there sluice with an upstream of HTTP/2 stands beside sluice with one of HTTP/1.1. That upstream is nghttpd,
which sends what a turn has made at once; in the rows ...-to-http2-of-nginx it is nginx, which sends the head and the body
of each response in packets of their own.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from os import sysconf, urandom
from pathlib import Path

from proxies import HOST, HTTP2_HOST, NGINX_HTTP2_HOST, ROOT, Listener, Proxies, pids_of, require

PROXIES = ("sluice", "nginx")
PROXY_CPU, OTHER_CPU = "0", "1"
BODIES = {"small": 13, "10k": 10 * 1024, "1m": 1024 * 1024}
# What is listened for: http, https, and a port for each pair of TLS version and key of the handshake rows.
HANDSHAKES = [Listener(f"tls{version}-{bits}", (version,), bits) for bits in (2048, 4096) for version in ("1.2", "1.3")]
HTTP2 = [Listener("h2c", http2=True), Listener("h2", ("1.2", "1.3"), http2=True)]
LISTENERS = [Listener("http"), Listener("https", ("1.2", "1.3")), *HTTP2, *HANDSHAKES]
CONNECTIONS = 64
STREAMS = 10


@dataclass(frozen=True)
class Side:
    """What a figure is of."""

    proxy: str
    listener: str
    host: str = HOST


@dataclass(frozen=True)
class Row:
    name: str
    body: str
    sides: tuple[Side, Side]


def beside_http1_upstream(listener: str, body: str, host: str) -> Row:
    name = {HTTP2_HOST: "http2", NGINX_HTTP2_HOST: "http2-of-nginx"}[host]
    return Row(f"{listener}-to-{name}/{body}", body, (Side("sluice", listener, host), Side("sluice", listener)))


def beside_nginx(listener: str, body: str) -> Row:
    return Row(f"{listener}/{body}", body, tuple(Side(proxy, listener) for proxy in PROXIES))


ROWS = ([beside_nginx(listener, body) for body in BODIES for listener in ("http", "https", "h2c", "h2")]
        + [beside_http1_upstream(listener, body, host) for host in (HTTP2_HOST, NGINX_HTTP2_HOST) for body in BODIES
           for listener in ("http", "h2c")]
        + [beside_nginx(listener.name, "small") for listener in HANDSHAKES])


def cpu_seconds(process: subprocess.Popen) -> float:
    """User and system time of a process, all threads, and of its children that run now."""
    ticks = 0
    for pid in pids_of(process):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, directory: Path, sluice: str):
        bodies = {name: b"hello, world\n" if size == 13 else urandom(size) for name, size in BODIES.items()}
        self.proxies = Proxies(directory, sluice, LISTENERS, bodies, connections_max=8192)
        self.ports = self.proxies.ports
        self.bodies = bodies
        self.load_generator = str(Path(sluice).parent / "bench" / "e2e" / "handshake_load")
        self.processes: dict[str, subprocess.Popen] = {}

    def start_all(self) -> None:
        self.proxies.start_upstream(OTHER_CPU)
        self.proxies.start_http2_upstream(OTHER_CPU)
        self.processes = {proxy: self.proxies.start_proxy(proxy, PROXY_CPU) for proxy in PROXIES}

    def check(self, side: Side, body: str) -> None:
        """The response must be right before its cost means anything."""
        port = self.ports[side.proxy][side.listener]
        scheme = "http" if side.listener in ("http", "h2c") else "https"
        version = {"h2c": "--http2-prior-knowledge", "h2": "--http2"}.get(side.listener, "--http1.1")
        got = subprocess.run(["curl", "-sk", version, "--resolve", f"{side.host}:{port}:127.0.0.1",
                              f"{scheme}://{side.host}:{port}/{body}"],
                             check=True, capture_output=True, timeout=30).stdout
        if got != self.bodies[body]:
            sys.exit(f"{side} {body}: wrong response ({len(got)} bytes)")

    def measure(self, side: Side, body: str, seconds: float) -> tuple[float, float]:
        """CPU microseconds per request and requests per second of one round."""
        before = cpu_seconds(self.processes[side.proxy])
        load = {"http": self.wrk, "https": self.wrk, "h2c": self.h2load, "h2": self.h2load}.get(side.listener,
                                                                                           self.handshake_load)
        requests = load(side, self.ports[side.proxy][side.listener], body, seconds)
        spent = cpu_seconds(self.processes[side.proxy]) - before
        return spent * 1e6 / requests, requests / seconds

    def wrk(self, side: Side, port: int, body: str, seconds: float) -> int:
        output = subprocess.run(["taskset", "-c", OTHER_CPU, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s",
                                 "-H", f"Host: {side.host}", f"{side.listener}://127.0.0.1:{port}/{body}"],
                                check=True, capture_output=True, text=True, timeout=seconds + 60).stdout
        if "Socket errors" in output or "Non-2xx" in output:
            sys.exit(f"{side} {body}: errors under load:\n{output}")
        return int(re.search(r"(\d+) requests in", output).group(1))

    def h2load(self, side: Side, port: int, body: str, seconds: float) -> int:
        scheme = "http" if side.listener == "h2c" else "https"
        output = subprocess.run(["taskset", "-c", OTHER_CPU, "h2load", "-t1", f"-c{CONNECTIONS}", f"-m{STREAMS}",
                                 f"-D{seconds}", f"--connect-to=127.0.0.1:{port}", f"{scheme}://{side.host}/{body}"],
                                check=True, capture_output=True, text=True, timeout=seconds + 60).stdout
        counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", output)
        if not counts or int(counts.group(1)) == 0 or counts.group(2) != "0" or counts.group(3) != "0":
            sys.exit(f"{side} {body}: errors under load:\n{output}")
        return int(counts.group(1))

    def handshake_load(self, side: Side, port: int, body: str, seconds: float) -> int:
        """Full handshakes, as many as the proxy can do: see bench/e2e/handshake_load.cc."""
        run = subprocess.run(["taskset", "-c", OTHER_CPU, self.load_generator, f"127.0.0.1:{port}", f"/{body}", str(CONNECTIONS),
                              str(seconds)], capture_output=True, text=True, timeout=seconds + 60)
        if run.returncode != 0:
            sys.exit(f"{side}: {run.stdout}{run.stderr}")
        return int(re.match(r"(\d+) requests", run.stdout).group(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default=str(ROOT / "build" / "sluice"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--row", action="append", help="only this row, as http/small (may be repeated)")
    options = parser.parse_args()
    require(("nginx", "nginx"), ("wrk", "wrk"), ("h2load", "nghttp2-client"), ("nghttpd", "nghttp2-server"),
            ("taskset", "util-linux"), (options.sluice, "scripts/build"))
    rows = [row for row in ROWS if not options.row or row.name in options.row]
    load_generator = Path(options.sluice).parent / "bench" / "e2e" / "handshake_load"
    if any(row.name.startswith("tls") for row in rows) and not load_generator.exists():
        sys.exit(f"{load_generator} is missing: scripts/build --tests makes it")

    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as directory:
        bench = Bench(Path(directory), options.sluice)
        try:
            bench.start_all()
            print("CPU per request in microseconds, median of "
                  f"{options.rounds} interleaved rounds of {options.seconds} s, {CONNECTIONS} connections\n")
            print(f"{'row':<29} {'sluice':>8} {'other':>8} {'ratio':>6}   {'spread of the ratio':<20} {'sluice/s':>9} {'other/s':>9}")
            for row in rows:
                results = {side: [] for side in row.sides}
                for side in results:
                    bench.check(side, row.body)
                    bench.measure(side, row.body, 1)
                for _ in range(options.rounds):
                    for side, figures in results.items():
                        figures.append(bench.measure(side, row.body, options.seconds))
                cost, other_cost = (statistics.median(cpu for cpu, _ in figures) for figures in results.values())
                rate, other_rate = (statistics.median(rate for _, rate in figures) for figures in results.values())
                ratios = sorted(s[0] / o[0] for s, o in zip(*results.values()))
                print(f"{row.name:<29} {cost:8.2f} {other_cost:8.2f} {cost / other_cost:6.2f}   "
                      f"{ratios[0]:.2f} .. {ratios[-1]:.2f}{'':<9} {rate:9.0f} {other_rate:9.0f}", flush=True)
        finally:
            bench.proxies.stop_all()


if __name__ == "__main__":
    main()

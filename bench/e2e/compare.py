#!/usr/bin/env python3
"""CPU per request of sluice beside nginx: same work, same machine, same run.

Both proxies run with one worker on one CPU; the load generator (wrk, or handshake_load) and the upstream (nginx)
share another. The metric is CPU time of all threads of the proxy, user and system, divided by completed
requests: far steadier than requests per second, which here depend on the load generator. The rows are
interleaved (A B A B ...), the figure of a row is the median over the rounds.

  bench/e2e/compare.py [--sluice build/sluice] [--rounds 5] [--seconds 3] [--row NAME ...]

nginx is configured as its documentation recommends for a proxy: keepalive upstream pool, HTTP/1.1 to
the upstream, no access log, buffers that hold the body, session tickets off. In the rows http and https every
connection lives through a whole round, so handshakes play no part; in the rows tls1.2 and tls1.3 every request
has a connection and a full handshake of its own, with an RSA key of 2048 or 4096 bits.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from os import sysconf, urandom
from pathlib import Path

from proxies import ROOT, Listener, Proxies, pids_of, require

PROXIES = ("sluice", "nginx")
PROXY_CPU, OTHER_CPU = "0", "1"
BODIES = {"small": 13, "10k": 10 * 1024, "1m": 1024 * 1024}
# What is listened for: http, https, and a port for each pair of TLS version and key of the handshake rows.
HANDSHAKES = [Listener(f"tls{version}-{bits}", (version,), bits) for bits in (2048, 4096) for version in ("1.2", "1.3")]
LISTENERS = [Listener("http"), Listener("https", ("1.2", "1.3")), *HANDSHAKES]
ROWS = ([(listener, body) for body in BODIES for listener in ("http", "https")]
        + [(listener.name, "small") for listener in HANDSHAKES])
CONNECTIONS = 64


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
        self.processes = {proxy: self.proxies.start_proxy(proxy, PROXY_CPU) for proxy in PROXIES}

    def check(self, proxy: str, listener: str, body: str) -> None:
        """The response must be right before its cost means anything."""
        port = self.ports[proxy][listener]
        scheme = "http" if listener == "http" else "https"
        got = subprocess.run(["curl", "-sk", "--resolve", f"x.bench.test:{port}:127.0.0.1",
                              f"{scheme}://x.bench.test:{port}/{body}"],
                             check=True, capture_output=True, timeout=30).stdout
        if got != self.bodies[body]:
            sys.exit(f"{proxy} {listener} {body}: wrong response ({len(got)} bytes)")

    def measure(self, proxy: str, listener: str, body: str, seconds: float) -> tuple[float, float]:
        """CPU microseconds per request and requests per second of one round."""
        before = cpu_seconds(self.processes[proxy])
        load = self.wrk if listener in ("http", "https") else self.handshake_load
        requests = load(listener, self.ports[proxy][listener], body, seconds)
        spent = cpu_seconds(self.processes[proxy]) - before
        return spent * 1e6 / requests, requests / seconds

    def wrk(self, listener: str, port: int, body: str, seconds: float) -> int:
        output = subprocess.run(["taskset", "-c", OTHER_CPU, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s",
                                 "-H", "Host: x.bench.test", f"{listener}://127.0.0.1:{port}/{body}"],
                                check=True, capture_output=True, text=True, timeout=seconds + 60).stdout
        if "Socket errors" in output or "Non-2xx" in output:
            sys.exit(f"{listener} {body}: errors under load:\n{output}")
        return int(re.search(r"(\d+) requests in", output).group(1))

    def handshake_load(self, listener: str, port: int, body: str, seconds: float) -> int:
        """Full handshakes, as many as the proxy can do: see bench/e2e/handshake_load.cc."""
        run = subprocess.run(["taskset", "-c", OTHER_CPU, self.load_generator, f"127.0.0.1:{port}", f"/{body}", str(CONNECTIONS),
                              str(seconds)], capture_output=True, text=True, timeout=seconds + 60)
        if run.returncode != 0:
            sys.exit(f"{listener}: {run.stdout}{run.stderr}")
        return int(re.match(r"(\d+) requests", run.stdout).group(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default=str(ROOT / "build" / "sluice"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--row", action="append", help="only this row, as http/small (may be repeated)")
    options = parser.parse_args()
    require(("nginx", "nginx"), ("wrk", "wrk"), ("taskset", "util-linux"), (options.sluice, "scripts/build"))
    rows = [row for row in ROWS if not options.row or "/".join(row) in options.row]
    load_generator = Path(options.sluice).parent / "bench" / "e2e" / "handshake_load"
    if any(listener not in ("http", "https") for listener, _ in rows) and not load_generator.exists():
        sys.exit(f"{load_generator} is missing: scripts/build --tests makes it")

    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as directory:
        bench = Bench(Path(directory), options.sluice)
        try:
            bench.start_all()
            print("CPU per request in microseconds, median of "
                  f"{options.rounds} interleaved rounds of {options.seconds} s, {CONNECTIONS} connections\n")
            print(f"{'row':<18} {'sluice':>8} {'nginx':>8} {'ratio':>6}   {'spread of the ratio':<20} {'sluice/s':>9} {'nginx/s':>9}")
            for listener, body in rows:
                results = {proxy: [] for proxy in PROXIES}
                for proxy in results:
                    bench.check(proxy, listener, body)
                    bench.measure(proxy, listener, body, 1)
                for _ in range(options.rounds):
                    for proxy, figures in results.items():
                        figures.append(bench.measure(proxy, listener, body, options.seconds))
                cost = {proxy: statistics.median(cpu for cpu, _ in figures) for proxy, figures in results.items()}
                rate = {proxy: statistics.median(rate for _, rate in figures) for proxy, figures in results.items()}
                ratios = sorted(s[0] / n[0] for s, n in zip(results["sluice"], results["nginx"]))
                print(f"{listener + '/' + body:<18} {cost['sluice']:8.2f} {cost['nginx']:8.2f} {cost['sluice'] / cost['nginx']:6.2f}   "
                      f"{ratios[0]:.2f} .. {ratios[-1]:.2f}{'':<9} {rate['sluice']:9.0f} {rate['nginx']:9.0f}", flush=True)
        finally:
            bench.proxies.stop_all()


if __name__ == "__main__":
    main()

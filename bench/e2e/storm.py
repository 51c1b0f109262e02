#!/usr/bin/env python3
"""What a storm of full handshakes (RSA-4096) does to connections that are established.

64 keep-alive TLS connections ask as fast as they are answered (wrk), first alone, then while `--clients` others make
one full handshake after the other (handshake_load), as many as the proxy can do. Proxies have one worker on one CPU,
load and upstream share another. sluice makes its signatures on a thread that stands back for the shard; nginx, for
comparison, makes them where it serves.

The bound: the 99th percentile under the storm is at most three times that without it, or 10 ms, whichever is larger.

  bench/e2e/storm.py [--sluice build/sluice] [--seconds 5] [--rounds 3] [--clients 128]
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from proxies import ROOT, Listener, Proxies, require

PROXIES = ("sluice", "nginx")
PROXY_CPU, OTHER_CPU = "0", "1"
STORMS = [Listener(f"tls{version}-4096", (version,), 4096) for version in ("1.2", "1.3")]
LISTENERS = [Listener("https", ("1.2", "1.3"), 4096), *STORMS]
CONNECTIONS = 64
MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
BOUND_MS = 10.0


@dataclass
class Figures:
    median_ms: float
    p99_ms: float
    requests: float  # per second
    handshakes: float  # per second


def percentile(output: str, share: int) -> float:
    found = re.search(rf"^\s+{share}%\s+([\d.]+)(us|ms|s)$", output, re.MULTILINE)
    return float(found.group(1)) * MILLISECONDS[found.group(2)]


class Bench:
    def __init__(self, directory: Path, sluice: str, clients: int):
        self.proxies = Proxies(directory, sluice, LISTENERS, {"small": b"hello, world\n"}, connections_max=8192)
        self.load_generator = Path(sluice).parent / "bench" / "e2e" / "handshake_load"
        self.clients = clients

    def measure(self, proxy: str, storm: str | None, seconds: int) -> Figures:
        ports = self.proxies.ports[proxy]
        others = None
        if storm is not None:
            # It begins a second before, and ends a second after.
            others = subprocess.Popen(["taskset", "-c", OTHER_CPU, self.load_generator, f"127.0.0.1:{ports[storm]}", "/small",
                                       str(self.clients), str(seconds + 2)], stdout=subprocess.PIPE, text=True)
        subprocess.run(["sleep", "1"], check=True)
        output = subprocess.run(["taskset", "-c", OTHER_CPU, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency",
                                 "-H", "Host: x.bench.test", f"https://127.0.0.1:{ports['https']}/small"],
                                check=True, capture_output=True, text=True, timeout=seconds + 60).stdout
        if "Socket errors" in output or "Non-2xx" in output:
            sys.exit(f"{proxy}: errors under load:\n{output}")
        handshakes = 0
        if others is not None:
            said, _ = others.communicate(timeout=60)
            if others.returncode != 0:
                sys.exit(f"{proxy}, {storm}: {said}")
            handshakes = int(re.match(r"(\d+) requests", said).group(1))
        return Figures(percentile(output, 50), percentile(output, 99),
                       float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)), handshakes / (seconds + 2))


def middle(figures: list[Figures]) -> Figures:
    return Figures(*(statistics.median(getattr(each, name) for each in figures) for name in Figures.__dataclass_fields__))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default=str(ROOT / "build" / "sluice"))
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=128)
    options = parser.parse_args()
    require(("nginx", "nginx"), ("wrk", "wrk"), ("taskset", "util-linux"), (options.sluice, "scripts/build"))

    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as directory:
        bench = Bench(Path(directory), options.sluice, options.clients)
        if not bench.load_generator.exists():
            sys.exit(f"{bench.load_generator} is missing: scripts/build --tests makes it")
        try:
            bench.proxies.start_upstream(OTHER_CPU)
            for proxy in PROXIES:
                bench.proxies.start_proxy(proxy, PROXY_CPU)
            print(f"{CONNECTIONS} established connections beside {options.clients} that make full handshakes; median of "
                  f"{options.rounds} rounds of {options.seconds} s\n")
            print(f"{'proxy':<8} {'storm':<14} {'p50 ms':>8} {'p99 ms':>8} {'requests/s':>11} {'handshakes/s':>13}")
            for proxy in PROXIES:
                calm = 0.0
                for storm in (None, *(listener.name for listener in STORMS)):
                    found = middle([bench.measure(proxy, storm, options.seconds) for _ in range(options.rounds)])
                    calm = calm or found.p99_ms
                    bound = max(3 * calm, BOUND_MS)
                    verdict = "" if storm is None else f"   {'within' if found.p99_ms <= bound else 'BEYOND'} {bound:.1f} ms"
                    print(f"{proxy:<8} {storm or 'none':<14} {found.median_ms:8.2f} {found.p99_ms:8.2f} {found.requests:11.0f} "
                          f"{found.handshakes:13.0f}{verdict}", flush=True)
        finally:
            bench.proxies.stop_all()


if __name__ == "__main__":
    main()

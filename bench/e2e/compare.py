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
import contextlib
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROXY_CPU, OTHER_CPU = "0", "1"
SUITES = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
BODIES = {"small": 13, "10k": 10 * 1024, "1m": 1024 * 1024}
KEY_SIZES = ("2048", "4096")
# What is listened for: http, https, and a port for each pair of TLS version and key of the handshake rows.
HANDSHAKES = [f"{version}-{size}" for size in KEY_SIZES for version in ("tls1.2", "tls1.3")]
LISTENERS = ["http", "https", *HANDSHAKES]
ROWS = [(listener, body) for body in BODIES for listener in ("http", "https")] + [(each, "small") for each in HANDSHAKES]
CONNECTIONS = 64


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen) -> None:
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with status {process.returncode} before it listened on port {port}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port} after 10 seconds")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads, and of its children that run now."""
    ticks = 0
    pids = [pid] + [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    for each in pids:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, directory: Path, sluice: str):
        self.directory = directory
        self.processes: list[subprocess.Popen] = []
        self.upstream_port = free_port()
        self.ports = {"nginx": {}, "sluice": {}}
        for proxy in self.ports:
            self.ports[proxy] = {listener: free_port() for listener in LISTENERS}
        self.pids: dict[str, int] = {}
        self.sluice = sluice
        self.load_generator = str(Path(sluice).parent / "bench" / "e2e" / "handshake_load")

    def start(self, cpu: str, *command: str) -> subprocess.Popen:
        log = open(self.directory / f"{len(self.processes)}.log", "wb")
        process = subprocess.Popen(["taskset", "-c", cpu, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def start_all(self) -> None:
        www = self.directory / "www"
        www.mkdir()
        for name, size in BODIES.items():
            (www / name).write_bytes(b"hello, world\n" if size == 13 else os.urandom(size))
        for size in KEY_SIZES:
            subprocess.run(["openssl", "req", "-x509", "-newkey", f"rsa:{size}", "-nodes", "-days", "30", "-subj",
                            "/CN=bench.test", "-addext", "subjectAltName=DNS:*.bench.test",
                            "-keyout", self.directory / f"key-{size}.pem", "-out", self.directory / f"cert-{size}.pem"],
                           check=True, capture_output=True)

        upstream = self.start(OTHER_CPU, "nginx", "-p", str(self.directory), "-c", str(self.write_upstream()))
        wait_for_port(self.upstream_port, upstream)
        nginx = self.start(PROXY_CPU, "nginx", "-p", str(self.directory), "-c", str(self.write_nginx()))
        wait_for_port(self.ports["nginx"]["http"], nginx)
        sluice = self.start(PROXY_CPU, self.sluice, "run", "--config", str(self.write_sluice()), "--concurrency", "1",
                            "--access-log", "off", "--status", f"127.0.0.1:{free_port()}", "--admin", f"127.0.0.1:{free_port()}")
        wait_for_port(self.ports["sluice"]["http"], sluice)
        self.pids = {"nginx": nginx.pid, "sluice": sluice.pid}

    def stop_all(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            if process.poll() is None:
                process.kill()

    def write_upstream(self) -> Path:
        path = self.directory / "upstream.conf"
        path.write_text(f"""
daemon off; worker_processes 1; pid {self.directory}/upstream.pid; error_log {self.directory}/upstream.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=16;
  client_body_temp_path {self.directory}/upstream-body;
  server {{ listen 127.0.0.1:{self.upstream_port}; location / {{ root {self.directory}/www; }} }}
}}
""")
        return path

    def write_nginx(self) -> Path:
        path = self.directory / "nginx.conf"
        ports = self.ports["nginx"]
        location = f"""
    location / {{
      proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_buffers 16 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 512k;
    }}"""

        def certificate(size: str) -> str:
            return (f"ssl_certificate {self.directory}/cert-{size}.pem; ssl_certificate_key {self.directory}/key-{size}.pem; "
                    f"ssl_ciphers {SUITES}; ssl_session_cache off; ssl_session_tickets off;")

        handshake_servers = "".join(f"""
  server {{
    listen 127.0.0.1:{ports[name]} ssl;
    ssl_protocols {name.split("-")[0].replace("tls", "TLSv")};
    {certificate(name.split("-")[1])}{location}
  }}""" for name in HANDSHAKES)
        path.write_text(f"""
daemon off; worker_processes 1; pid {self.directory}/nginx.pid; error_log {self.directory}/nginx.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {self.directory}/nginx-body; proxy_temp_path {self.directory}/nginx-proxy;
  upstream backend {{ server 127.0.0.1:{self.upstream_port}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{ports["http"]};
    listen 127.0.0.1:{ports["https"]} ssl;
    ssl_protocols TLSv1.2 TLSv1.3; {certificate("2048")}{location}
  }}{handshake_servers}
}}
""")
        return path

    def write_sluice(self) -> Path:
        path = self.directory / "sluice.yaml"
        ports = self.ports["sluice"]
        suites = ", ".join(SUITES.split(":"))

        def secret(size: str) -> str:
            texts = "".join(f"  {key}: |\n" + "".join(f"    {line}\n" for line in (self.directory / name).read_text().splitlines())
                            for key, name in (("tls.crt", f"cert-{size}.pem"), ("tls.key", f"key-{size}.pem")))
            return f"""---
apiVersion: v1
kind: Secret
metadata: {{name: bench-{size}, namespace: istio-system}}
type: kubernetes.io/tls
stringData:
{texts}"""

        def https_server(name: str, size: str, versions: str) -> str:
            return f"""
  - port: {{number: {ports[name]}, name: {name.replace(".", "-")}, protocol: HTTPS}}
    tls: {{mode: SIMPLE, credentialName: bench-{size}, {versions}cipherSuites: [{suites}]}}
    hosts: ["*"]"""

        handshake_servers = "".join(
            https_server(name, name.split("-")[1],
                         "maxProtocolVersion: TLSV1_2, " if name.startswith("tls1.2") else "minProtocolVersion: TLSV1_3, ")
            for name in HANDSHAKES)
        path.write_text(f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: bench, namespace: bench}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: {ports["http"]}, name: http, protocol: HTTP}}
    hosts: ["*"]{https_server("https", "2048", "")}{handshake_servers}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: bench, namespace: bench}}
spec:
  hosts: ["*"]
  gateways: [bench]
  http:
  - route: [{{destination: {{host: upstream.test, port: {{number: 80}}}}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: upstream, namespace: bench}}
spec:
  hosts: [upstream.test]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {self.upstream_port}}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1}}]
{"".join(secret(size) for size in KEY_SIZES)}""")
        return path

    def check(self, proxy: str, listener: str, body: str) -> None:
        """The response must be right before its cost means anything."""
        port = self.ports[proxy][listener]
        scheme = "http" if listener == "http" else "https"
        got = subprocess.run(["curl", "-sk", "--resolve", f"x.bench.test:{port}:127.0.0.1",
                              f"{scheme}://x.bench.test:{port}/{body}"],
                             check=True, capture_output=True, timeout=30).stdout
        if got != (self.directory / "www" / body).read_bytes():
            sys.exit(f"{proxy} {listener} {body}: wrong response ({len(got)} bytes)")

    def measure(self, proxy: str, listener: str, body: str, seconds: float) -> tuple[float, float]:
        """CPU microseconds per request and requests per second of one round."""
        before = cpu_seconds(self.pids[proxy])
        load = self.handshake_load if listener in HANDSHAKES else self.wrk
        requests = load(listener, self.ports[proxy][listener], body, seconds)
        spent = cpu_seconds(self.pids[proxy]) - before
        return spent * 1e6 / requests, requests / seconds

    def wrk(self, listener: str, port: int, body: str, seconds: float) -> int:
        scheme = "http" if listener == "http" else "https"
        output = subprocess.run(["taskset", "-c", OTHER_CPU, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s",
                                 "-H", "Host: x.bench.test", f"{scheme}://127.0.0.1:{port}/{body}"],
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
    for tool, package in (("nginx", "nginx"), ("wrk", "wrk"), ("taskset", "util-linux"), (options.sluice, "scripts/build")):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: install or build it ({package})")
    rows = [row for row in ROWS if not options.row or "/".join(row) in options.row]
    load_generator = Path(options.sluice).parent / "bench" / "e2e" / "handshake_load"
    if any(listener in HANDSHAKES for listener, _ in rows) and not load_generator.exists():
        sys.exit(f"{load_generator} is missing: scripts/build --tests makes it")

    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as directory:
        os.chmod(directory, 0o755)  # nginx's workers run as another user
        bench = Bench(Path(directory), options.sluice)
        try:
            bench.start_all()
            print("CPU per request in microseconds, median of "
                  f"{options.rounds} interleaved rounds of {options.seconds} s, {CONNECTIONS} connections\n")
            print(f"{'row':<18} {'sluice':>8} {'nginx':>8} {'ratio':>6}   {'spread of the ratio':<20} {'sluice/s':>9} {'nginx/s':>9}")
            for listener, body in rows:
                results = {"sluice": [], "nginx": []}
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
            bench.stop_all()


if __name__ == "__main__":
    main()

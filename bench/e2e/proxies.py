"""What the benchmarks of the whole program share: sluice, nginx and HAProxy with the same listeners, before one
upstream (nginx), as processes.

Every proxy has one worker and no access log. nginx and HAProxy are configured as their documentation recommends for
a proxy: pools of idle connections to the upstream, HTTP/1.1 towards it, buffers of nginx that hold the body.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITES = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
NAMES = ("sluice", "nginx", "haproxy")
# Of requests to the upstream; only sluice knows the last two, which lead to upstreams of HTTP/2: nghttpd, and nginx.
HOST, HTTP2_HOST, NGINX_HTTP2_HOST = "x.bench.test", "http2.bench.test", "nginx-http2.bench.test"


@dataclass(frozen=True)
class Listener:
    name: str
    versions: tuple[str, ...] = ()  # of TLS: the lowest and the highest; none: plain HTTP
    key_bits: int = 2048
    gives_tickets: bool = False  # of nginx and HAProxy; sluice always does
    http2: bool = False  # of nginx, which must be told; sluice and HAProxy speak both versions with TLS, sluice always


def require(*tools: tuple[str, str]) -> None:
    for tool, source in tools:
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: install or build it ({source})")


given_ports: set[int] = set()


def free_port() -> int:
    """Not an ephemeral one: between two starts of a proxy a connection to the upstream might take it."""
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(ephemeral - 10000, ephemeral), 1000):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            if port not in given_ports:
                given_ports.add(port)
                return port
    sys.exit("no free port was found")


def wait_for_port(port: int, process: subprocess.Popen) -> None:
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"{process.args} ended with status {process.returncode} before it listened on port {port}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port} after 10 seconds")


def pids_of(process: subprocess.Popen) -> list[int]:
    """Of the process and of its children that run now."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [process.pid, *map(int, children.split())]


class Proxies:
    """`bodies`: path -> content that the upstream serves."""

    def __init__(self, directory: Path, sluice: str, listeners: list[Listener], bodies: dict[str, bytes],
                 connections_max: int):
        self.directory = directory
        self.sluice = sluice
        self.listeners = listeners
        self.connections_max = connections_max
        self.upstream_port = free_port()
        self.http2_upstream_port = free_port()
        self.nginx_http2_upstream_port = free_port()  # of the same nginx
        self.ports = {proxy: {listener.name: free_port() for listener in listeners} for proxy in NAMES}
        self.processes: list[subprocess.Popen] = []
        os.chmod(directory, 0o755)  # nginx's workers run as another user
        www = directory / "www"
        www.mkdir()
        for name, body in bodies.items():
            (www / name).write_bytes(body)
        self.key_sizes = sorted({listener.key_bits for listener in listeners})
        for bits in self.key_sizes:
            self.make_certificate(bits)

    def make_certificate(self, bits: int) -> None:
        certificate, key = self.directory / f"cert-{bits}.pem", self.directory / f"key-{bits}.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", f"rsa:{bits}", "-nodes", "-days", "30", "-subj",
                        "/CN=bench.test", "-addext", "subjectAltName=DNS:*.bench.test", "-keyout", key,
                        "-out", certificate], check=True, capture_output=True)
        (self.directory / f"pair-{bits}.pem").write_text(certificate.read_text() + key.read_text())

    # --- processes ---

    def start(self, cpu: str | None, port: int, *command: str) -> subprocess.Popen:
        pinned = [] if cpu is None else ["taskset", "-c", cpu]
        with open(self.directory / f"{len(self.processes)}.log", "wb") as log:
            process = subprocess.Popen([*pinned, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        wait_for_port(port, process)
        return process

    def start_upstream(self, cpu: str | None = None) -> subprocess.Popen:
        return self.start(cpu, self.upstream_port, "nginx", "-p", str(self.directory), "-c", str(self.write_upstream()))

    def start_http2_upstream(self, cpu: str | None = None) -> subprocess.Popen:
        return self.start(cpu, self.http2_upstream_port, "nghttpd", "--no-tls", "-a", "127.0.0.1",
                          "-d", str(self.directory / "www"), str(self.http2_upstream_port))

    def start_proxy(self, proxy: str, cpu: str | None = None) -> subprocess.Popen:
        port = next(iter(self.ports[proxy].values()))
        if proxy == "nginx":
            return self.start(cpu, port, "nginx", "-p", str(self.directory), "-c", str(self.write_nginx()))
        if proxy == "haproxy":
            return self.start(cpu, port, "haproxy", "-db", "-f", str(self.write_haproxy()))
        return self.start(cpu, port, self.sluice, "run", "--config", str(self.write_sluice()), "--concurrency", "1",
                          "--access-log", "off", "--status", f"127.0.0.1:{free_port()}",
                          "--admin", f"127.0.0.1:{free_port()}")

    def stop(self, process: subprocess.Popen) -> None:
        self.processes.remove(process)
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        if process.poll() is None:
            process.kill()
            process.wait()

    def stop_all(self) -> None:
        while self.processes:
            self.stop(self.processes[-1])

    # --- configurations ---

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def write_upstream(self) -> Path:
        return self.write("upstream.conf", f"""
daemon off; worker_processes 1; pid {self.directory}/upstream.pid; error_log {self.directory}/upstream.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=16;
  client_body_temp_path {self.directory}/upstream-body;
  server {{
    listen 127.0.0.1:{self.upstream_port}; listen 127.0.0.1:{self.nginx_http2_upstream_port} http2;
    location / {{ root {self.directory}/www; }}
  }}
}}
""")

    def write_nginx(self) -> Path:
        def server(listener: Listener) -> str:
            address = f"127.0.0.1:{self.ports['nginx'][listener.name]}"
            http2 = " http2" if listener.http2 else ""
            if not listener.versions:
                tls = f"listen {address}{http2};"
            else:
                tls = (f"listen {address} ssl{http2}; ssl_protocols {' '.join(f'TLSv{v}' for v in listener.versions)}; "
                       f"ssl_certificate {self.directory}/cert-{listener.key_bits}.pem; "
                       f"ssl_certificate_key {self.directory}/key-{listener.key_bits}.pem; ssl_ciphers {SUITES}; "
                       f"ssl_session_cache off; ssl_session_tickets {'on' if listener.gives_tickets else 'off'};")
            return f"""
  server {{
    {tls}
    location / {{
      proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_buffers 16 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 512k;
    }}
  }}"""

        return self.write("nginx.conf", f"""
daemon off; worker_processes 1; pid {self.directory}/nginx.pid; error_log {self.directory}/nginx.err;
events {{ worker_connections {self.connections_max}; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {self.directory}/nginx-body; proxy_temp_path {self.directory}/nginx-proxy;
  upstream backend {{ server 127.0.0.1:{self.upstream_port}; keepalive 256; keepalive_requests 1000000000; }}
  {"".join(server(listener) for listener in self.listeners)}
}}
""")

    def write_haproxy(self) -> Path:
        def bind(listener: Listener) -> str:
            address = f"  bind 127.0.0.1:{self.ports['haproxy'][listener.name]}"
            if not listener.versions:
                return address
            pair = f"{self.directory}/pair-{listener.key_bits}.pem"
            return (f"{address} ssl crt {pair} ciphers {SUITES} "
                    f"ssl-min-ver TLSv{listener.versions[0]} ssl-max-ver TLSv{listener.versions[-1]}"
                    + ("" if listener.gives_tickets else " no-tls-tickets"))

        binds = "\n".join(bind(listener) for listener in self.listeners)
        # Strict limits would refuse to start where the limit of descriptors has no room for as many upstreams.
        return self.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn {self.connections_max}
  no strict-limits
defaults
  mode http
  maxconn {self.connections_max}
  option http-keep-alive
  option forwardfor
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
frontend bench
{binds}
  default_backend upstream
backend upstream
  http-reuse always
  server upstream 127.0.0.1:{self.upstream_port} pool-max-conn 256
""")

    def write_sluice(self) -> Path:
        suites = ", ".join(SUITES.split(":"))

        def server(listener: Listener) -> str:
            port = self.ports["sluice"][listener.name]
            name = listener.name.replace(".", "-")
            if not listener.versions:
                return f"""
  - port: {{number: {port}, name: {name}, protocol: HTTP}}
    hosts: ["*"]"""
            lowest, highest = (f"TLSV{version.replace('.', '_')}" for version in
                               (listener.versions[0], listener.versions[-1]))
            return f"""
  - port: {{number: {port}, name: {name}, protocol: HTTPS}}
    tls: {{mode: SIMPLE, credentialName: bench-{listener.key_bits}, minProtocolVersion: {lowest},
          maxProtocolVersion: {highest}, cipherSuites: [{suites}]}}
    hosts: ["*"]"""

        def secret(bits: int) -> str:
            files = (("tls.crt", f"cert-{bits}.pem"), ("tls.key", f"key-{bits}.pem"))
            texts = "".join(f"  {key}: |\n" + "".join(f"    {line}\n" for line in (self.directory / name).read_text().splitlines())
                            for key, name in files)
            return f"""---
apiVersion: v1
kind: Secret
metadata: {{name: bench-{bits}, namespace: istio-system}}
type: kubernetes.io/tls
stringData:
{texts}"""

        return self.write("sluice.yaml", f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: bench, namespace: bench}}
spec:
  selector: {{istio: ingressgateway}}
  servers:{"".join(server(listener) for listener in self.listeners)}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: bench, namespace: bench}}
spec:
  hosts: ["*"]
  gateways: [bench]
  http:
  - match: [{{authority: {{prefix: {HTTP2_HOST}}}}}]
    route: [{{destination: {{host: upstream.test, port: {{number: 81}}}}}}]
  - match: [{{authority: {{prefix: {NGINX_HTTP2_HOST}}}}}]
    route: [{{destination: {{host: upstream.test, port: {{number: 82}}}}}}]
  - route: [{{destination: {{host: upstream.test, port: {{number: 80}}}}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: upstream, namespace: bench}}
spec:
  hosts: [upstream.test]
  ports:
  - {{number: 80, name: http, protocol: HTTP, targetPort: {self.upstream_port}}}
  - {{number: 81, name: http2, protocol: HTTP2, targetPort: {self.http2_upstream_port}}}
  - {{number: 82, name: http2-nginx, protocol: HTTP2, targetPort: {self.nginx_http2_upstream_port}}}
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1}}]
{"".join(secret(bits) for bits in self.key_sizes)}""")

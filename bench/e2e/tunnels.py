#!/usr/bin/env python3
"""What tunnels cost: CPU per GiB that goes through them beside HAProxy, and memory of idle ones.

  bench/e2e/tunnels.py [--sluice build/sluice] [--gib 10] [--rounds 5] [--idle 10000] [--row NAME ...]

Rows: `tcp`, a plain TCP listener of either proxy; `connect`, sluice as an explicit HTTP proxy (CONNECT) beside HAProxy's
plain TCP listener, which knows no CONNECT. HAProxy splices (option splice-auto), and so does sluice. Each direction is a
row of its own: `download` from the upstream, `upload` to it. The rounds are interleaved, each moves its share of --gib
over one connection; figures are CPU time of all threads of the proxy per GiB, medians over the rounds. The proxies are
on one CPU, both ends on another.

Memory: growth of process memory (Pss) over --idle tunnels that have carried a few bytes both ways and are silent for
5 seconds, divided by their number, which the hard limit of descriptors bounds: sluice sets three aside for each.
"""

import argparse
import multiprocessing
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compare import OTHER_CPU, PROXY_CPU, cpu_seconds
from memory import DESCRIPTORS_PER_CONNECTION, process_bytes
from proxies import ROOT, free_port, pids_of, require, wait_for_port

GIB = 1024**3
BLOCK = 1024 * 1024
ORDER_BYTES = 32
HOST = "tunnel.bench.test"
DESCRIPTORS_BESIDES = 200


# --- both ends -------------------------------------------------------------------------------------------

def send_bytes(connection: socket.socket, count: int) -> None:
    """From the page cache, so that the ends leave their CPU to the proxy."""
    block = os.memfd_create("block")
    os.ftruncate(block, BLOCK)
    while count > 0:
        count -= os.sendfile(connection.fileno(), block, 0, min(count, BLOCK))
    os.close(block)


def drop_bytes(connection: socket.socket, count: int) -> None:
    buffer = bytearray(BLOCK)
    while count > 0:
        received = connection.recv_into(buffer, min(count, BLOCK), socket.MSG_TRUNC)  # tcp(7): not even copied
        if received == 0:
            raise RuntimeError(f"the tunnel ended {count} bytes too early")
        count -= received


def order(word: str, count: int = 0) -> bytes:
    """What the upstream is to do: "download" or "upload" so many bytes, or be "idle"."""
    return f"{word} {count}".ljust(ORDER_BYTES).encode()


def serve(port: int) -> None:
    """Each connection begins with order()."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    idle = []
    while True:
        connection, _ = listener.accept()
        wanted = connection.recv(ORDER_BYTES, socket.MSG_WAITALL)
        if len(wanted) < ORDER_BYTES:  # somebody has looked whether the proxy listens
            connection.close()
            continue
        word, count = wanted.decode().split()
        if word == "idle":
            connection.sendall(b"ok")
            idle.append(connection)
            continue
        if word == "download":
            send_bytes(connection, int(count))
        elif word == "upload":
            drop_bytes(connection, int(count))
            connection.sendall(b"ok")
        connection.close()
        idle.clear()


def connect(port: int, is_explicit: bool) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    if is_explicit:
        connection.sendall(f"CONNECT {HOST}:9000 HTTP/1.1\r\nHost: {HOST}:9000\r\n\r\n".encode())
        answer = connection.recv(4096)
        if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"\r\n\r\n"):
            raise RuntimeError(f"CONNECT was answered with {answer!r}")
    connection.settimeout(None)  # sendfile(2) is called without Python's help
    return connection


def move(port: int, is_explicit: bool, direction: str, count: int) -> None:
    with connect(port, is_explicit) as connection:
        connection.sendall(order(direction, count))
        if direction == "download":
            drop_bytes(connection, count)
            return
        send_bytes(connection, count)
        if connection.recv(2) != b"ok":
            raise RuntimeError("the upstream has not taken everything")


def hold_idle(pipe, port: int, is_explicit: bool, count: int) -> None:
    try:
        held = []
        for _ in range(count):
            held.append(connect(port, is_explicit))
            held[-1].sendall(order("idle"))
            if held[-1].recv(2) != b"ok":
                raise RuntimeError("no answer through the tunnel")
        pipe.send("open")
        pipe.recv()
    except Exception as error:  # pylint: disable=broad-exception-caught
        pipe.send(f"{type(error).__name__}: {error}")


# --- proxies ---------------------------------------------------------------------------------------------

def haproxy_configuration(port: int, upstream: int, connections: int) -> str:
    return f"""
global
  nbthread 1
  maxconn {connections}
  no strict-limits
defaults
  mode tcp
  maxconn {connections}
  option splice-auto
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen tunnel
  bind 127.0.0.1:{port}
  server upstream 127.0.0.1:{upstream}
"""


def sluice_configuration(tcp_port: int, proxy_port: int, upstream: int) -> str:
    return f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: istio, namespace: istio-system}}
data:
  mesh: |
    proxyHttpPort: {proxy_port}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: tunnel, namespace: bench}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: {tcp_port}, name: tcp, protocol: TCP}}
    bind: 127.0.0.1
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: tunnel, namespace: bench}}
spec:
  hosts: ["*"]
  gateways: [tunnel]
  tcp:
  - route: [{{destination: {{host: {HOST}, port: {{number: 9000}}}}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: tunnel, namespace: bench}}
spec:
  hosts: [{HOST}]
  ports: [{{number: 9000, name: tcp, protocol: TCP, targetPort: {upstream}}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1}}]
"""


class World:
    def __init__(self, directory: Path, sluice: str, connections: int):
        self.upstream_port = free_port()
        self.ports = {"haproxy": free_port(), "sluice": free_port(), "connect": free_port()}
        self.upstream = multiprocessing.Process(target=self.run_upstream, daemon=True)
        self.upstream.start()
        haproxy, config = directory / "haproxy.cfg", directory / "sluice.yaml"
        haproxy.write_text(haproxy_configuration(self.ports["haproxy"], self.upstream_port, connections + 100))
        config.write_text(sluice_configuration(self.ports["sluice"], self.ports["connect"], self.upstream_port))
        self.commands = {
            "haproxy": ["haproxy", "-db", "-f", str(haproxy)],
            "sluice": [sluice, "run", "--config", str(config), "--concurrency", "1", "--access-log", "off",
                       "--status", f"127.0.0.1:{free_port()}", "--admin", f"127.0.0.1:{free_port()}"],
        }
        self.log = open(directory / "log", "wb")
        self.processes: dict[str, subprocess.Popen] = {}

    def run_upstream(self) -> None:
        os.sched_setaffinity(0, {int(OTHER_CPU)})
        serve(self.upstream_port)

    def start(self, proxy: str) -> subprocess.Popen:
        process = subprocess.Popen(["taskset", "-c", PROXY_CPU, *self.commands[proxy]], stdout=self.log, stderr=self.log)
        self.processes[proxy] = process
        wait_for_port(self.ports[proxy], process)
        return process

    def stop(self, proxy: str) -> None:
        process = self.processes.pop(proxy)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def end(self) -> None:
        for proxy in list(self.processes):
            self.stop(proxy)
        self.upstream.kill()


def measure_bytes(world: World, proxy: str, way: str, direction: str, count: int) -> float:
    """CPU seconds per GiB."""
    before = cpu_seconds(world.processes[proxy])
    move(world.ports[way], way == "connect", direction, count)
    return (cpu_seconds(world.processes[proxy]) - before) * GIB / count


def measure_idle(world: World, proxy: str, way: str, count: int) -> float:
    """Bytes of process memory per tunnel, of a fresh proxy."""
    pids = pids_of(world.start(proxy))
    move(world.ports[way], way == "connect", "upload", 1024)
    time.sleep(2)
    before = process_bytes(pids)
    ours, theirs = multiprocessing.Pipe()
    holder = multiprocessing.Process(target=hold_idle, args=(theirs, world.ports[way], way == "connect", count))
    holder.start()
    said = ours.recv() if ours.poll(600) else "no answer in 600 s"
    if said != "open":
        holder.kill()
        sys.exit(f"{way}: {said}")
    time.sleep(5)
    grown = process_bytes(pids) - before
    ours.send("end")
    holder.join(30)
    world.stop(proxy)
    return grown / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default=str(ROOT / "build" / "sluice"))
    parser.add_argument("--gib", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--row", action="append", choices=["tcp", "connect"])
    options = parser.parse_args()
    require(("haproxy", "haproxy"), ("taskset", "util-linux"), (options.sluice, "scripts/build"))
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard_limit != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
        options.idle = min(options.idle, (hard_limit - DESCRIPTORS_BESIDES) // DESCRIPTORS_PER_CONNECTION)
    os.sched_setaffinity(0, {int(OTHER_CPU)})
    rows = [(row, {"tcp": "sluice", "connect": "connect"}[row]) for row in options.row or ("tcp", "connect")]

    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as directory:
        world = World(Path(directory), options.sluice, options.idle)
        try:
            world.start("haproxy")
            world.start("sluice")
            count = int(options.gib * GIB / options.rounds)
            print(f"CPU seconds per GiB, median of {options.rounds} interleaved rounds of {count / GIB:.2f} GiB\n")
            print(f"{'row':<18} {'sluice':>8} {'haproxy':>8} {'ratio':>6}   spread of the ratio")
            for row, way in rows:
                for direction in ("download", "upload"):
                    pairs = [(measure_bytes(world, "sluice", way, direction, count),
                              measure_bytes(world, "haproxy", "haproxy", direction, count))
                             for _ in range(options.rounds)]
                    ours, theirs = (statistics.median(side) for side in zip(*pairs))
                    ratios = sorted(a / b for a, b in pairs)
                    print(f"{row}/{direction:<{17 - len(row)}} {ours:8.3f} {theirs:8.3f} {ours / theirs:6.2f}   "
                          f"{ratios[0]:.2f} .. {ratios[-1]:.2f}", flush=True)
            for proxy in list(world.processes):
                world.stop(proxy)
            print(f"\nProcess memory per idle tunnel, KiB ({options.idle} tunnels)\n")
            for row, way in rows:
                print(f"{'sluice ' + row:<18} {measure_idle(world, 'sluice', way, options.idle) / 1024:8.2f}", flush=True)
            print(f"{'haproxy tcp':<18} {measure_idle(world, 'haproxy', 'haproxy', options.idle) / 1024:8.2f}", flush=True)
        finally:
            world.end()


if __name__ == "__main__":
    main()

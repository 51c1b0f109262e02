#!/usr/bin/env python3
"""Memory per idle keep-alive connection of sluice beside nginx and HAProxy, and what a spike leaves behind.

  bench/e2e/memory.py [--sluice build/sluice] [--connections 1500] [--spike 15000] [--row NAME ...]

The figure is process memory: Pss of all processes of the proxy (/proc/PID/smaps_rollup, proc(5)). Each figure has a
fresh proxy with one worker that has served a handful of requests; pages of mapped files count as they were then, since
their share changes with what else runs on the machine. Then `--connections` are opened, up to 128 at a time, each sends
one request and stays open; what memory has grown by 5 seconds later, pools and all, divided by their number, is the cost
of one. In the rows "resumed" each of them resumes a TLS session.

The spike opens `--spike` connections and closes them again; memory is looked at before, at its height, and when it has
been quiet for 2 and for 10 seconds after the last one has gone.

Memory of the kernel (sockets, on both sides, and rings) is in no process: the growth of its slabs is printed apart.
The hard limit of descriptors bounds a spike, of all proxies alike: it is made smaller, and that is said.
"""

import argparse
import concurrent.futures
import multiprocessing
import resource
import socket
import ssl
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from proxies import NAMES, ROOT, Listener, Proxies, pids_of, require

BODY = b"hello, world\n"
LISTENERS = [Listener("plain"), Listener("tls1.3", ("1.3",), gives_tickets=True),
             Listener("tls1.2", ("1.2",), gives_tickets=True)]
DESCRIPTORS_PER_CONNECTION = 3  # that sluice sets aside: the client's, the upstream's, and of pipes
DESCRIPTORS_BESIDES = 256
CLIENT_PROCESSES = 4
CLIENT_THREADS = 32  # of each: so many connections are opened at a time
IP_BIND_ADDRESS_NO_PORT = 24  # ip(7): a source port need only be free towards this destination


@dataclass(frozen=True)
class Row:
    listener: str
    resumed: bool = False

    @property
    def name(self) -> str:
        return self.listener + (" resumed" if self.resumed else "")


ROWS = [Row("plain"), Row("tls1.3"), Row("tls1.3", True), Row("tls1.2"), Row("tls1.2", True)]
SPIKES = ROWS[:3]


# --- clients ---------------------------------------------------------------------------------------------

class Client:
    """Connections of one process; `address` is where they come from."""

    def __init__(self, address: str, port: int, row: Row):
        self.address, self.port = address, port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if row.listener != "plain" else None
        self.session = None
        self.open_sockets: list[socket.socket] = []
        if self.context is not None:
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
        first = self.connect()
        if row.resumed:
            self.session = first.session
        first.close()

    def connect(self) -> socket.socket:
        plain = socket.socket()
        plain.settimeout(60)
        plain.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        plain.bind((self.address, 0))
        plain.connect(("127.0.0.1", self.port))
        connection = plain
        if self.context is not None:
            connection = self.context.wrap_socket(plain, server_hostname="x.bench.test", session=self.session)
            if self.session is not None and not connection.session_reused:
                raise RuntimeError("the session was not resumed")
        connection.sendall(b"GET /small HTTP/1.1\r\nHost: x.bench.test\r\n\r\n")
        answer = b""
        while not answer.endswith(BODY):
            received = connection.recv(4096)
            if not received:
                raise RuntimeError(f"the connection ended after {answer!r}")
            answer += received
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"not the answer: {answer!r}")
        return connection

    def open(self, count: int) -> None:
        with concurrent.futures.ThreadPoolExecutor(CLIENT_THREADS) as pool:
            self.open_sockets.extend(pool.map(lambda _: self.connect(), range(count)))

    def close(self) -> None:
        while self.open_sockets:
            self.open_sockets.pop().close()


def serve_crowd(pipe, address: str, port: int, row: Row) -> None:
    try:
        client = Client(address, port, row)
        pipe.send("ready")
        while (count := pipe.recv()) is not None:
            client.open(count) if count > 0 else client.close()
            pipe.send("done")
    except Exception as error:  # pylint: disable=broad-exception-caught
        pipe.send(f"{type(error).__name__}: {error}")


class Crowd:
    """Clients in several processes, each with an address of its own: none of them runs out of ports."""

    def __init__(self, port: int, row: Row):
        self.members = []
        for number in range(CLIENT_PROCESSES):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=serve_crowd, args=(theirs, f"127.0.0.{number + 2}", port, row))
            process.start()
            self.members.append((process, ours))
        self.await_all()

    def open(self, count: int) -> None:
        for number, (_, pipe) in enumerate(self.members):
            pipe.send(count // CLIENT_PROCESSES + (number < count % CLIENT_PROCESSES))
        self.await_all()

    def close(self) -> None:
        for _, pipe in self.members:
            pipe.send(0)
        self.await_all()

    def await_all(self) -> None:
        answers = [pipe.recv() if pipe.poll(600) else "no answer in 600 s" for _, pipe in self.members]
        wrong = [answer for answer in answers if answer not in ("ready", "done")]
        if wrong:
            self.end()
            sys.exit(f"a client failed: {wrong[0]}")

    def end(self) -> None:
        for process, pipe in self.members:
            if process.is_alive():
                pipe.send(None)
            process.join(10)
            if process.is_alive():
                process.kill()


# --- figures ---------------------------------------------------------------------------------------------

def process_bytes(pids: list[int], of: str = "Pss") -> int:
    """A figure of smaps_rollup, of these processes together."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(of + ":"):
                total += int(line.split()[1]) * 1024
    return total


def kernel_slab_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Slab:"):
            return int(line.split()[1]) * 1024
    return 0


def descriptor_count(pids: list[int]) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)


def raise_descriptor_limit(connections: int, spike: int) -> int:
    """As far as it goes; returns the spike that there is room for."""
    wanted = max(connections, spike) * DESCRIPTORS_PER_CONNECTION + DESCRIPTORS_BESIDES
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard_limit == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard_limit))
        return spike
    try:
        higher = max(wanted, hard_limit)
        resource.setrlimit(resource.RLIMIT_NOFILE, (higher, higher))
        return spike
    except (ValueError, OSError):  # it wants privileges
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    possible = (hard_limit - DESCRIPTORS_BESIDES) // DESCRIPTORS_PER_CONNECTION
    if possible < spike:
        print(f"A spike of {possible} connections, not of {spike}: for that the hard limit of descriptors (ulimit -Hn) "
              f"must be {wanted}, and is {hard_limit}.\n")
    return min(possible, spike)


class Measurement:
    """A fresh proxy, and a crowd before it, each member of which has been served once."""

    def __init__(self, proxies: Proxies, proxy: str, row: Row):
        self.proxies = proxies
        self.process = proxies.start_proxy(proxy)
        self.crowd = Crowd(proxies.ports[proxy][row.listener], row)
        self.pids = pids_of(self.process)
        time.sleep(2)
        self.descriptors = descriptor_count(self.pids)
        self.file_bytes = process_bytes(self.pids, "Pss_File")

    def close_all(self) -> None:
        self.crowd.close()
        for _ in range(600):  # until the proxy has seen it; idle connections to the upstream stay
            if descriptor_count(self.pids) <= self.descriptors + 2 * CLIENT_PROCESSES * CLIENT_THREADS:
                return
            time.sleep(0.05)
        sys.exit("the proxy still has its descriptors after 30 seconds")

    def memory(self) -> int:
        return process_bytes(self.pids) - process_bytes(self.pids, "Pss_File") + self.file_bytes

    def end(self) -> None:
        self.crowd.end()
        self.proxies.stop(self.process)


def measure_idle(proxies: Proxies, proxy: str, row: Row, connections: int) -> tuple[float, float]:
    """Bytes of process memory and of kernel memory per connection."""
    measurement = Measurement(proxies, proxy, row)
    before, kernel_before = measurement.memory(), kernel_slab_bytes()
    measurement.crowd.open(connections)
    time.sleep(5)
    grown, kernel_grown = measurement.memory() - before, kernel_slab_bytes() - kernel_before
    measurement.end()
    return grown / connections, kernel_grown / connections


def measure_spike(proxies: Proxies, proxy: str, row: Row, connections: int) -> list[int]:
    """Bytes of process memory before, at the height, and after 2 and 10 quiet seconds."""
    measurement = Measurement(proxies, proxy, row)
    figures = [measurement.memory()]
    measurement.crowd.open(connections)
    figures.append(measurement.memory())
    measurement.close_all()
    for seconds in (2, 8):
        time.sleep(seconds)
        figures.append(measurement.memory())
    measurement.end()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default=str(ROOT / "build" / "sluice"))
    parser.add_argument("--connections", type=int, default=1500)
    parser.add_argument("--spike", type=int, default=15000, help="0: none")
    parser.add_argument("--row", action="append", choices=[row.name for row in ROWS], help="only this row (may be repeated)")
    parser.add_argument("--proxy", action="append", choices=NAMES, help="only this one (may be repeated)")
    options = parser.parse_args()
    require(("nginx", "nginx"), ("haproxy", "haproxy"), (options.sluice, "scripts/build"))
    wanted = options.proxy or NAMES
    options.spike = raise_descriptor_limit(options.connections, options.spike)

    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as directory:
        # nginx and HAProxy take connections up to a number, and count those to the upstream too.
        proxies = Proxies(Path(directory), options.sluice, LISTENERS, {"small": BODY},
                          connections_max=max(options.spike, options.connections) + 2048)
        try:
            proxies.start_upstream()
            print(f"Process memory per idle connection, KiB ({options.connections} connections; growth of the kernel's slabs "
                  "behind it)\n")
            print(f"{'row':<18}" + "".join(f"{proxy:>18}" for proxy in wanted))
            for row in ROWS:
                if options.row and row.name not in options.row:
                    continue
                figures = [measure_idle(proxies, proxy, row, options.connections) for proxy in wanted]
                print(f"{row.name:<18}" + "".join(f"{process / 1024:10.2f} ({kernel / 1024:4.1f})" for process, kernel in figures),
                      flush=True)
            if options.spike == 0:
                return
            print(f"\nProcess memory around a spike of {options.spike} connections, MiB\n")
            print(f"{'row':<18}{'proxy':<10}{'before':>8}{'height':>8}{'2 s after':>11}{'10 s after':>11}   after / before")
            for row in SPIKES:
                if options.row and row.name not in options.row:
                    continue
                for proxy in wanted:
                    before, height, soon, later = measure_spike(proxies, proxy, row, options.spike)
                    print(f"{row.name:<18}{proxy:<10}" + f"{before / 2**20:8.1f}{height / 2**20:8.1f}{soon / 2**20:11.1f}"
                          f"{later / 2**20:11.1f}   {later / before:.2f}", flush=True)
        finally:
            proxies.stop_all()


if __name__ == "__main__":
    main()

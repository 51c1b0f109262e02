"""Processes of the benchmarks: started on CPUs of their choice, stopped by their number, and what they have cost."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path


class BenchError(Exception):
    """A figure cannot be had; the text says why, and what to do about it if anything can be done."""


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
    raise BenchError("no free port was found")


def wait_for_port(port: int, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise BenchError(f"{process.args} ended with status {process.returncode} before it listened on port {port}:\n"
                             + log.read_text(errors="replace")[-2000:])
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise BenchError(f"{process.args}: nothing listens on port {port} after 30 seconds")


def start(cpus: str, port: int, log: Path, command: list[str]) -> subprocess.Popen:
    """Returns once `port` is listened on."""
    with open(log, "ab") as stream:
        process = subprocess.Popen(["taskset", "-c", cpus, *command], stdout=stream, stderr=stream,
                                   stdin=subprocess.DEVNULL)
    try:
        wait_for_port(port, process, log)
    except BenchError:
        stop(process)
        raise
    return process


def stop(process: subprocess.Popen) -> None:
    """SIGQUIT or SIGTERM, whichever ends at once: none of these is asked to drain."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
    if process.poll() is None:
        for pid in reversed(pids_of(process)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def pids_of(process: subprocess.Popen) -> list[int]:
    """Of the process and of its children that run now."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [process.pid, *map(int, children.split())]


def cpu_seconds(process: subprocess.Popen) -> float:
    """User and system time of a process and of its children, those that have ended among them.

    The CPU clock of a process (clock_getcpuclockid(3)) counts nanoseconds of all of its threads, those that have ended
    and the kernel's workers for its io_uring (iou-wrk) among them. What has been waited for is in the parent's stat.
    """
    clock_of_process = 2  # CPUCLOCK_SCHED of the kernel
    total = 0.0
    for pid in pids_of(process):
        with contextlib.suppress(OSError):  # it has just ended
            total += time.clock_gettime((~pid << 3) | clock_of_process)
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return total + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pids: list[int], kind: str = "Pss") -> int:
    """A figure of smaps_rollup (proc(5)), of these processes together; of one that has just ended, nothing."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):  # a worker of before a reload
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind + ":"))
    return total


def descriptor_count(pids: list[int]) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)

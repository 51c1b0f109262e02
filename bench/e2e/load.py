"""Load generators, each as a function that runs one for some seconds and returns what it has found.

All of them count what was answered and what was not; an error of any kind is a BenchError, so that no figure is of
work that went wrong. The figures have "requests" among them.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from configurations import HOST, SUITE_OF_TLS12, host_names
from processes import BenchError

MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Aim:
    """What a generator is pointed at, and where it runs."""

    port: int
    is_tls: bool
    cpus: str
    tools: Path
    folder: Path  # for what it needs to read

    @property
    def scheme(self) -> str:
        return "https" if self.is_tls else "http"


def run(aim: Aim, seconds: float, *command: str) -> str:
    try:
        done = subprocess.run(["taskset", "-c", aim.cpus, *command], capture_output=True, text=True,
                              timeout=seconds + 60, check=False)
    except subprocess.TimeoutExpired as expired:
        raise BenchError(f"{command[0]} does not end") from expired
    if done.returncode != 0:
        raise BenchError(f"{Path(command[0]).name} failed: {(done.stdout + done.stderr).strip()[-500:]}")
    return done.stdout


def wrk_command(aim: Aim, seconds: float, path: str, connections: int, script: Path | None) -> list[str]:
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "10s", "--latency", "-H", f"Host: {HOST}",
            *([] if script is None else ["-s", str(script)]), f"{aim.scheme}://127.0.0.1:{aim.port}/{path}"]


def read_wrk(output: str, tolerates_errors: bool = False) -> dict[str, float]:
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    failed = sum(map(int, errors.groups())) if errors else 0
    figures = {"requests": int(re.search(r"(\d+) requests in", output).group(1))}
    if wrong or (failed and not tolerates_errors):
        raise BenchError(f"errors under load:\n{output}")
    if figures["requests"] == 0:
        raise BenchError("nothing was answered")
    for share, name in ((50, "p50_ms"), (99, "p99_ms")):
        found = re.search(rf"^\s+{share}%\s+([\d.]+)(us|ms|s|m)$", output, re.MULTILINE)
        if found:
            figures[f"closed_loop_{name}"] = float(found.group(1)) * MILLISECONDS[found.group(2)]
    if tolerates_errors:
        figures["failed"] = failed
    return figures


def wrk(aim: Aim, seconds: float, path: str, connections: int = 64, tolerates_errors: bool = False) -> dict[str, float]:
    """HTTP/1.1 with keep-alive, as fast as it is answered."""
    return read_wrk(run(aim, seconds, *wrk_command(aim, seconds, path, connections, None)), tolerates_errors)


def script(aim: Aim, name: str, text: str) -> Path:
    path = aim.folder / f"{name}.lua"
    path.write_text(text)
    return path


def upload(aim: Aim, seconds: float, size: int, connections: int = 64) -> dict[str, float]:
    lua = script(aim, f"upload-{size}", f'wrk.method = "POST"\nwrk.body = string.rep("x", {size})\n')
    return read_wrk(run(aim, seconds, *wrk_command(aim, seconds, "upload", connections, lua)))


def many_hosts(aim: Aim, seconds: float, path: str, hosts: int, connections: int = 64) -> dict[str, float]:
    """Each request names another of the hosts, in an order that no cache foresees."""
    names = ", ".join(f'"{name}"' for name in host_names(hosts))
    lua = script(aim, f"hosts-{hosts}", f"""
local names, requests, at = {{{names}}}, {{}}, 0
init = function()
  for i, name in ipairs(names) do requests[i] = wrk.format("GET", "/{path}", {{Host = name}}) end
end
request = function()
  at = (at + 7919) % #requests
  return requests[at + 1]
end
""")
    return read_wrk(run(aim, seconds, *wrk_command(aim, seconds, path, connections, lua)))


def h2load(aim: Aim, seconds: float, path: str, connections: int = 64, streams: int = 10) -> dict[str, float]:
    output = run(aim, seconds, "h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds:.0f}",
                 f"--connect-to=127.0.0.1:{aim.port}", f"{aim.scheme}://{HOST}/{path}")
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", output)
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    if not counts or not statuses or counts.group(1) == "0" or any(
            number != "0" for number in (*counts.groups()[1:], *statuses.groups()[1:])):
        raise BenchError(f"errors under load:\n{output}")
    return {"requests": int(counts.group(1))}


def counted(output: str) -> dict[str, float]:
    """What our own generators print."""
    figures = {"requests": int(re.match(r"(\d+) requests", output).group(1))}
    for share, name in (("p50", "p50_ms"), ("p99", "p99_ms"), ("p99.9", "p999_ms")):
        found = re.search(rf"{re.escape(share)} ([\d.]+) ms", output)
        if found:
            figures[name] = float(found.group(1))
    if figures["requests"] == 0:
        raise BenchError("nothing was answered")
    return figures


def new_connections(aim: Aim, seconds: float, kind: str, path: str = "small", connections: int = 64) -> dict[str, float]:
    """`kind`: plain, full or resumed, see bench/e2e/connection_load.cc."""
    return {"requests": counted(run(aim, seconds, str(aim.tools / "connection_load"), kind, f"127.0.0.1:{aim.port}",
                                    f"/{path}", str(connections), f"{seconds:.0f}"))["requests"]}


def resumed_tls12(aim: Aim, seconds: float, clients: int = 8) -> dict[str, float]:
    """Handshakes alone, by openssl's s_time: our own client resumes TLS 1.2 by session ids, which nobody here keeps."""
    command = ["taskset", "-c", aim.cpus, "openssl", "s_time", "-connect", f"127.0.0.1:{aim.port}", "-reuse", "-tls1_2",
               "-cipher", SUITE_OF_TLS12, "-time", f"{seconds:.0f}"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(clients)]
    total = 0
    try:
        for client in running:
            output, _ = client.communicate(timeout=seconds + 60)
            count = re.search(r"(\d+) connections in \d+ real seconds", output)
            marks = re.search(r"^starting\n(.*)$", output, re.MULTILINE)  # of each connection: r, it was resumed
            if client.returncode != 0 or not count or not marks or set(marks.group(1)) - set("r "):
                raise BenchError(f"openssl s_time failed, or resumed nothing: {output.strip()[-300:]}")
            total += int(count.group(1))
    except subprocess.TimeoutExpired as expired:
        raise BenchError("openssl s_time does not end") from expired
    finally:
        for client in running:
            if client.poll() is None:
                client.kill()
                client.wait()
    return {"requests": total}


def open_paced(aim: Aim, seconds: float, rate: int, path: str = "small", connections: int = 64) -> subprocess.Popen:
    """All connections are open when it returns, see bench/e2e/paced_load.cc; finish_paced() is next. Rate 0: closed loop."""
    process = subprocess.Popen(
        ["taskset", "-c", aim.cpus, str(aim.tools / "paced_load"), "tls" if aim.is_tls else "plain",
         f"127.0.0.1:{aim.port}", f"/{path}", str(connections), str(rate), f"{seconds:.0f}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = process.stdout.readline()  # it waits for a minute at most
    if said.strip() != "open":
        process.kill()
        process.wait()
        raise BenchError(said.strip() or "paced_load has ended")
    return process


def finish_paced(process: subprocess.Popen, seconds: float) -> dict[str, float]:
    try:
        output, _ = process.communicate("go\n", timeout=seconds + 60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise BenchError(f"paced_load failed: {output.strip()[-500:]}")
    return counted(output)


def websocket(aim: Aim, seconds: float, connections: int = 64) -> dict[str, float]:
    return counted(run(aim, seconds, str(aim.tools / "websocket_load"), f"127.0.0.1:{aim.port}", "/echo",
                       str(connections), f"{seconds:.0f}"))

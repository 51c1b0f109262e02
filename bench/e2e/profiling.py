"""Where sluice spends its time in a row: the row's own load, and a profiler beside it.

perf(1) samples the program and the kernel, by the counter of cycles or, in a machine without counters, by a timer. A file
of folded stacks (for other tools), the functions with the largest shares of their own, and a flame graph are written.

Callgrind is no way: Debian 12's valgrind keeps its lock while a thread is in io_uring_enter(2), and so the other threads
of the program never run.
"""

import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import flamegraph
from measure import Bench
from processes import BenchError
from rows import Row

SECONDS = 5
SAMPLES_PER_SECOND = 999
SHOWN = 40


def perf_event() -> str:
    """The best that perf can sample by; "" if it can do nothing."""
    def can(*arguments: str) -> bool:
        try:
            run = subprocess.run(["perf", *arguments, "true"], capture_output=True, text=True, timeout=30, check=False)
        except OSError:
            return False
        return run.returncode == 0 and "not supported" not in run.stderr

    if can("stat", "-e", "cycles"):
        return "cycles"
    return "cpu-clock" if can("record", "-q", "-e", "cpu-clock", "-o", "/dev/null") else ""


def profile_rows(bench: Bench, rows: list[Row], folder: Path) -> int:
    event = perf_event()
    if not event:
        raise BenchError("perf cannot sample here: it needs root, or kernel.perf_event_paranoid of 1 or less")
    folder.mkdir(parents=True, exist_ok=True)
    failed = False
    for row in rows:
        try:
            stacks = profile(bench, row, event, folder / "perf.data")
            write(folder / row.name.replace("/", "-"), stacks, f"sluice, {row.name}, by perf ({event})")
        except (BenchError, OSError, subprocess.SubprocessError) as error:
            print(f"{row.name}  FAILED: {error}", flush=True)
            failed = True
    print(f"\nprofiles: {folder}")
    return 1 if failed else 0


def write(path: Path, stacks: Counter, title: str) -> None:
    if not stacks:
        raise BenchError("the profiler has seen nothing")
    total = sum(stacks.values())
    own: Counter = Counter()
    for names, cost in stacks.items():
        own[names[-1]] += cost
    table = "".join(f"{100 * cost / total:6.2f} %  {name}\n" for name, cost in own.most_common(SHOWN))
    path.with_name(path.name + ".folded").write_text("".join(f"{';'.join(names)} {cost}\n" for names, cost in stacks.items()))
    path.with_name(path.name + ".txt").write_text(f"{title}\n\n{table}")
    path.with_name(path.name + ".svg").write_text(flamegraph.svg(stacks, title))
    print(f"{title}\n{table}", flush=True)


def profile(bench: Bench, row: Row, event: str, data: Path) -> Counter:
    """Stacks are unwound by the tables for exceptions: the program has no frame pointers."""
    if row.check is not None:
        row.check(bench, row.sides[0])
    row.measure(bench, row.sides[0], 1)
    process = bench.running(row.sides[0]).process
    record = subprocess.Popen(["taskset", "-c", bench.proxies.other_cpus, "perf", "record", "-q", "-e", event, "-F",
                               str(SAMPLES_PER_SECOND), "--call-graph", "dwarf,16384", "-p", str(process.pid), "-o", str(data)],
                              stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        row.measure(bench, row.sides[0], SECONDS)
    finally:
        if record.poll() is None:
            record.send_signal(signal.SIGINT)  # it writes down what it has
        said = record.communicate(timeout=60)[1]
    if not data.exists():
        raise BenchError(f"perf recorded nothing: {said}")
    script = subprocess.run(["perf", "script", "-i", str(data), "-F", "ip,sym,dso", "--no-inline"], capture_output=True,
                            text=True, timeout=500, check=False).stdout
    data.unlink()
    return fold(script)


def fold(script: str) -> Counter:
    stacks: Counter = Counter()
    for sample in script.split("\n\n"):
        names = []
        for line in sample.strip().splitlines():
            found = re.match(r"\s*[0-9a-f]+ (.*?)(?:\+0x[0-9a-f]+)? \((\S+)\)$", line)
            if found:
                is_kernel = "kernel" in found.group(2) or found.group(2).startswith("[")
                names.append(short_name(found.group(1)) + (" [k]" if is_kernel else ""))
        if names:
            stacks[tuple(reversed(names))] += 1
    return stacks


def short_name(name: str) -> str:
    """Without parameters and our own namespace."""
    name = re.sub(r"\(.*\)( const)?( \[clone .*\])?$", "", name.replace("(anonymous namespace)::", ""))
    return name.replace("sluice::", "").replace(";", ",")

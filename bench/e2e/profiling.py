"""Where sluice spends its time in a row: the row's own load, and a profiler beside it.

perf(1) samples the program and the kernel, by the counter of cycles or, in a machine without counters, by a timer; where
it may not, callgrind counts the instructions of the program alone, with everything some fifty times slower. A file of
folded stacks (for other tools), the functions with the largest shares of their own, and a flame graph are written.
"""

import re
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
CALLERS = 24  # that callgrind tells apart
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


def profile_rows(bench: Bench, rows: list[Row], folder: Path, tool: str) -> int:
    event = perf_event() if tool in ("auto", "perf") else ""
    if tool == "perf" and not event:
        raise BenchError("perf cannot sample here: try --profile callgrind")
    folder.mkdir(parents=True, exist_ok=True)
    failed = False
    for row in rows:
        try:
            stacks, by = profile_with_perf(bench, row, event, folder) if event else profile_with_callgrind(bench, row, folder)
            write(folder / row.name.replace("/", "-"), stacks, f"sluice, {row.name}, by {by}")
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


def put_load(bench: Bench, row: Row, seconds: float) -> None:
    if row.check is not None:
        row.check(bench, row.sides[0])
    row.measure(bench, row.sides[0], seconds)


# --- perf ------------------------------------------------------------------------------------------------

def profile_with_perf(bench: Bench, row: Row, event: str, folder: Path) -> tuple[Counter, str]:
    """Stacks are unwound by the tables for exceptions: the program has no frame pointers."""
    process = bench.running(row.sides[0]).process
    data = folder / "perf.data"
    put_load(bench, row, 1)
    record = subprocess.Popen(["taskset", "-c", bench.proxies.other_cpus, "perf", "record", "-q", "-e", event, "-F",
                               str(SAMPLES_PER_SECOND), "--call-graph", "dwarf,16384", "-p", str(process.pid), "-o", str(data)],
                              stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        row.measure(bench, row.sides[0], SECONDS)
    finally:
        if record.poll() is None:
            record.send_signal(2)  # SIGINT: it writes down what it has
        said = record.communicate(timeout=60)[1]
    if not data.exists():
        raise BenchError(f"perf recorded nothing: {said}")
    script = subprocess.run(["perf", "script", "-i", str(data), "-F", "ip,sym,dso", "--no-inline"], capture_output=True,
                            text=True, timeout=500, check=False).stdout
    data.unlink()
    return fold_perf(script), f"perf ({event})"


def fold_perf(script: str) -> Counter:
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


# --- callgrind -------------------------------------------------------------------------------------------

def profile_with_callgrind(bench: Bench, row: Row, folder: Path) -> tuple[Counter, str]:
    out = folder / "callgrind.out"
    out.unlink(missing_ok=True)
    side = row.sides[0]
    instance = bench.proxies.instance(side.proxy, side.setup)
    bench.proxies.stop(instance)
    bench.proxies.wrappers["sluice"] = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", "--compress-strings=no",
                                        "--compress-pos=no", f"--separate-callers={CALLERS}", "--instr-atstart=yes"]
    try:
        put_load(bench, row, SECONDS)
    finally:
        bench.proxies.stop(instance)
        del bench.proxies.wrappers["sluice"]
    written = sorted(folder.glob("callgrind.out*"))
    if not written:
        raise BenchError("callgrind has written nothing")
    stacks: Counter = Counter()
    for path in written:
        stacks += fold_callgrind(path.read_text(errors="replace"))
        path.unlink()
    return stacks, "callgrind (instructions)"


def fold_callgrind(text: str) -> Counter:
    """What each function has cost itself, in the context of its callers, which callgrind appends to its name."""
    stacks: Counter = Counter()
    names: tuple[str, ...] = ()
    of_callee = False
    for line in text.splitlines():
        if line.startswith("fn="):
            names = tuple(short_name(name) for name in reversed(line[3:].split("'")) if not name.isdigit())
        elif line.startswith("calls="):
            of_callee = True  # the next line has the inclusive cost of the call
        elif line[:1].isdigit():
            if not of_callee:
                stacks[names] += int(line.split()[-1])
            of_callee = False
    return stacks

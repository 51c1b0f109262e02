#!/usr/bin/python3
"""CPU, latency and memory of sluice beside nginx and HAProxy, in one run. Called by scripts/bench.

Each row (rows.py) is measured in rounds in which all sides have their turn; results go to bench/results: every figure as
JSON, medians and spread as Markdown, plots as PNG and SVG. A row that fails is named at the end, and the exit status is
1; the others keep their figures. docs/performance.md says how to read them.
"""

import argparse
import contextlib
import datetime
import fnmatch
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import profiling
import proxies
import report
from crowd import raise_descriptor_limit
from measure import Bench
from processes import BenchError
from report import Found
from rows import Row, all_rows

ROOT = Path(__file__).resolve().parents[2]
QUICK_SIDES = ("nginx12", "haproxy12")  # that --quick leaves out


# --- the machine -----------------------------------------------------------------------------------------

def siblings(cpu: int) -> set[int]:
    """CPUs that share a core with this one, itself among them."""
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    if not path.exists():
        return {cpu}
    result = set()
    for part in path.read_text().strip().split(","):
        first, _, last = part.partition("-")
        result |= set(range(int(first), int(last or first) + 1))
    return result


def divide_cpus() -> tuple[list[int], list[int]]:
    """Those of proxies, the second one for the row of two shards if there are enough, and those of everything else."""
    free = sorted(os.sched_getaffinity(0))
    if len(free) < 2:
        raise BenchError("there is one CPU only: the proxy needs one of its own, and the load another")
    for_proxies: list[int] = []
    for wanted in (1, 2):
        without = [cpu for cpu in free if not any(cpu in siblings(taken) for taken in for_proxies)]
        if wanted == 1 or len(without) >= 3:
            for_proxies.append(without[0])
    others = [cpu for cpu in free if not any(cpu in siblings(taken) for taken in for_proxies)]
    return for_proxies, others or [cpu for cpu in free if cpu not in for_proxies]


CONGESTION_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")


@contextlib.contextmanager
def congestion_control_of_linux():
    """cubic, the kernel's own choice, while it lasts: bbr paces with timers what goes to loopback, and for figures of
    whole bodies that costs more than all that a proxy does. Where it may not be changed, it stays as it is."""
    before = CONGESTION_CONTROL.read_text().strip()
    try:
        CONGESTION_CONTROL.write_text("cubic")
    except OSError:
        print(f"the machine's TCP congestion control, {before}, may not be changed to cubic: it stays")
        before = None
    try:
        yield
    finally:
        if before is not None:
            CONGESTION_CONTROL.write_text(before)


def output_of(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    return (run.stdout + run.stderr).strip()


def machine() -> dict:
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1])
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    congestion_control = CONGESTION_CONTROL.read_text().strip()
    return {"cpu": cpu, "cpus": os.cpu_count(), "kernel": platform.release(), "system": system,
            "tcp_congestion_control": congestion_control, "memory_gib": round(memory / 2**20, 1)}


def facts_of(options: argparse.Namespace, programs: proxies.Programs, cpus: tuple[list[int], list[int]]) -> dict:
    generators = {"wrk": output_of("wrk", "-v").splitlines()[0], "h2load": output_of("h2load", "--version"),
                  "nghttpd": output_of("nghttpd", "--version")}
    return {"date": datetime.date.today().isoformat(), "commit": output_of("git", "rev-parse", "--short", "HEAD"),
            "is_modified": bool(output_of("git", "status", "--porcelain", "--untracked-files=no")), "machine": machine(),
            "versions": {**programs.versions, **generators},
            "options": {"rounds": options.rounds, "seconds": options.seconds, "quick": options.quick,
                        "proxy_cpus": cpus[0], "other_cpus": cpus[1]}}


# --- rows ------------------------------------------------------------------------------------------------

def measure_row(bench: Bench, row: Row, rounds: int) -> Found:
    found = Found(row)
    try:
        bench.proxies.stop_except([(side.proxy, side.setup) for side in row.sides])
        for side in row.sides:
            if row.check is not None:
                row.check(bench, side)
            if row.warms_up:
                row.measure(bench, side, 1)
        for _ in range(min(rounds, row.rounds_max)):
            for side in row.sides:
                found.rounds.setdefault(side.name, []).append(row.measure(bench, side, bench.seconds))
    except BenchError as error:
        found.failure = str(error)
    except Exception as error:  # pylint: disable=broad-exception-caught  # the other rows go on
        found.failure = f"{type(error).__name__}: {error}"
    return found


def print_row(found: Found) -> None:
    metric = found.row.metric
    figures = "  ".join(f"{side.name} {report.spread(found.values(side.name, metric))}" for side in found.row.sides)
    print(f"{found.row.name}  [{report.UNITS[metric]}]  {figures}", flush=True)
    for ratio in report.ratios(found):
        print(f"    against {ratio.side}: {report.verdict(ratio)}", flush=True)
    if found.failure:
        print(f"    FAILED: {found.failure}", flush=True)


def chosen_rows(options: argparse.Namespace) -> list[Row]:
    rows = [row for row in all_rows() if not options.row or any(fnmatch.fnmatch(row.name, wanted) for wanted in options.row)]
    if not rows:
        raise BenchError(f"there is no row {' '.join(options.row)}: --list names them")
    if options.quick:
        rows = [row for row in rows if row.is_main or options.row]
    left_out = set(QUICK_SIDES if options.quick else ()) | set(options.without)
    return [Row(**{**vars(row), "sides": tuple(side for side in row.sides if side.proxy not in left_out)}) for row in rows]


def run(options: argparse.Namespace, folder: Path) -> int:
    programs = proxies.find_programs(options.sluice, options.peers)
    cpus = divide_cpus()
    rows = chosen_rows(options)
    facts = facts_of(options, programs, cpus)
    connections_max = raise_descriptor_limit()
    name = f"{facts['date']}-{facts['commit']}" + ("-quick" if options.quick else "") + ("-rows" if options.row else "")
    all_found: list[Found] = []
    world = proxies.Proxies(folder, programs, *cpus)
    try:
        world.start_upstreams()
        bench = Bench(world, options.seconds, connections_max)
        if options.profile:
            return profiling.profile_rows(bench, rows, options.output / f"{name}-profile")
        for row in rows:
            all_found.append(measure_row(bench, row, options.rounds))
            print_row(all_found[-1])
            report.write(options.output, name, facts, all_found)  # what there is, should the run be interrupted
    finally:
        world.stop_all()
    import plots  # pylint: disable=import-outside-toplevel  # only now: it takes a second
    plots.write(options.output, name, all_found)
    print(f"\nresults: {options.output / name}.md, .json, and plots")
    missed = [f"{found.row.name} against {ratio.side}" for found in all_found for ratio in report.ratios(found)
              if ratio.holds is False]
    failed = [found.row.name for found in all_found if found.failure]
    print(f"bars missed: {', '.join(missed) or 'none'}")
    print(f"rows failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", action="append", metavar="NAME",
                        help="only this row; may be repeated, and be a pattern: 'http/*'")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    parser.add_argument("--quick", action="store_true",
                        help="two minutes: the main rows, one round of one second, Debian 13's peers only")
    parser.add_argument("--rounds", type=int, help="5 by default")
    parser.add_argument("--seconds", type=int, help="of a round of a side, 3 by default")
    parser.add_argument("--without", action="append", default=[], choices=proxies.NAMES[1:], help="leave out this side")
    parser.add_argument("--profile", action="store_true", help="profile sluice in the rows instead, with flame graphs (perf)")
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results", help="folder of the results")
    parser.add_argument("--keep", action="store_true", help="keep the folder with configurations and logs, and say where it is")
    parser.add_argument("--sluice", type=Path, default=ROOT / "build" / "sluice", help=argparse.SUPPRESS)
    parser.add_argument("--peers", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    return options


def main() -> int:
    options = parse_arguments()
    if options.list:
        for row in all_rows():
            print(f"{row.name:<26} {row.about}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    try:
        with congestion_control_of_linux():
            return run(options, folder)
    except BenchError as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 1
    finally:
        if options.keep:
            print(f"configurations and logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

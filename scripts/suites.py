#!/usr/bin/python3
"""Runs every suite of a build folder and counts single cases, not executables. Called by scripts/test.

What is run: every test that meson knows (unit tests, simulator, replay of fuzz inputs, tidy), then
scripts/instructions for a release build, then tests/integration with pytest against the program of that
build. Every suite has a time limit; a crash or a time-out counts as a failed case. The last line of the
output is `N passed, M failed`.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

PYTEST_SUITE_SECONDS = 3600 if os.environ.get("SLUICE_FULL", "") not in ("", "0") else 1800
PYTEST_CASE_SECONDS = 120
INSTRUCTIONS_SECONDS = 600
MESON_SKIP_STATUS = 77
TAIL_LINES = 40

# Sanitizers slow everything down; meson.build states limits for plain builds.
SLOWNESS = {"asan": 4, "tsan": 8}

SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}
SYMBOLIZER = "/usr/bin/llvm-symbolizer-19"


@dataclasses.dataclass
class Outcome:
    """What one suite did."""

    name: str
    passed: int = 0
    failures: list = dataclasses.field(default_factory=list)  # (case, reason)
    skips: list = dataclasses.field(default_factory=list)  # (case, reason)
    notes: list = dataclasses.field(default_factory=list)  # (case, what is to be done): no failures
    seconds: float = 0.0
    log: pathlib.Path | None = None


@dataclasses.dataclass
class Finished:
    """What one process did: its exit status, or None when it ran out of time."""

    status: int | None
    output: str


live = set()  # processes that must not outlive an interrupted run


def end_interrupted(number, _frame):
    for process in list(live):
        kill_group(process, reap=False)
    os._exit(128 + number)


def run_bounded(command, seconds, log, environment, directory):
    """Runs a command in its own process group. Whatever it started ends with it."""
    with open(log, "wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   cwd=directory, env=environment, start_new_session=True)
        live.add(process)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
            stop_group(process)
        finally:
            kill_group(process)
            live.discard(process)
    return Finished(status, pathlib.Path(log).read_text(encoding="utf-8", errors="replace"))


def stop_group(process):
    """Asks first: pytest then still writes down what it has seen."""
    try:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(10)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass


def kill_group(process, reap=True):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if reap:
        process.wait()


def describe_status(status, seconds):
    if status is None:
        return f"ran out of time ({seconds} s)"
    if status < 0:
        return f"died of {signal.Signals(-status).name}"
    return f"exit status {status}"


# --- gtest executables ---------------------------------------------------------------------------

CASE_STARTED = re.compile(r"\[ RUN      \] (\S+)")
CASE_ENDED = re.compile(r"\[(       OK|  FAILED |  SKIPPED) \] ([^\s,]+).*\(\d+ ms\)")


def count_gtest(outcome, finished, seconds):
    """Reads the progress lines rather than gtest's own report, which a crash would not leave behind."""
    running = None
    said = []
    for line in finished.output.splitlines():
        ended = CASE_ENDED.search(line)
        started = CASE_STARTED.search(line)
        if ended:
            record_case(outcome, ended.group(1).strip(), ended.group(2), said)
            running, said = None, []
        elif started:
            running, said = started.group(1), []
        elif line.strip():
            said.append(line.strip())
    if running is not None:
        outcome.failures.append((running, describe_status(finished.status, seconds)))
    elif finished.status != 0 and not outcome.failures:
        outcome.failures.append(("whole suite", describe_status(finished.status, seconds)))
    elif outcome.passed + len(outcome.failures) + len(outcome.skips) == 0:
        outcome.failures.append(("whole suite", "no test case ran"))


def record_case(outcome, verdict, case, said):
    if verdict == "OK":
        outcome.passed += 1
    elif verdict == "SKIPPED":
        # gtest prints "file:line: Skipped" and the message on the next line.
        outcome.skips.append((case, said[-1] if said else "no reason given"))
    else:
        outcome.failures.append((case, " ".join(said[:4])[:200] if said else "see the log"))


def is_gtest(test):
    if test["protocol"] == "gtest":
        return True
    try:
        return b"gtest_output" in pathlib.Path(test["cmd"][0]).read_bytes()
    except OSError:
        return False


# --- meson's tests -------------------------------------------------------------------------------

def known_tests(build):
    listing = subprocess.run(["meson", "introspect", "--tests", str(build)], capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        sys.exit(f"suites: error: listing the tests of {build}: meson says: {listing.stderr.strip()}; "
                 "run scripts/build first")
    return json.loads(listing.stdout)


def run_meson_test(test, options):
    name = test["name"]
    seconds = (test.get("timeout") or 30) * SLOWNESS.get(options.type, 1)
    log = options.logs / (re.sub(r"[^\w.-]+", "_", name) + ".log")
    environment = {**options.environment, **test.get("env", {})}
    started = time.monotonic()
    finished = run_bounded(test["cmd"], seconds, log, environment, test.get("workdir") or options.build)
    outcome = Outcome(name, log=log)
    if is_gtest(test):
        count_gtest(outcome, finished, seconds)
    elif finished.status == 0:
        outcome.passed = 1
    elif finished.status == MESON_SKIP_STATUS:
        lines = finished.output.strip().splitlines()
        outcome.skips.append((name, lines[-1] if lines else "no reason given"))
    else:
        outcome.failures.append((name, describe_status(finished.status, seconds)))
    outcome.seconds = time.monotonic() - started
    return outcome


def run_meson_tests(options):
    tests = [test for test in known_tests(options.build) if options.selects(test["name"])]
    # The integration tests have a pass of their own below, where each case is counted.
    tests = [test for test in tests if not any("pytest" in part for part in test["cmd"])]
    together = [test for test in tests if test.get("is_parallel", True)]
    alone = [test for test in tests if not test.get("is_parallel", True)]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for outcome in pool.map(lambda test: run_meson_test(test, options), together):
            yield outcome
    for test in alone:
        yield run_meson_test(test, options)


# --- instruction counts ----------------------------------------------------------------------------

def run_instructions(options):
    name = "instructions"
    if not options.selects(name):
        return
    outcome = Outcome(name)
    if options.instructions is None:
        outcome.skips.append((name, f"counted with builds by g++, not of type {options.type}"))
        yield outcome
        return
    outcome.log = options.logs / f"{name}.log"
    command = [sys.executable, str(options.root / "scripts" / "instructions"), "--build", str(options.instructions),
               "--jobs", str(options.jobs)]
    started = time.monotonic()
    finished = run_bounded(command, INSTRUCTIONS_SECONDS, outcome.log, options.environment, options.root)
    verdicts = {"ok": None, "lower": outcome.notes, "FAILED": outcome.failures, "skipped": outcome.skips}
    for verdict, case, reason in re.findall(r"^(ok|lower|FAILED|skipped) (\S+): (.*)$", finished.output, re.MULTILINE):
        outcome.passed += verdict in ("ok", "lower")
        if verdicts[verdict] is not None:
            verdicts[verdict].append((case, reason))
    if finished.status not in (0, MESON_SKIP_STATUS) and not outcome.failures:
        outcome.failures.append(("whole suite", describe_status(finished.status, INSTRUCTIONS_SECONDS)))
    outcome.seconds = time.monotonic() - started
    yield outcome


# --- integration tests -----------------------------------------------------------------------------

def run_integration(options):
    folder = options.root / "tests" / "integration"
    files = [str(file) for file in sorted(folder.glob("test_*.py")) if options.selects(f"integration/{file.stem}")]
    if not files:
        return
    report = options.logs / "integration.xml"
    report.unlink(missing_ok=True)
    slowness = SLOWNESS.get(options.type, 1)
    # Most of their time the tests wait. One process runs a whole file: its gateways are shared by its tests.
    command = [sys.executable, "-m", "pytest", *files, "-v", "-ra", "-p", "no:cacheprovider",
               "-n", str(options.jobs + 1), "--dist", "loadfile", f"--junitxml={report}", "-o", "junit_family=xunit2"]
    if subprocess.run([sys.executable, "-c", "import pytest_timeout"], capture_output=True, check=False).returncode == 0:
        command += [f"--timeout={PYTEST_CASE_SECONDS * slowness}"]
    started = time.monotonic()
    log = options.logs / "integration.log"
    seconds = PYTEST_SUITE_SECONDS * slowness
    finished = run_bounded(command, seconds, log, options.environment, options.root)
    yield from read_junit(report, finished, seconds, log, time.monotonic() - started)


def read_junit(report, finished, seconds, log, took):
    """One outcome for each test file."""
    outcomes = {}
    try:
        cases = xml.etree.ElementTree.parse(report).getroot().iter("testcase")
    except (OSError, xml.etree.ElementTree.ParseError):
        lost = Outcome("integration", log=log, seconds=took)
        lost.failures.append(("whole suite", "pytest left no report: " + describe_status(finished.status, seconds)))
        yield lost
        return
    for case in cases:
        file = (case.get("classname") or case.get("name") or "").removeprefix("tests.integration.").split(".")[0]
        outcome = outcomes.setdefault(file, Outcome(f"integration/{file}", log=log))
        outcome.seconds += float(case.get("time") or 0)
        problem = next((child for child in case if child.tag in ("failure", "error")), None)
        skipped = case.find("skipped")
        if problem is not None:
            outcome.failures.append((case.get("name"), first_line(problem.get("message"))))
        elif skipped is not None:
            outcome.skips.append((case.get("name"), first_line(skipped.get("message"))))
        else:
            outcome.passed += 1
    yield from outcomes.values()
    # Status 5: nothing collected. Other statuses without a failed case: interrupted, or a broken conftest.
    if finished.status not in (0, 5) and not any(outcome.failures for outcome in outcomes.values()):
        broken = Outcome("integration", log=log)
        # pytest says why it stopped between exclamation marks.
        said = re.findall(r"^!+ (.*?) !+$", finished.output, re.MULTILINE)
        broken.failures.append(("whole suite", said[-1] if said else describe_status(finished.status, seconds)))
        yield broken


def first_line(text):
    lines = (text or "").strip().splitlines()
    return lines[0][:200] if lines else "no reason given"


# --- report ----------------------------------------------------------------------------------------

def print_outcome(outcome):
    verdict = "FAILED" if outcome.failures else "ok"
    skipped = f", {len(outcome.skips)} skipped" if outcome.skips else ""
    print(f"{verdict:6} {outcome.name}: {outcome.passed} passed, {len(outcome.failures)} failed{skipped} "
          f"({outcome.seconds:.1f} s)", flush=True)


def print_details(outcomes):
    for outcome in outcomes:
        if not outcome.failures:
            continue
        print(f"\n--- {outcome.name}: end of {outcome.log}")
        text = outcome.log.read_text(encoding="utf-8", errors="replace") if outcome.log else ""
        print("\n".join(text.splitlines()[-TAIL_LINES:]))
    for title, attribute in (("skipped", "skips"), ("notes", "notes"), ("failed", "failures")):
        lines = [(outcome.name, case, reason) for outcome in outcomes for case, reason in getattr(outcome, attribute)]
        if lines:
            print(f"\n{title}:")
            for name, case, reason in lines:
                print(f"  {name}: {case}: {reason}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--type", default="debug", help="type of the build: decides how patient the limits are")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--instructions", type=pathlib.Path, help="release build whose instructions are counted")
    parser.add_argument("words", nargs="*", help="run only suites whose name contains one of these")
    options = parser.parse_args()
    options.root, options.build = options.root.resolve(), options.build.resolve()
    options.logs = options.build / "test-logs"
    options.logs.mkdir(exist_ok=True)
    options.selects = lambda name: not options.words or any(word in name for word in options.words)
    options.environment = {**os.environ, "SLUICE_BINARY": str(options.build / "sluice"),
                           "SLUICE_BUILD_DIR": str(options.build), "SLUICE_BUILD_TYPE": options.type,
                           "PYTHONDONTWRITEBYTECODE": "1"}
    if options.type in SLOWNESS:
        options.environment.update(SANITIZER_ENVIRONMENT)
        if os.path.exists(SYMBOLIZER):
            options.environment.update(dict.fromkeys(
                ("ASAN_SYMBOLIZER_PATH", "UBSAN_SYMBOLIZER_PATH", "TSAN_SYMBOLIZER_PATH"), SYMBOLIZER))
    return options


def main():
    options = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_interrupted)
    outcomes = []
    for suite in (run_meson_tests, run_instructions, run_integration):
        for outcome in suite(options):
            outcomes.append(outcome)
            print_outcome(outcome)
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(len(outcome.failures) for outcome in outcomes)
    if passed + failed == 0:
        print("suites: no test was found" + (f" for {' '.join(options.words)}" if options.words else ""), file=sys.stderr)
        failed = 1
    print_details(outcomes)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""packaging/systemd: the unit is valid, tight, and still allows what sluice does.

No service manager runs here: systemd-analyze judges the unit as a file.
"""

import functools
import pathlib
import re
import shutil
import subprocess

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "systemd"
UNIT = FOLDER / "sluice.service"
EXPOSURE_MAX = 2.0
# What happens between SIGTERM and the end: the default of the drain timeout.
DRAIN_DEFAULT_SECONDS = 45

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None,
                                reason="systemd-analyze is missing (scripts/bootstrap --test installs it)")


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, check=False)


def settings():
    """(key, value) of every line of the unit, in order: some keys are lists, where order matters."""
    lines = (line.strip() for line in UNIT.read_text().splitlines())
    return [tuple(line.split("=", 1)) for line in lines if "=" in line and not line.startswith("#")]


def setting(key):
    values = [value for name, value in settings() if name == key]
    assert len(values) == 1, f"{key} is given {len(values)} times"
    return values[0]


@functools.cache
def system_calls(name):
    """The system calls of a group, with the groups that it contains."""
    if not name.startswith("@"):
        return {name}
    listing = run("systemd-analyze", "syscall-filter", name)
    assert listing.returncode == 0, listing.stderr
    members = [line.strip() for line in listing.stdout.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(system_calls(member) for member in members))


def allowed_system_calls():
    """As systemd reads SystemCallFilter: the first line makes it an allow list, later ones add and take away."""
    allowed = set()
    for key, value in settings():
        if key != "SystemCallFilter":
            continue
        named = set().union(*(system_calls(name) for name in value.lstrip("~").split()))
        allowed = allowed - named if value.startswith("~") else allowed | named
    return allowed


def test_verify_has_no_complaint(tmp_path):
    """verify looks for the program too, so the copy names one that exists."""
    program = tmp_path / "sluice"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/sluice", str(program)))
    assert str(program) in copy.read_text()

    verdict = run("systemd-analyze", "verify", "--man=no", copy)

    # Units of the machine itself may be complained about as well; only ours counts.
    complaints = [line for line in (verdict.stdout + verdict.stderr).splitlines() if "sluice" in line]
    assert complaints == []
    assert verdict.returncode == 0, verdict.stderr


def test_verify_sees_a_mistake(tmp_path):
    """Guards the test above: a broken unit must not pass it."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/sluice", "/bin/true").replace("Type=notify", "Type=notfy"))
    verdict = run("systemd-analyze", "verify", "--man=no", copy)
    assert "sluice.service" in verdict.stdout + verdict.stderr


def test_exposure_is_below_the_limit():
    verdict = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", verdict.stdout)
    assert found, verdict.stdout + verdict.stderr
    assert float(found.group(1)) < EXPOSURE_MAX, verdict.stdout


@pytest.mark.parametrize("call", [
    # the ring and its buffers
    "io_uring_setup", "io_uring_enter", "io_uring_register", "mmap", "munmap", "madvise", "mlock",
    # what is called directly, beside the ring
    "socket", "bind", "listen", "connect", "accept4", "setsockopt", "getsockopt", "getsockname", "shutdown", "close",
    "splice", "tee", "pipe2", "fcntl", "eventfd2", "clock_gettime", "recvmsg", "sendmsg",
    # threads
    "clone3", "futex", "sched_setaffinity", "sched_getaffinity", "rseq", "set_robust_list",
    # control plane: files, signals, limits, randomness, memory of pools
    "openat", "renameat", "fsync", "inotify_init1", "signalfd4", "rt_sigprocmask", "timerfd_create", "prlimit64", "getrandom",
    "execve", "mremap", "poll", "epoll_wait",
])
def test_a_system_call_of_sluice_is_allowed(call):
    assert call in allowed_system_calls()


@pytest.mark.parametrize("call", ["mount", "ptrace", "bpf", "setuid", "chroot", "init_module", "reboot", "swapon", "kexec_load",
                                  "perf_event_open", "setns", "unshare", "userfaultfd",
                                  "add_key"])
def test_a_system_call_of_an_intruder_is_refused(call):
    assert call not in allowed_system_calls()


def test_only_low_ports_remain_of_root():
    assert setting("User") == "sluice"
    assert setting("AmbientCapabilities") == "CAP_NET_BIND_SERVICE"
    assert setting("CapabilityBoundingSet") == "CAP_NET_BIND_SERVICE"
    assert setting("NoNewPrivileges") == "yes"


def test_the_service_manager_waits_longer_than_a_drain():
    assert int(setting("TimeoutStopSec")) > DRAIN_DEFAULT_SECONDS


def test_reload_and_notification_suit_systemd_252():
    assert setting("Type") == "notify"
    assert setting("NotifyAccess") == "main"
    assert setting("ExecReload") == "/bin/kill -HUP $MAINPID"
    assert int(setting("WatchdogSec")) > 0


def test_state_is_private():
    assert setting("StateDirectory") == "sluice"
    assert setting("StateDirectoryMode") == "0700"


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is missing")
def test_the_account_is_created(tmp_path):
    """In a folder of its own; the machine gets no account."""
    (tmp_path / "etc").mkdir()
    created = run("systemd-sysusers", f"--root={tmp_path}", FOLDER / "sluice.sysusers")
    assert created.returncode == 0, created.stderr
    account = next(line for line in (tmp_path / "etc" / "passwd").read_text().splitlines() if line.startswith("sluice:"))
    assert account.endswith(":/var/lib/sluice:/usr/sbin/nologin")


@pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None, reason="systemd-tmpfiles is missing")
def test_the_configuration_folder_is_closed_to_others(tmp_path):
    (tmp_path / "etc").mkdir()
    assert run("systemd-sysusers", f"--root={tmp_path}", FOLDER / "sluice.sysusers").returncode == 0
    created = run("systemd-tmpfiles", f"--root={tmp_path}", "--create", FOLDER / "sluice.tmpfiles")
    assert created.returncode == 0, created.stderr
    assert (tmp_path / "etc" / "sluice").stat().st_mode & 0o777 == 0o750

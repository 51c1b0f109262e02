"""Ends a process from outside at one of its system calls, by strace(1): before the kernel does anything of it."""

import functools
import pathlib
import re
import shutil
import subprocess

# What makes a difference on the disk when a process is killed. open(2) and write(2) do as well, but most of them are
# about something else, and where a file is kept each is followed by one of these (base/write_file.h).
CALLS = ("mkdir", "fchmod", "fsync", "rename", "unlink")


@functools.cache
def why_not():
    """Why processes cannot be ended here; empty: they can."""
    if shutil.which("strace") is None:
        return "strace is missing: scripts/bootstrap --test installs it"
    command = [*strace("/dev/null", ("mkdir", 1)), "mkdir", "/"]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if tried.returncode == -9:
        return ""
    return f"strace cannot end a process here (is ptrace(2) forbidden?): {tried.stderr.strip() or tried.returncode}"


def strace(log, killed_at=None):
    """What stands before a command, whose calls are then listed in `log`. `killed_at`: (call, which of those of its
    thread, from 1)."""
    command = ["strace", "-f", "-qq", "-o", str(log), "-e", "signal=none", "-e", f"trace={','.join(CALLS)}"]
    if killed_at:
        call, number = killed_at
        command += ["-e", f"inject={call}:signal=SIGKILL:when={number}"]
    return command


def calls(log):
    """[(call, which of those of its thread)] in the order in which they were made."""
    counts, found = {}, []
    for thread, call in re.findall(r"^(\d+) +(\w+)\(", pathlib.Path(log).read_text(), re.MULTILINE):
        counts[thread, call] = counts.get((thread, call), 0) + 1
        found.append((call, counts[thread, call]))
    return found

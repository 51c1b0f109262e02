"""curl and openssl s_client against the gateway."""

import subprocess

from . import ports
from .limits import IO_SECONDS


def curl(*arguments, host=None, port=None, seconds=IO_SECONDS, data=None):
    """`host` and `port` make --resolve. Text output, no progress bar."""
    resolve = ["--resolve", f"{host}:{port}:{ports.LOOPBACK}"] if host else []
    command = ["curl", "-sS", "--noproxy", "*", "--max-time", str(seconds), *resolve, *[str(word) for word in arguments]]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds + 5, check=False, input=data)


def s_client(port, server_name, *arguments, text="", seconds=IO_SECONDS):
    name = ["-servername", server_name] if server_name else ["-noservername"]
    command = ["openssl", "s_client", "-connect", f"{ports.LOOPBACK}:{port}", *name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False, input=text)

"""curl and openssl s_client against the gateway."""

import contextlib
import subprocess
import time

from . import ports
from .limits import FACTOR, IO_SECONDS


def curl(*arguments, host=None, port=None, seconds=IO_SECONDS, data=None):
    """`host` and `port` make --resolve. Text output, no progress bar."""
    resolve = ["--resolve", f"{host}:{port}:{ports.LOOPBACK}"] if host else []
    command = [
        "curl",
        "-sS",
        "--noproxy",
        "*",
        "--max-time",
        str(seconds),
        *resolve,
        *[str(word) for word in arguments],
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds + 5, check=False, input=data)


def _s_client_command(port, server_name, arguments):
    name = ["-servername", server_name] if server_name else ["-noservername"]
    return ["openssl", "s_client", "-connect", f"{ports.LOOPBACK}:{port}", *name, *arguments]


def s_client(port, server_name, *arguments, text="", seconds=IO_SECONDS):
    command = _s_client_command(port, server_name, arguments)
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False, input=text
    )


def s_client_dialogue(port, server_name, *arguments, lines):
    """Types one line after the other, as a person would: a line like "R" or "K" is a command only on its own.

    Gives the exit code and everything that was shown.
    """
    command = _s_client_command(port, server_name, arguments)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            for line in lines:
                time.sleep(0.3 * FACTOR)
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(line.encode())
                    process.stdin.flush()
            time.sleep(0.3 * FACTOR)
            output, _ = process.communicate(timeout=IO_SECONDS)
        finally:
            process.kill()
    return process.returncode, output.decode(errors="replace")

"""HAProxy, as somebody else's client and upstream of HTTP/2."""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile

from . import ports
from .gateway import is_listening, wait_until
from .limits import START_SECONDS

PROGRAM = shutil.which("haproxy")


@contextlib.contextmanager
def proxy(server, *, bind_options="", server_options=""):
    """From the port that it gives to the port `server`, with HTTP/1.1 where no option says otherwise."""
    port = ports.free_port()
    with tempfile.TemporaryDirectory(prefix="sluice-haproxy-") as folder:
        config = pathlib.Path(folder) / "haproxy.cfg"
        config.write_text(
            f"""
global
  nbthread 1
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen everything
  bind {ports.LOOPBACK}:{port} {bind_options}
  server only {ports.LOOPBACK}:{server} {server_options}
""",
            encoding="utf-8",
        )
        log = pathlib.Path(folder) / "log"
        with log.open("wb") as stderr, subprocess.Popen([PROGRAM, "-db", "-f", config], stderr=stderr) as process:
            try:
                assert wait_until(lambda: is_listening(port), START_SECONDS), log.read_text(errors="replace")
                yield port
            finally:
                process.kill()

"""Knot DNS on the loopback interface, with zones that keys may change."""

import contextlib
import pathlib
import re
import shutil
import subprocess

from . import ports
from .limits import IO_SECONDS, START_SECONDS, STOP_SECONDS
from .gateway import BINARY, is_listening, wait_until

PROGRAM = shutil.which("knotd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
PROBE = BINARY.parent / "tests" / "support" / "dns_probe"

SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
WRONG_SECRET = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="

ZONE = """
@ 60 SOA ns.example.com. admin.example.com. 1 60 60 600 1
@ 60 NS ns.example.com.
"""


class NameServer:
    """A running server: `place` is its address."""

    def __init__(self, port, log):
        self.place = f"{ports.LOOPBACK}:{port}"
        self._log = log

    def _probe(self, *words):
        return subprocess.run(
            [PROBE, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=6 * IO_SECONDS, check=False
        )

    def change(self, action, name, value, *, key="acme-key", algorithm="HMACSHA256", secret=SECRET):
        """The error of `present` or `cleanup`; empty: it is done."""
        done = self._probe(action, self.place, key, algorithm, secret, name, value)
        assert done.returncode == (1 if done.stderr else 0), done
        return done.stderr

    def texts(self, name):
        """Where the challenge of the name leads to, and the TXT records there."""
        done = self._probe("look-up", self.place, name)
        assert done.returncode == 0, done.stderr
        place, *texts = done.stdout.splitlines()
        return place, sorted(texts)

    def log(self):
        return self._log.read_text(errors="replace")


@contextlib.contextmanager
def name_server(folder, zones, keys):
    """`zones`: by name, records beside SOA and NS; `keys`: by name, (algorithm, the zones that it may change)."""
    folder = pathlib.Path(folder)
    port = ports.free_port()
    config = f"""
server:
    rundir: "{folder}"
    listen: {ports.LOOPBACK}@{port}
    tcp-workers: 1
    udp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
log:
  - target: stderr
    any: debug
key:
"""
    for key, (algorithm, _) in keys.items():
        config += f"  - id: {key}\n    algorithm: {algorithm}\n    secret: {SECRET}\n"
    config += "acl:\n"
    for key in keys:
        config += f"  - id: {key}\n    key: {key}\n    action: update\n"
    config += "zone:\n"
    for zone, records in zones.items():
        (folder / f"{zone}.zone").write_text(ZONE + records, encoding="utf-8")
        allowed = [key for key, (_, of_key) in keys.items() if zone in of_key]
        config += f'  - domain: {zone}\n    storage: "{folder}"\n    file: {zone}.zone\n    zonefile-sync: -1\n'
        config += "    journal-content: changes\n"
        config += f"    acl: [{', '.join(allowed)}]\n" if allowed else ""
    (folder / "knot.conf").write_text(config, encoding="utf-8")
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(
        [PROGRAM, "-c", folder / "knot.conf"], stdin=subprocess.DEVNULL, stdout=output, stderr=output
    ) as process:
        try:
            assert wait_until(lambda: process.poll() is not None or is_listening(port), START_SECONDS), log.read_text()
            assert wait_until(
                lambda: process.poll() is not None or re.search("server started", log.read_text()), START_SECONDS
            ), log.read_text()
            assert process.poll() is None, log.read_text()
            yield NameServer(port, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

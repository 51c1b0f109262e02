"""The process that obtains a certificate is killed, anywhere, and the next one goes on: nothing is lost, nothing is
asked for twice."""

import contextlib
import os
import shutil
import signal

import pytest

from harness import killed
from harness.acme_gate import KILL_AFTER, KILL_BEFORE
from harness.gateway import wait_until
from harness.limits import FULL
from harness.managed import OBTAIN_SECONDS, Managed, certificate

pytestmark = pytest.mark.timeout(600)


@contextlib.contextmanager
def order(folder, **issuer_options):
    """Documents that ask for a certificate. Names are valid without a look: a validation that finds the port closed
    fails, and the next order has to wait."""
    with Managed(folder, with_gate=True, environment={"PEBBLE_VA_ALWAYS_VALID": "1"}) as managed:
        for number, text in enumerate((managed.issuer(**issuer_options), certificate())):
            managed.gateway.write(f"managed-{number}.yaml", text)
        yield managed


def begin_anew(managed):
    shutil.rmtree(managed.state, ignore_errors=True)
    managed.gate.count, managed.gate.accounts, managed.gate.finalized, managed.gate.kill_at = 0, 0, 0, 0


def names_in(folder):
    return [file.name for file in folder.iterdir()]


def check_that_it_goes_on(managed, where):
    """The next process, after one that was killed."""
    start = len(managed.gateway.log)
    managed.gateway.start()
    managed.wait_for("Ready")
    managed.wait_for_handshake()
    log = managed.gateway.log[start:]
    assert managed.gate.finalized == 1, (where, "issued once")
    assert managed.gate.accounts == 1, (where, "its key was not lost")
    assert len(list((managed.state / "accounts").iterdir())) == 1, (where, "nothing that is half written stays")
    assert names_in(managed.state / "secrets") == ["istio-system.web-certs.yaml"], where
    # A certificate serves before its record is written.
    wanted = ["istio-system.web.json"]
    assert wait_until(lambda: names_in(managed.state / "certificates") == wanted), (
        where, names_in(managed.state / "certificates"))
    assert "state:" not in log and "error" not in log, (where, log)
    managed.gateway.kill()


def test_killed_at_any_exchange_it_goes_on(tmp_path):
    """Each exchange in turn: the process is killed before the server has heard of it, and after it has."""
    with order(tmp_path) as managed:
        managed.gateway.start()
        managed.wait_for("Ready")
        total = managed.gate.count  # of one that nobody ends
        managed.gateway.kill()
        assert total > 8
        for when in (KILL_BEFORE, KILL_AFTER):
            for at in range(1, total + 1):
                begin_anew(managed)
                managed.gate.kill_at, managed.gate.kill_when = at, when
                managed.gateway.start(wait=False)
                managed.gate.kill = managed.gateway.process.kill
                managed.gateway.process.wait(OBTAIN_SECONDS)
                managed.gateway.kill()
                managed.gate.kill_at = 0
                check_that_it_goes_on(managed, (when, at))


def run_under_strace(managed, log, point, wait):
    """A process that has its calls listed in `log`, and is killed at one of them, or after wait()."""
    gateway, command = managed.gateway, managed.gateway.command
    gateway.command = killed.strace(log, point) + command
    gateway.start(wait=False)
    gateway.command = command
    try:
        wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(gateway.process.pid, signal.SIGKILL)  # without strace it would go on
        gateway.kill()


def some_of(points):
    """All renames, which is where a file becomes another one, and one of each other call."""
    others = {call: point for point in points if (call := point[0]) != "rename"}
    return [point for point in points if point[0] == "rename" or point in others.values()]


def test_killed_at_any_change_of_its_files_it_goes_on(tmp_path):
    """Each call that changes a file of the state directory in turn (with SLUICE_FULL, else some of them): the process
    is killed before the kernel does it, which is after all that came before."""
    if reason := killed.why_not():
        pytest.skip(reason)
    # DNS-01 has its records written down, too. They are not made, which would take long.
    with order(tmp_path, skipDNSChallengeValidation=True) as managed:
        log = tmp_path / "calls"

        def obtain():
            managed.gateway.wait_until_ready()
            managed.wait_for("Ready")

        begin_anew(managed)
        run_under_strace(managed, log, None, obtain)
        points = killed.calls(log)
        assert sum(call == "rename" for call, _ in points) > 5, points
        for point in points if FULL else some_of(points):
            begin_anew(managed)
            run_under_strace(managed, log, point, lambda: managed.gateway.process.wait(OBTAIN_SECONDS))
            check_that_it_goes_on(managed, point)

"""Programs that look for weaknesses of a TLS server: sslscan and testssl.sh."""

import collections
import dataclasses
import json
import pathlib
import subprocess
import tempfile
import xml.etree.ElementTree

from . import ports
from .limits import FACTOR, IO_SECONDS

TESTSSL_SECONDS = 1500 * FACTOR


@dataclasses.dataclass(frozen=True)
class Scan:
    """By version, as in "TLSv1.2". Suites have OpenSSL's names and stand in the server's order of preference."""

    versions: set
    suites: dict
    groups: dict
    renegotiates: bool


def sslscan(port, host):
    """Without the probe for Heartbleed: it sends no server name, and gives up where that is not answered."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        command = ["sslscan", "--no-heartbleed", f"--sni-name={host}", f"--xml={report}", f"{ports.LOOPBACK}:{port}"]
        subprocess.run(command, capture_output=True, check=True, timeout=6 * IO_SECONDS)
        found = xml.etree.ElementTree.parse(report).getroot().find("ssltest")
    assert found.find("error") is None, found.findtext("error")
    suites, groups = collections.defaultdict(list), collections.defaultdict(set)
    for suite in found.iter("cipher"):
        suites[suite.get("sslversion")].append(suite.get("cipher"))
    for group in found.iter("group"):
        groups[group.get("sslversion")].add(group.get("name"))
    enabled = [protocol for protocol in found.iter("protocol") if protocol.get("enabled") == "1"]
    return Scan(
        versions={f"{protocol.get('type').upper()}v{protocol.get('version')}" for protocol in enabled},
        suites=dict(suites),
        groups=dict(groups),
        renegotiates=found.find("renegotiation").get("supported") == "1",
    )


@dataclasses.dataclass(frozen=True)
class Finding:
    """OK and INFO are the severities of what is no weakness; WARN is a check that could not be made."""

    severity: str
    text: str


def testssl(port, host, ca_file, *checks):
    """id -> Finding. Without checks: all that there are."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        shown = subprocess.run(
            [
                *("testssl", "--warnings", "off", "--color", "0", "--nodns", "none", "--ip", ports.LOOPBACK),
                *("--add-ca", ca_file, "--jsonfile", str(report), *checks, f"https://{host}:{port}"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TESTSSL_SECONDS,
            check=False,  # it counts findings
        )
        findings = json.loads(report.read_text())
    found = {finding["id"]: Finding(finding["severity"], finding["finding"]) for finding in findings}
    assert "scanTime" in found, shown.stdout + shown.stderr  # the last one: it came to its end
    return found

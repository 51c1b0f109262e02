"""The first steps of README.md, as a new user would copy them into a shell: few, and they work. (`sluice run` is left to
other tests, since the ports of the examples are fixed.)"""

import os
import subprocess

import pytest

from harness.certificates import self_signed
from harness.gateway import BINARY, ROOT

LINES_MAX = 10


def commands(section):
    """The first block of the section."""
    text = (ROOT / "README.md").read_text()
    return text[text.index(f"\n## {section}\n") :].split("```\n")[1].splitlines()


@pytest.mark.parametrize(
    "section, summary",
    [
        ("Serve your own domain and certificate", "0 errors, 1 warning; 2 listeners, 1 cluster, 1 certificate"),
        ("Let sluice obtain the certificate", "0 errors, 1 warning; 2 listeners, 0 clusters, 0 certificates"),
    ],
)
def test_commands_of_the_readme_work(tmp_path, section, summary):
    lines = commands(section)
    assert len(lines) < LINES_MAX
    pair = self_signed("*.your.domain")
    (tmp_path / "fullchain.pem").write_text(pair.certificate)
    (tmp_path / "privkey.pem").write_text(pair.key)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    until_run = [line for line in lines if not line.startswith(("sluice run", "sluice cert list"))]
    assert len(until_run) < len(lines)
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(until_run).replace("/etc/", f"{tmp_path}/")],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{BINARY.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and f"sluice check: {summary}" in done.stderr, done
    assert "example.com" not in done.stdout and "kyma.dev" not in done.stdout

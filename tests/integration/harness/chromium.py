"""The browser: Debian's Chromium without a window."""

import base64
import hashlib
import shutil
import subprocess
import tempfile

from . import ports
from .limits import FACTOR

PROGRAM = shutil.which("chromium")
_PAGE_SECONDS = 60 * FACTOR


def _key_hash(pair):
    """Of the public key: what Chromium identifies a certificate by (RFC 7469 2.4)."""
    made = subprocess.run(
        ["openssl", "pkey", "-in", pair.key_file, "-pubout", "-outform", "DER"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    return base64.b64encode(hashlib.sha256(made.stdout).digest()).decode()


def page(host, port, pair, *, version):
    """The page's document as text, or that of the error. `version`: "TLSv1.3"; `pair`: the one that is trusted."""
    name = version.lower().replace("v", "")
    with tempfile.TemporaryDirectory(prefix="sluice-chromium-") as profile:
        shown = subprocess.run(
            [
                *(PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--no-proxy-server"),
                *("--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}"),
                *(f"--ssl-version-min={name}", f"--ssl-version-max={name}"),
                f"--ignore-certificate-errors-spki-list={_key_hash(pair)}",
                f"--host-resolver-rules=MAP {host} {ports.LOOPBACK}",
                *("--dump-dom", f"https://{host}:{port}/"),
            ],
            capture_output=True,
            text=True,
            timeout=_PAGE_SECONDS,
            check=False,
        )
    return shown.stdout or shown.stderr

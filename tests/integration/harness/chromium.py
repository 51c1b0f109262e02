"""The browser: Debian's Chromium without a window."""

import base64
import hashlib
import os
import pathlib
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


def _trust(certificate_pem, home):
    """As a user does it: in the store of NSS, as a CA and for itself."""
    store = pathlib.Path(home) / ".pki" / "nssdb"
    store.mkdir(parents=True)
    for arguments in (("-N", "--empty-password"), ("-A", "-n", "trusted", "-t", "CP,,")):
        subprocess.run(
            ["certutil", "-d", f"sql:{store}", *arguments], input=certificate_pem, text=True, check=True, timeout=30
        )


def page(host, port, pair=None, *, trusted_pem=None, version="TLSv1.3"):
    """The page's document as text, or that of the error. `version`: "TLSv1.3". What is trusted: the certificate of
    `pair`, whatever is wrong with it, or what `trusted_pem`, a CA or the server itself, makes a valid chain of."""
    name = version.lower().replace("v", "")
    return _dump(
        f"https://{host}:{port}/",
        "--no-proxy-server",
        *(f"--ssl-version-min={name}", f"--ssl-version-max={name}"),
        *([f"--ignore-certificate-errors-spki-list={_key_hash(pair)}"] if pair else []),
        f"--host-resolver-rules=MAP {host} {ports.LOOPBACK}",
        trusted_pem=trusted_pem,
    )


def page_by_proxy(uri, proxy, *, trusted_pem=None):
    """The same of a page that is asked for by a proxy, "http://127.0.0.1:3128"."""
    return _dump(uri, f"--proxy-server={proxy}", trusted_pem=trusted_pem)


def _dump(uri, *options, trusted_pem):
    with tempfile.TemporaryDirectory(prefix="sluice-chromium-") as profile:
        if trusted_pem:
            _trust(trusted_pem, profile)
        shown = subprocess.run(
            [
                *(PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}"),
                *options,
                *("--dump-dom", uri),
            ],
            capture_output=True,
            text=True,
            timeout=_PAGE_SECONDS,
            check=False,
            env=os.environ | {"HOME": profile},
        )
    return shown.stdout or shown.stderr

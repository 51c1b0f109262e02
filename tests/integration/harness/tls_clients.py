"""TLS clients that others wrote: OpenSSL's and GnuTLS's own, and curl with either library.

Each is told in its own language what it may offer, and asked for one GET. It verifies the server's certificate.
"""

import dataclasses
import pathlib
import re
import shutil
import subprocess
import tempfile
from typing import Callable

from . import certificates, ports
from .commands import curl, s_client
from .limits import IO_SECONDS

# OpenSSL's name of a suite -> the parts that GnuTLS puts it together from: key exchange, cipher, MAC.
_GNUTLS_SUITES = {
    "ECDHE-RSA-CHACHA20-POLY1305": ("ECDHE-RSA", "CHACHA20-POLY1305", "AEAD"),
    "ECDHE-RSA-AES256-GCM-SHA384": ("ECDHE-RSA", "AES-256-GCM", "AEAD"),
    "ECDHE-RSA-AES256-SHA": ("ECDHE-RSA", "AES-256-CBC", "SHA1"),
    "ECDHE-RSA-AES128-GCM-SHA256": ("ECDHE-RSA", "AES-128-GCM", "AEAD"),
    "ECDHE-RSA-AES128-SHA": ("ECDHE-RSA", "AES-128-CBC", "SHA1"),
    "AES128-GCM-SHA256": ("RSA", "AES-128-GCM", "AEAD"),
    "DHE-RSA-AES128-GCM-SHA256": ("DHE-RSA", "AES-128-GCM", "AEAD"),
    "ECDHE-ECDSA-AES128-GCM-SHA256": ("ECDHE-ECDSA", "AES-128-GCM", "AEAD"),
    "TLS_AES_128_GCM_SHA256": ("ECDHE-RSA", "AES-128-GCM", "AEAD"),
    "TLS_AES_256_GCM_SHA384": ("ECDHE-RSA", "AES-256-GCM", "AEAD"),
    "TLS_CHACHA20_POLY1305_SHA256": ("ECDHE-RSA", "CHACHA20-POLY1305", "AEAD"),
    "TLS_AES_128_CCM_SHA256": ("ECDHE-RSA", "AES-128-CCM", "AEAD"),
}
_GNUTLS_GROUPS = {
    "X25519": "X25519",
    "X448": "X448",
    "P-256": "SECP256R1",
    "P-384": "SECP384R1",
    "P-521": "SECP521R1",
    "ffdhe2048": "FFDHE2048",
}


@dataclasses.dataclass(frozen=True)
class Offer:
    """What the client may use; None: its own choice."""

    version: str  # "TLSv1.2"
    suite: str | None = None  # OpenSSL's name
    group: str | None = None
    pair: certificates.Pair | None = None  # that it shows when it is asked

    @property
    def is_tls_1_3(self):
        return self.version == "TLSv1.3"


@dataclasses.dataclass(frozen=True)
class Answer:
    """Version and suite are None without a handshake; `line`, of the body, without a response; `said` is everything."""

    version: str | None
    suite: str | None
    line: str | None
    said: str


@dataclasses.dataclass(frozen=True)
class TlsClient:
    """One of CLIENTS. get(host, port, ca_file, offer) is an Answer."""

    name: str
    package: str  # of Debian
    get: Callable
    is_installed: Callable

    def __str__(self):
        return self.name


def _request(host):
    return f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


def _line(output):
    """The one line that is the response's body, in the middle of what the client shows."""
    found = re.search(r"^HTTP/1\.1 200 .*?\r?\n\r?\n(.*)\n", output, re.M | re.S)
    return found.group(1).partition("\n")[0] if found else None


# --- OpenSSL ---------------------------------------------------------------------------------------


def _openssl(host, port, ca_file, offer):
    words = ["-" + offer.version.lower().replace("v", "").replace(".", "_").removesuffix("_0")]
    if offer.suite:
        words += ["-ciphersuites", offer.suite] if offer.is_tls_1_3 else ["-cipher", offer.suite + ":@SECLEVEL=0"]
    elif not offer.is_tls_1_3:
        words += ["-cipher", "DEFAULT:@SECLEVEL=0"]  # TLS 1.0 and 1.1 are impossible above
    if offer.group:
        words += ["-groups", offer.group]
    if offer.pair:
        words += ["-cert", offer.pair.certificate_file, "-key", offer.pair.key_file]
    trust = ["-CAfile", ca_file, "-verify_return_error", "-verify_hostname", host]
    shown = s_client(port, host, *words, *trust, "-ign_eof", "-brief", text=_request(host))
    found = re.search(r"Protocol version: (\S+)\nCiphersuite: (\S+)", shown.stderr)
    version, suite = found.groups() if found else (None, None)
    return Answer(version, suite, _line(shown.stdout), shown.stdout + shown.stderr)


# --- curl with OpenSSL -----------------------------------------------------------------------------


def _curl(host, port, ca_file, offer):
    number = offer.version.removeprefix("TLSv")
    words = [f"--tlsv{number}", "--tls-max", number, "--cacert", ca_file]
    if offer.is_tls_1_3:
        words += ["--tls13-ciphers", offer.suite] if offer.suite else []
    else:
        words += ["--ciphers", f"{offer.suite or 'DEFAULT'}:@SECLEVEL=0"]
    if offer.group:
        words += ["--curves", offer.group]
    if offer.pair:
        words += ["--cert", offer.pair.certificate_file, "--key", offer.pair.key_file]
    shown = curl("-v", *words, f"https://{host}:{port}/", host=host, port=port)
    found = re.search(r"SSL connection using (\S+) / (\S+)", shown.stderr)
    version, suite = found.groups() if found else (None, None)
    return Answer(version, suite, shown.stdout.strip() if shown.returncode == 0 else None, shown.stderr)


# --- GnuTLS ----------------------------------------------------------------------------------------


def _gnutls_priority(offer):
    words = ["NORMAL", "-VERS-ALL", f"+VERS-{offer.version.replace('v', '')}"]
    if offer.suite:
        for kind, part in zip(("KX", "CIPHER", "MAC"), _GNUTLS_SUITES[offer.suite]):
            words += [f"-{kind}-ALL", f"+{part}"]
    if offer.group:
        words += ["-GROUP-ALL", f"+GROUP-{_GNUTLS_GROUPS[offer.group]}"]
    return ":".join(words)


def _gnutls_suite(version, shown):
    """OpenSSL's name of a suite that GnuTLS describes like "(AES-256-CBC)-(SHA1)", or "ECDHE_RSA_AES_256_CBC_SHA1"."""
    text = shown.replace("_", "-").replace(")-(", "-")
    for name, (_, cipher, mac) in _GNUTLS_SUITES.items():
        parts = cipher if mac == "AEAD" else f"{cipher}-{mac}"
        if name.startswith("TLS_") == (version == "TLSv1.3") and parts in text:
            return name
    return shown


def _gnutls_negotiated(pattern, output):
    """(version, suite)"""
    found = re.search(pattern, output)
    if not found:
        return None, None
    version = found.group(1).replace("TLS", "TLSv")
    return version, _gnutls_suite(version, found.group(2))


def _gnutls(host, port, ca_file, offer):
    command = ["gnutls-cli", "--x509cafile", ca_file, "--sni-hostname", host, "--verify-hostname", host]
    command += ["--priority", _gnutls_priority(offer)]
    if offer.pair:
        command += ["--x509certfile", offer.pair.certificate_file, "--x509keyfile", offer.pair.key_file]
    command += ["-p", str(port), ports.LOOPBACK]
    shown = subprocess.run(
        command, input=_request(host), capture_output=True, text=True, timeout=IO_SECONDS, check=False
    )
    version, suite = _gnutls_negotiated(r"Description: \((TLS1\.\d)-X\.509\)(\S+)", shown.stdout)
    return Answer(version, suite, _line(shown.stdout), shown.stdout + shown.stderr)


# --- curl with GnuTLS, which Debian has as a library only ------------------------------------------

_PYTHON = "/usr/bin/python3"  # the one that Debian's package of pycurl belongs to
_PYCURL_GET = pathlib.Path(__file__).with_name("pycurl_get.py")


def _gnutls_overrides(offer):
    """libcurl has no option for GnuTLS's priorities. What the system's administrator may forbid, it does not offer."""
    lines = ["[overrides]"]
    if offer.suite:
        wanted = _GNUTLS_SUITES[offer.suite]
        for kind, index in (("kx", 0), ("cipher", 1), ("mac", 2)):
            others = {parts[index] for parts in _GNUTLS_SUITES.values()} - {wanted[index], "AEAD"}
            lines += [f"tls-disabled-{kind} = {other}" for other in sorted(others)]
    if offer.group:
        others = sorted(set(_GNUTLS_GROUPS.values()) - {_GNUTLS_GROUPS[offer.group]})
        lines += [f"tls-disabled-group = GROUP-{other}" for other in others]
    return "\n".join(lines) + "\n"


def _curl_gnutls(host, port, ca_file, offer):
    pair = [offer.pair.certificate_file, offer.pair.key_file] if offer.pair else []
    with tempfile.NamedTemporaryFile("w", suffix=".gnutls") as overrides:
        overrides.write(_gnutls_overrides(offer))
        overrides.flush()
        shown = subprocess.run(
            [_PYTHON, _PYCURL_GET, host, str(port), ca_file, offer.version, *pair],
            env={"GNUTLS_SYSTEM_PRIORITY_FILE": overrides.name},
            capture_output=True,
            text=True,
            timeout=IO_SECONDS,
            check=False,
        )
    version, suite = _gnutls_negotiated(r"SSL connection using (TLS1\.\d) / (\S+)", shown.stderr)
    return Answer(version, suite, shown.stdout.strip() if shown.returncode == 0 else None, shown.stderr)


def _has_pycurl():
    command = [_PYTHON, "-c", "import pycurl; assert 'GnuTLS' in pycurl.version, pycurl.version"]
    return subprocess.run(command, capture_output=True, check=False, timeout=IO_SECONDS).returncode == 0


CLIENTS = (
    TlsClient("openssl", "openssl", _openssl, lambda: shutil.which("openssl")),
    TlsClient("gnutls-cli", "gnutls-bin", _gnutls, lambda: shutil.which("gnutls-cli")),
    TlsClient("curl", "curl", _curl, lambda: shutil.which("curl")),
    TlsClient("curl with GnuTLS", "python3-pycurl", _curl_gnutls, _has_pycurl),
)

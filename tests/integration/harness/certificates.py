"""Certificates by the openssl command line, made once per process and kind."""

import base64
import functools
import pathlib
import subprocess
import tempfile

_FOLDER = tempfile.TemporaryDirectory(prefix="sluice-certificates-")


class Pair:
    """PEM of a certificate and its key, and the files that hold them."""

    def __init__(self, certificate_file, key_file):
        self.certificate_file = str(certificate_file)
        self.key_file = str(key_file)
        self.certificate = pathlib.Path(certificate_file).read_text()
        self.key = pathlib.Path(key_file).read_text()

    def shows_key(self, text):
        """Whether any line of the private key is in `text`."""
        return any(line in text for line in self.key.splitlines()[1:-1])

    @property
    def serial(self):
        shown = subprocess.run(
            ["openssl", "x509", "-in", self.certificate_file, "-noout", "-serial"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return int(shown.stdout.strip().partition("=")[2], 16)


@functools.cache
def self_signed(*hosts, name="default", key=("rsa", "2048"), days=90):
    """`name` distinguishes certificates for the same hosts."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=_FOLDER.name))
    certificate, private_key = folder / "tls.crt", folder / "tls.key"
    algorithm = (
        ["-newkey", f"rsa:{key[1]}"]
        if key[0] == "rsa"
        else ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{key[1]}"]
    )
    command = [
        "openssl",
        "req",
        "-x509",
        *algorithm,
        "-nodes",
        "-keyout",
        private_key,
        "-out",
        certificate,
        "-subj",
        f"/CN={hosts[0]}",
        "-addext",
        "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts),
        "-days",
        str(days),
    ]
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=60)
    return Pair(certificate, private_key)


@functools.cache
def expired(*hosts):
    """Valid for one day, twenty years ago."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=_FOLDER.name))
    private_key, request, certificate = folder / "tls.key", folder / "tls.csr", folder / "tls.crt"
    configuration = folder / "ca.cnf"
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("01\n")
    names = ",".join(f"DNS:{host}" for host in hosts)
    configuration.write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index.txt\nserial={folder}/serial\nnew_certs_dir={folder}\n"
        f"default_md=sha256\npolicy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\nsubjectAltName={names}\n"
    )
    for command in (
        [
            "openssl",
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            private_key,
            "-out",
            request,
            "-subj",
            f"/CN={hosts[0]}",
        ],
        [
            "openssl",
            "ca",
            "-batch",
            "-selfsign",
            "-config",
            configuration,
            "-keyfile",
            private_key,
            "-in",
            request,
            "-out",
            certificate,
            "-notext",
            "-startdate",
            "20060101000000Z",
            "-enddate",
            "20060102000000Z",
        ],
    ):
        subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=60)
    return Pair(certificate, private_key)


def encrypted_key(pair):
    """The pair's key as the PEM that asks for a passphrase."""
    made = subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", pair.key_file, "-passout", "pass:secret"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return made.stdout


def base64_of(text):
    return base64_of_bytes(text.encode())


def base64_of_bytes(data):
    return base64.b64encode(data).decode()

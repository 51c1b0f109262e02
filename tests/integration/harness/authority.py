"""Certificate authorities by `openssl ca`: what they issue, let expire and revoke."""

import hashlib
import itertools
import pathlib
import ssl
import subprocess
import tempfile

from .certificates import Pair

_FOLDER = tempfile.TemporaryDirectory(prefix="sluice-authorities-")
_KEYS = {"rsa": ["-newkey", "rsa:2048"], "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}

_CONFIGURATION = """[ca]
default_ca = here
[here]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
certificate = {folder}/ca.crt
private_key = {folder}/ca.key
default_md = sha256
default_days = 90
default_crl_days = 30
unique_subject = no
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectAltName = {names}
"""


def _openssl(*words):
    subprocess.run(["openssl", *[str(word) for word in words]], check=True, capture_output=True, timeout=60)


class Authority:
    """A root of its own. Two of the same name differ in their keys."""

    def __init__(self, common_name="Test CA"):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=_FOLDER.name))
        self._numbers = itertools.count()
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text("1000\n")
        self.file = self.folder / "ca.crt"
        _openssl(
            *("req", "-x509", *_KEYS["ecdsa"], "-nodes", "-days", 90, "-subj", f"/CN={common_name}"),
            *("-keyout", self.folder / "ca.key", "-out", self.file),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )
        self.certificate = self.file.read_text()

    def _configuration(self, names="DNS:unused"):
        path = self.folder / "ca.cnf"
        path.write_text(_CONFIGURATION.format(folder=self.folder, names=names))
        return path

    def issue(self, common_name, *names, key="ecdsa", expired=False):
        """`names` as openssl writes them: "DNS:a.example.com", "URI:spiffe://a"; by default the common name's DNS."""
        base = self.folder / f"leaf{next(self._numbers)}"
        key_file, request, certificate = (base.with_suffix(suffix) for suffix in (".key", ".csr", ".crt"))
        _openssl(
            *("req", *_KEYS[key], "-nodes", "-subj", f"/CN={common_name}", "-keyout", key_file, "-out", request),
        )
        dates = ["-startdate", "20060101000000Z", "-enddate", "20060102000000Z"] if expired else []
        configuration = self._configuration(",".join(names) or f"DNS:{common_name}")
        _openssl(
            *("ca", "-batch", "-notext", "-config", configuration, "-in", request, "-out", certificate, *dates),
        )
        return Pair(certificate, key_file)

    def revoke(self, pair):
        _openssl("ca", "-batch", "-config", self._configuration(), "-revoke", pair.certificate_file)
        return pair

    def revocation_list(self):
        """PEM of a CRL with what has been revoked so far."""
        path = self.folder / f"crl{next(self._numbers)}.pem"
        _openssl("ca", "-batch", "-config", self._configuration(), "-gencrl", "-out", path)
        return path.read_text()


def fingerprint(pair):
    """SHA-256 of the certificate, in hexadecimal digits."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pair.certificate)).hexdigest()

"""Pebble, an ACME server of tests, with the challenge server that it asks for names, and our client on the command line."""

import json
import os
import pathlib
import ssl
import subprocess
import time
import urllib.request

from . import ports
from .gateway import BINARY

PROBE = BINARY.parent / "tests" / "support" / "acme_probe"


def _openssl(*words):
    subprocess.run(["openssl", *[str(word) for word in words]], check=True, capture_output=True, timeout=60)


def _server_certificate(folder):
    """(root, chain of leaf and intermediate, key): what the client trusts, and what Pebble shows it."""
    for name, issuer, extensions in (
        ("root", None, "basicConstraints=critical,CA:true"),
        ("middle", "root", "basicConstraints=critical,CA:true"),
        ("leaf", "middle", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
    ):
        key, certificate, request = (folder / f"{name}.{suffix}" for suffix in ("key", "crt", "csr"))
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        _openssl("req", "-new", "-key", key, "-subj", f"/CN=Pebble's {name}", "-out", request)
        (folder / "extensions").write_text(extensions + "\n")
        signer = ("-CA", folder / f"{issuer}.crt", "-CAkey", folder / f"{issuer}.key") if issuer else ("-signkey", key)
        _openssl(
            *("x509", "-req", "-in", request, "-days", 2, "-extfile", folder / "extensions", "-out", certificate),
            *signer,
            *(("-CAcreateserial",) if issuer else ()),
        )
    chain = folder / "chain.crt"
    chain.write_text((folder / "leaf.crt").read_text() + (folder / "middle.crt").read_text())
    return folder / "root.crt", chain, folder / "leaf.key"


class Pebble:
    """`environment` is Pebble's: PEBBLE_WFE_NONCEREJECT and others. `external`: {key id: MAC key} of external accounts.
    `gateway`: whose ports 80 and 443 answer challenges; without one the challenge server answers HTTP-01 itself.
    `lifetime`: seconds that certificates live. `dns`: a name server that is asked for TXT records in the challenge
    server's place."""

    def __init__(self, folder, *, environment=None, external=None, gateway=None, lifetime=None, dns=None):
        self.folder = pathlib.Path(folder)
        self.ca_file, chain, key = _server_certificate(self.folder)
        listen, management, own_dns, self.http_port, self.tls_port, self._challenges = (
            ports.free_port() for _ in range(6)
        )
        self.url = f"https://localhost:{listen}/dir"
        self.dns = dns or f"127.0.0.1:{own_dns}"
        answers_http = f"127.0.0.1:{self.http_port}"
        if gateway:
            self.http_port, self.tls_port, answers_http = gateway.port(80), gateway.port(443), ""
        self._management = f"https://localhost:{management}"
        configuration = {
            "listenAddress": f"127.0.0.1:{listen}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(chain),
            "privateKey": str(key),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
        }
        if lifetime:
            configuration["certificateValidityPeriod"] = lifetime
        if external:
            configuration |= {"externalAccountBindingRequired": True, "externalAccountMACKeys": external}
        file = self.folder / "pebble.json"
        file.write_text(json.dumps({"pebble": configuration}))
        self._log = (self.folder / "pebble.log").open("wb")
        self._start(
            *("pebble-challtestsrv", "-dns01", f"127.0.0.1:{own_dns}", "-http01", answers_http),
            *("-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{self._challenges}", "-defaultIPv6", ""),
        )
        self._start(
            *("pebble", "-config", file, "-dnsserver", self.dns, "-strict"),
            environment={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "0"}
            | (environment or {}),
        )
        self._wait()

    def _start(self, *command, environment=None):
        self._processes = getattr(self, "_processes", [])
        self._processes.append(
            subprocess.Popen(
                [str(word) for word in command],
                stdout=self._log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )
        )

    def _wait(self):
        deadline = time.monotonic() + 30
        while True:
            try:
                self.get("/roots/0")
                self.challenge("clear-txt", host="nobody.")
                return
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "pebble.log").read_text()
                time.sleep(0.1)

    def close(self):
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(timeout=30)
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def get(self, path):
        """Of the management interface, which ACME clients do not see."""
        context = ssl.create_default_context(cafile=self.ca_file)
        with urllib.request.urlopen(self._management + path, context=context, timeout=10) as answer:
            return answer.read().decode()

    @property
    def challenge_url(self):
        return f"http://127.0.0.1:{self._challenges}"

    def challenge(self, command, **values):
        """Tells the challenge server: add-http01 (token, content), set-txt (host, value), clear-txt (host)."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._challenges}/{command}", data=json.dumps(values).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=10):
            pass


class StepFailed(Exception):
    def __init__(self, result):
        super().__init__(result["message"])
        self.kind = result["failed"]
        self.type = result["type"]
        self.message = result["message"]


def run_probe(directory, ca_file, key_file, account, *command, timeout=60):
    """One step in a process of its own: nothing but the arguments is known to it."""
    done = subprocess.run(
        [str(word) for word in (PROBE, directory, ca_file, key_file, account, *command)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode in (0, 1) and done.stdout, (done.returncode, done.stderr)
    result = json.loads(done.stdout)
    if "failed" in result:
        raise StepFailed(result)
    return result


class AcmeAccount:
    """What survives of an account: its key's file and its URL."""

    def __init__(self, server, name="account"):
        self.server = server
        self.key_file = server.folder / f"{name}.key"
        self.url = ""
        self.step("key")

    def step(self, *command):
        return run_probe(self.server.url, self.server.ca_file, self.key_file, self.url, *command)

    def register(self, *arguments):
        self.url = self.step("register", *arguments)["text"]
        return self

    def request(self, *names):
        """(file of a new key, file of its CSR in DER)"""
        base = self.server.folder / f"csr{time.monotonic_ns()}"
        key, csr = base.with_suffix(".key"), base.with_suffix(".csr")
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        alternatives = ",".join(("IP:" if name[0].isdigit() else "DNS:") + name for name in names)
        _openssl(
            *("req", "-new", "-key", key, "-subj", "/", "-addext", f"subjectAltName={alternatives}"),
            *("-outform", "DER", "-out", csr),
        )
        return key, csr

    def wait(self, what, url, names, *, until):
        deadline = time.monotonic() + 60
        while True:
            result = self.step(what, url, *names)
            if result["status"] in until:
                return result
            assert time.monotonic() < deadline, result
            time.sleep(0.2)

    def answer(self, challenge, name, kind):
        if kind == "http-01":
            self.server.challenge("add-http01", token=challenge["token"], content=challenge["keyAuthorization"])
        else:
            host = f"_acme-challenge.{name.removeprefix('*.')}."
            self.server.challenge("set-txt", host=host, value=challenge["dnsValue"])

    def validate(self, names, kind="http-01"):
        """A new order, all of whose names are validated."""
        order = self.step("order", *names)
        for url in order["authorizations"]:
            authorization = self.step("authorization", url, *names)
            if authorization["status"] == "valid":  # Pebble takes one of a hundred again, even when told not to
                continue
            challenge = authorization["challenges"][kind]
            self.answer(challenge, authorization["identifier"], kind)
            self.step("accept", challenge["url"])
            seen = self.wait("authorization", url, names, until=("valid", "invalid"))
            assert seen["status"] == "valid", seen
        return self.wait("show", order["url"], names, until=("ready",))

    def obtain(self, *names, kind="http-01", preferred=""):
        """(PEM of the chain, file of the key)"""
        order = self.validate(names, kind)
        key, csr = self.request(*names)
        self.step("finalize", order["url"], order["finalize"], csr, *names)
        order = self.wait("show", order["url"], names, until=("valid",))
        return self.step("certificate", order["certificate"], preferred)["text"], key

"""A gateway that obtains certificates itself, and Pebble, which asks its ports; the documents that ask for them."""

import base64
import contextlib
import json
import pathlib
import socket
import ssl
import subprocess

from . import documents
from .acme_gate import AcmeGate
from .gateway import Gateway, wait_until
from .pebble import Pebble

DOMAIN = "managed.example.com"
HOST = f"app.{DOMAIN}"
CERTIFICATE = "istio-system/web"
OBTAIN_SECONDS = 60


def certificate(name="web", names=(HOST,), issuer="acme", annotations=None, **spec):
    return json.dumps(
        {
            "apiVersion": "cert.gardener.cloud/v1alpha1",
            "kind": "Certificate",
            "metadata": {"name": name, "namespace": "istio-system", "annotations": annotations or {}},
            "spec": {
                "dnsNames": list(names),
                "secretName": f"{name}-certs",
                "issuerRef": {"name": issuer, "namespace": "default"},
                "privateKey": {"algorithm": "ECDSA", "size": 256},
            }
            | spec,
        }
    )


def issuer(kind, spec, name="acme"):
    return json.dumps(
        {
            "apiVersion": "cert.gardener.cloud/v1alpha1",
            "kind": "Issuer",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {kind: spec},
        }
    )


def acme_issuer(pebble, url=None, **more):
    bundle = base64.b64encode(pathlib.Path(pebble.ca_file).read_bytes()).decode()
    spec = {"server": url or pebble.url, "email": "operator@example.com", "autoRegistration": True, "caBundle": bundle}
    return issuer("acme", spec | more)


def gateway_document(*hosts, credential="web-certs", has_plain=True):
    servers = [documents.server(443, "HTTPS", hosts, {"mode": "SIMPLE", "credentialName": credential})]
    if has_plain:
        servers.append(documents.server(80, "HTTP", hosts, {"httpsRedirect": True}))
    return documents.gateway("front", *servers)


def route(*hosts):
    spec = {
        "hosts": list(hosts),
        "gateways": ["kyma-system/front"],
        "http": [{"directResponse": {"status": 200, "body": {"string": "here\n"}}}],
    }
    return documents.document("VirtualService", "app", spec)


class Managed:
    """A gateway with a state directory, and Pebble, which asks its ports."""

    def __init__(self, folder, *, hosts=(HOST,), has_plain=True, with_gate=False, **pebble_options):
        self.folder = pathlib.Path(folder)
        (self.folder / "pebble").mkdir()
        self.state = self.folder / "state"
        self.gateway = Gateway(
            self.folder,
            {
                "gateway.yaml": gateway_document(*hosts, has_plain=has_plain),
                "route.yaml": route(*hosts),
            },
            extra_arguments=("--state-dir", self.state),
        )
        self.pebble = Pebble(self.folder / "pebble", gateway=self.gateway, **pebble_options)
        self.gate = AcmeGate(self.pebble) if with_gate else None

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        try:
            if self.gateway.process:
                self.gateway.__exit__(*failure)
        finally:
            if self.gate:
                self.gate.close()
            self.pebble.close()

    def issuer(self, **more):
        return acme_issuer(self.pebble, self.gate.url if self.gate else None, **more)

    def start(self, *texts):
        for number, text in enumerate(texts):
            self.gateway.write(f"managed-{number}.yaml", text)
        self.gateway.start()
        return self

    # --- how certificates are ---

    def shown(self, name=CERTIFICATE):
        """The manager's thread hears of a document a moment after it serves."""
        managed = self.gateway.admin_json("/certs")["managed"]
        unknown = {"certificate": name, "state": "", "isWorking": True, "message": ""}
        return next((each for each in managed if each["certificate"] == name), unknown)

    def wait_for(self, state, name=CERTIFICATE, seconds=OBTAIN_SECONDS):
        shown = wait_until(lambda: (s := self.shown(name))["state"] == state and not s["isWorking"] and s, seconds, 0.1)
        assert shown, f"{self.shown(name)}\n{self.gateway.log_tail()}"
        return shown

    def root(self):
        return self.pebble.get("/roots/0")

    def handshake(self, host=HOST, trust=None):
        """The certificate that a client gets, verified by `trust` (PEM), or not at all."""
        context = ssl.create_default_context(cadata=trust) if trust else ssl._create_unverified_context()
        with socket.create_connection(("127.0.0.1", self.gateway.port(443)), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname=host) as tls:
                return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))

    def wait_for_handshake(self, host=HOST, seconds=10):
        def is_trusted():
            with contextlib.suppress(ssl.SSLCertVerificationError):
                return self.handshake(host, self.root())
            return None

        pem = wait_until(is_trusted, seconds, 0.1)
        assert pem, self.gateway.log_tail()
        return pem

    def records(self):
        return json.loads((self.state / "certificates" / "istio-system.web.json").read_text())


def show(pem, *what):
    return subprocess.run(
        ["openssl", "x509", "-noout", *what], input=pem, capture_output=True, text=True, check=True, timeout=30
    ).stdout
